package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/store"
)

// nginxConfig has a server of TLS before two of the upstream, of which one is not there, and a page of its status.
const nginxConfig = `daemon off; master_process off; pid nginx.pid; error_log error.log;
events { worker_connections 64; }
http {
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  log_format assay '$remote_addr [$msec] "$request" $status $body_bytes_sent rt=$request_time ua="$upstream_addr" us="$upstream_status" '
                   'uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" tp="$http_traceparent"';
  access_log access.log assay;
  upstream model { server %s max_fails=0; server %s max_fails=0; }
  server {
    listen %s ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
    location / { proxy_pass http://model; proxy_http_version 1.1; proxy_buffering off; proxy_next_upstream error non_idempotent; }
  }
  server { listen %s; access_log off; location / { stub_status; } }
}
`

// startNginx starts the nginx of this machine in dir before an upstream and returns its address and that of its status page; the test is skipped where there is none.
func startNginx(t *testing.T, dir, upstream string) (addr, status string) {
	t.Helper()
	exe, err := exec.LookPath("nginx")
	if err != nil {
		t.Skipf("needs nginx, such as Debian's nginx-light: %v", err)
	}
	cert, key := certificate(t)
	write(t, dir, "cert.pem", string(cert))
	write(t, dir, "key.pem", string(key))
	addr, status, nobody := freeAddress(t), freeAddress(t), freeAddress(t)
	write(t, dir, "nginx.conf", fmt.Sprintf(nginxConfig, nobody, upstream, addr, status))
	cmd := exec.Command(exe, "-p", dir+"/", "-c", "nginx.conf")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for until := time.Now().Add(pacetest.Patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr, status
		}
		if time.Now().After(until) {
			t.Fatalf("nginx does not serve: %s", said.String())
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// hopSlack is how far nginx's whole milliseconds may lie beside the truth, with its clock that is read once for all it does at a time.
const hopSlack = int64(20 * time.Millisecond)

// TestBehindNginx runs a plan through a real nginx with TLS to the sandbox, whose process is killed on the way, with the log and the status page watched,
// and reads the same log afterwards: what the hop saw lies within what the client saw.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := cli(t, dir, "sandbox", "--listen", "127.0.0.1:0", "--model", "nano", "--max-scale", "1")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	var said struct{ URL string }
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		t.Fatal(err)
	}
	addr, status := startNginx(t, dir, strings.TrimPrefix(said.URL, "http://"))
	write(t, dir, "server.pid", strconv.Itoa(server.Process.Pid))
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: front\ntarget: {kind: openai, url: 'https://"+addr+"', model: sandbox-nano, deadline: 5s, tls: {ca: cert.pem}, deployment: {process: {pidfile: server.pid}}}\n"+
		"load: [{name: steady, for: 4s, arrivals: {even: {rate: 10/s}}, prompt: {tokens: 8}, output: {tokens: 8}}]\nchaos: [{fault: kill, at: 3s}]\n"+
		"collect:\n  nginx: {log: access.log, format: '@nginx.conf:assay', status: 'http://"+status+"/'}\n")
	got := assayIn(t, dir, "run", "plan.yaml")
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("runs %v\n%s%s", runs, got.out, got.err)
	}
	client, bySpan := recordingOf(t, runs[0]), map[assay.SpanID]assay.Request{}
	failed, answered := 0, 0 // on a busy machine one may reach its deadline before the front knows of it
	for _, q := range client.requests {
		bySpan[q.SpanID] = q
		if q.Status != 0 || pacetest.Full() {
			answered++
		}
		if q.Outcome.Failed() {
			failed++
		}
	}
	if len(client.requests) < 30 || failed < 3 {
		t.Fatalf("%d requests, %d failed: want some before the kill and some after\n%s%s", len(client.requests), failed, got.out, got.err)
	}
	for _, name := range []string{"nginx_connections_accepted", "nginx_log_upstream_retries_total", "nginx_log_hop_seconds_count", `nginx_log_requests_total{code="502"}`} {
		if v := client.value(t, "max(last_over_time("+name+"[1h]))"); v < 1 {
			t.Errorf("%s: got %v, want it counted", name, v)
		}
	}
	if v := client.value(t, "max(last_over_time(nginx_log_request_seconds_count[1h]))"); int(v) < answered || int(v) > len(client.requests) {
		t.Errorf("the log told of %v requests, the client of %d, %d of them answered", v, len(client.requests), answered)
	}

	if got := assayIn(t, dir, "import", "--nginx", "access.log,format=@nginx.conf:assay,instance=upstream", "--out", "hop"); got.code != 0 || !strings.Contains(got.out, "nginx asked another upstream") {
		t.Fatalf("import: exit %d\n%s%s", got.code, got.out, got.err)
	}
	hop := recordingOf(t, filepath.Join(dir, "hop"))
	if n := len(hop.requests); n < answered || n > len(client.requests) {
		t.Errorf("the hop saw %d requests, the client sent %d and had answers to %d", n, len(client.requests), answered)
	}
	for _, q := range hop.requests {
		c, ok := bySpan[q.SpanID]
		if !ok || c.TraceID != q.TraceID {
			t.Errorf("request of span %v: the client sent none", q.SpanID)
			continue
		}
		same := q.Outcome == c.Outcome || q.Outcome == assay.OK && c.Outcome.Cut() // the log tells the status of an answer whose stream is cut, and not that it is
		begin, end := q.Due+hop.epoch-client.epoch, q.End+hop.epoch-client.epoch
		if begin < c.Sent-hopSlack || end > c.End+int64(pacetest.Most(time.Duration(hopSlack))) || q.Status != c.Status || !same {
			t.Errorf("the hop saw %v %d from %v to %v, the client %v %d from %v to %v", q.Outcome, q.Status, begin, end, c.Outcome, c.Status, c.Sent, c.End)
		}
		if q.Outcome.Failed() && (q.Status != 502 || q.Error != "Bad Gateway, no connection to the upstream" && q.Error != "Bad Gateway, the upstream did not answer") {
			t.Errorf("after the kill: %d %s", q.Status, q.Error)
		}
	}
	of := map[assay.SpanID]assay.Span{}
	for _, s := range hop.spans {
		of[s.SpanID] = s
	}
	for _, s := range hop.spans {
		if up, ok := of[s.Parent]; ok && (s.Name != "upstream" || s.Start < up.Start || s.End > up.End) {
			t.Errorf("the upstream's %d to %d is not within the hop's %d to %d", s.Start, s.End, up.Start, up.End)
		}
	}
	if len(of) < len(hop.requests) {
		t.Errorf("%d spans of %d requests", len(of), len(hop.requests))
	}
}

// A recording is what a run directory holds, for comparison.
type recording struct {
	epoch    int64
	requests []assay.Request
	spans    []assay.Span
	metrics  assay.Metrics
	end      int64
}

func recordingOf(t *testing.T, dir string) recording {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	rec := recording{epoch: run.Manifest().Epoch}
	err = run.Requests(context.Background(), func(block []assay.Request) error {
		for _, q := range block {
			q.Arrivals, q.Counts = nil, nil
			rec.requests = append(rec.requests, q)
			rec.end = max(rec.end, q.End)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = run.Traces(context.Background(), func(block []assay.Trace) error {
		for _, x := range block {
			for _, s := range x.Spans {
				s.Attrs = nil
				rec.spans = append(rec.spans, s)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rec.metrics, err = run.Metrics(); err != nil || rec.metrics == nil {
		t.Fatal(rec.metrics, err)
	}
	return rec
}

func (r recording) value(t *testing.T, promQL string) float64 {
	t.Helper()
	at := r.end + int64(5*time.Second)
	series, err := r.metrics.Range(t.Context(), promQL, at, at, int64(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if len(series) == 0 {
		return -1
	}
	return float64(series[0].Values[0])
}

// TestDoctorReadsFronts: each proxy is looked at, and what its log will not tell is said.
func TestDoctorReadsFronts(t *testing.T) {
	dir := t.TempDir()
	log, err := os.ReadFile("../../collectors/front/testdata/nginx-combined.log")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a.log", string(log))
	write(t, dir, "b.log", "what is this\n")
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: nano}\nload: [{name: a, arrivals: {even: {rate: 1/s}}, for: 1s}]\ncollect:\n"
	for text, want := range map[string][]string{
		"  nginx: {log: a.log, status: 'http://127.0.0.1:1/st'}\n": {"ok    collect.nginx.log: " + dir + "/a.log can be read, all of its last 6 lines are known",
			"collect.nginx.log: not told by its lines: how long requests took, the upstream's time, the hop's own time, retries, spans", "have $msec, $request_time", "connection refused"},
		"  envoy: {log: b.log, admin: 'http://127.0.0.1:1'}\n": {"collect.envoy.log: none of the last 1 lines of " + dir + "/b.log is in a format that is known", "give its format", "connection refused"},
		"  nginx: {log: none.log}\n":                           {"no such file"},
		"  nginx: {log: a.log, format: $status}\n":             {`fail  collect.nginx: format "$status" tells no time`, "could NOT start"},
	} {
		write(t, dir, "p.yaml", head+text)
		got := assayIn(t, dir, "doctor", filepath.Join(dir, "p.yaml"))
		for _, w := range want {
			if !strings.Contains(got.out, w) {
				t.Errorf("%s: lacks %q:\n%s", text, w, got.out)
			}
		}
	}
	write(t, dir, "p.yaml", head+"  nginx: {log: a.log, format: $status}\n")
	if got := assayIn(t, dir, "run", "p.yaml"); got.code != assay.ExitPreflight || !strings.Contains(got.err, `collect.nginx: format "$status" tells no time`) {
		t.Errorf("run: exit %d, want %d\n%s", got.code, assay.ExitPreflight, got.err)
	}
}

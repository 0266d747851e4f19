package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

const virtualName = "llama.models.example.com"

// A virtual is an ingress as a cluster has it: it serves one virtual host, by a certificate of that name alone, and keeps what it was asked.
type virtual struct {
	*httptest.Server
	ca string // PEM file of its certificate

	mu    sync.Mutex
	asked []met
}

type met struct{ Host, Name, Path, Proto string }

func newVirtual(t *testing.T, secure bool) *virtual {
	t.Helper()
	v := &virtual{}
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := met{Host: r.Host, Path: r.URL.Path, Proto: r.Proto}
		if r.TLS != nil {
			m.Name = r.TLS.ServerName
		}
		v.mu.Lock()
		v.asked = append(v.asked, m)
		v.mu.Unlock()
		if host, _, _ := strings.Cut(r.Host, ":"); host != virtualName {
			http.Error(w, "no such route", http.StatusNotFound)
			return
		}
		io.WriteString(w, "ok")
	}))
	v.EnableHTTP2 = true
	v.Config.ErrorLog = log.New(io.Discard, "", 0)
	if !secure {
		v.Start()
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		x := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{virtualName}}
		der, err := x509.CreateCertificate(rand.Reader, x, x, &k.PublicKey, k)
		if err != nil {
			t.Fatal(err)
		}
		v.ca = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(v.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		v.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: k}}}
		v.StartTLS()
	}
	t.Cleanup(v.Close)
	return v
}

// got returns what it was asked since the last call.
func (v *virtual) got() []met {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.asked
	v.asked = nil
	return out
}

// A target of another name than its URL's is asked for by that name, in HTTP and in TLS, over every transport, and reached where the URL says.
func TestHost(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // would look the name up
	plain, secure := newVirtual(t, false), newVirtual(t, true)
	for _, c := range []struct {
		server  *virtual
		target  string
		outcome assay.Outcome
		want    met
	}{
		{plain, "kind: http", assay.ClientError, met{Host: strings.TrimPrefix(plain.URL, "http://"), Path: "/x", Proto: "HTTP/1.1"}},
		{plain, "kind: http, host: " + virtualName, assay.OK, met{virtualName, "", "/x", "HTTP/1.1"}},
		{plain, "kind: http, host: '" + virtualName + ":8443'", assay.OK, met{virtualName + ":8443", "", "/x", "HTTP/1.1"}},
		{secure, "kind: http, tls: {ca: " + secure.ca + "}, host: " + virtualName, assay.OK, met{virtualName, virtualName, "/x", "HTTP/2.0"}},
		{secure, "kind: openinference-grpc, tls: {ca: " + secure.ca + "}, host: " + virtualName + ", body: '{}', payloads: {files: [image.bin]}, tensors: {name: x, datatype: FP32, shape: [1]}", 0,
			met{virtualName + ":443", virtualName, "/inference.GRPCInferenceService/ModelInfer", "HTTP/2.0"}},
	} {
		url, text := c.server.URL+"/x", c.target
		if strings.Contains(text, "grpc") {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "image.bin"), make([]byte, 4), 0o600); err != nil {
				t.Fatal(err)
			}
			url, text = c.server.URL, strings.NewReplacer("body: '{}', ", "", "image.bin", filepath.Join(dir, "image.bin")).Replace(text)
		}
		p, _ := planFor(t, url, text)
		r := authenticated(t, p)
		if c.outcome != 0 && r.Outcome != c.outcome {
			t.Errorf("%s: %v %s, want %v", c.target, r.Outcome, r.Error, c.outcome)
		}
		if d := cmp.Diff([]met{c.want}, c.server.got()); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.target, d)
		}
	}
}

// Behind the proxy of faults on the wire the target is still asked for by its name.
func TestHostOnWire(t *testing.T) {
	secure := newVirtual(t, true)
	p, _ := planFor(t, secure.URL+"/x", "kind: http, tls: {ca: "+secure.ca+"}, host: "+virtualName)
	for _, step := range []chaos.Step{{Fault: "http", Mode: "tls-expired", Instances: 1, For: time.Second}, {Fault: "dns", By: chaos.ByWire, Mode: "servfail", Instances: 1, For: time.Second},
		{Fault: "delay", By: chaos.ByWire, Instances: 1, For: time.Second}} {
		e, err := endpoint(p, clock.New())
		if err != nil {
			t.Fatal(err)
		}
		w, err := startWire(&e, reachOf(&p.Target), []chaos.Step{step})
		if err != nil {
			t.Fatal(err)
		}
		client, err := loadgen.NewHTTP(e)
		if err != nil {
			t.Fatal(err)
		}
		r := &assay.Request{ID: 1, Due: 1}
		client.Do(t.Context(), &assay.Call{}, r)
		if got := secure.got(); r.Outcome != assay.OK || len(got) != 1 || got[0].Host != virtualName || got[0].Name != virtualName {
			t.Errorf("%s: %v %s, asked %v", step.Fault, r.Outcome, r.Error, got)
		}
		client.Close()
		w.close()
	}
}

// What asks beside the load does so by the name too: the preflight, the canary, the probes, the hypothesis and doctor.
func TestHostEverywhere(t *testing.T) {
	v := newVirtual(t, false)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", fmt.Sprintf(`apiVersion: assay/v1
name: hosted
target: {kind: http, url: '%s/x', host: %s}
load: [{name: steady, for: 1s, arrivals: {even: {rate: 20/s}}}]
canary: {every: 200ms, expect: {contains: ok}}
collect: {probes: {live: /live, ready: /ready, interval: 5s, timeout: 5s}}
`, v.URL, virtualName))
	check := func(got result, code int, paths ...string) {
		t.Helper()
		if got.code != code {
			t.Errorf("exit %d, want %d\n%s%s", got.code, code, got.out, got.err)
		}
		seen := map[string]bool{}
		for _, m := range v.got() {
			if m.Host != virtualName {
				t.Errorf("%s was asked of host %q", m.Path, m.Host)
			}
			seen[m.Path] = true
		}
		for _, path := range paths {
			if !seen[path] {
				t.Errorf("%s was never asked: %v", path, seen)
			}
		}
	}
	doctor := assayIn(t, dir, "doctor", "plan.yaml")
	check(doctor, doctor.code, "/live", "/ready")
	run := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
	check(run, run.code, "/x", "/live", "/ready")
	dirs := runsIn(t, dir)
	if len(dirs) != 1 {
		t.Fatalf("runs %v", dirs)
	}
	if m, err := os.ReadFile(filepath.Join(dir, "runs", filepath.Base(dirs[0]), "run.json")); err != nil || !strings.Contains(string(m), v.URL+"/x (host "+virtualName+")") {
		t.Errorf("the run does not name its target: %v\n%s", err, m)
	}
	for _, flags := range [][]string{{"--host", virtualName}, {"--header", "Host: " + virtualName}, {"--header", "host:" + virtualName, "--host", virtualName}} {
		args := append([]string{"load", "--url", v.URL + "/y", "--rate", "20/s", "--for", "1s", "--ui", "none"}, flags...)
		check(assayIn(t, dir, args...), 0, "/y")
	}
	refused := assayIn(t, dir, "load", "--url", v.URL, "--host", "a", "--header", "Host: b")
	if refused.code != 2 || !strings.Contains(refused.err, "--header 'Host: b' stands beside a; give one") {
		t.Errorf("exit %d, %q", refused.code, refused.err)
	}

	p, err := plan.Read(filepath.Join(dir, "plan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := endpoint(p, clock.New())
	if err != nil {
		t.Fatal(err)
	}
	at, client, err := probeOf("/health?deep=1", &e)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := v.got(); !slices.Equal(got, []met{{virtualName, "", "/health", "HTTP/1.1"}}) {
		t.Errorf("the probe of a hypothesis asked %v", got)
	}
}

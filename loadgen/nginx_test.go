package loadgen

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// nginx starts one in front of the server behind, which wants a client certificate of the authority, and returns its address.
func nginx(t *testing.T, a *authority, behind string) string {
	t.Helper()
	exe, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("needs nginx")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cert, key := a.issue("front", "front.test")
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s ssl http2; server_name front.test;
    ssl_certificate %[3]s; ssl_certificate_key %[4]s; ssl_client_certificate %[5]s; ssl_verify_client on;
    location / { proxy_pass %[6]s; proxy_buffering off; proxy_http_version 1.1; }
  }
}
`, dir, addr, cert, key, filepath.Join(a.dir, "ca.pem"), behind)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, exe, "-p", dir, "-c", conf)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); cmd.Wait() })
	for end := time.Now().Add(pacetest.Patience); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not serve: %s", said.String())
		}
	}
}

// TestBehindNginx speaks TLS with a client certificate to a real front. Without one it answers 400, which is our credential's fault, not our request's.
func TestBehindNginx(t *testing.T) {
	var gap atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, text := range []string{tokenA, tokenA, usage + doneLine} {
			io.WriteString(w, text)
			w.(http.Flusher).Flush()
			time.Sleep(time.Duration(gap.Load()))
		}
	}))
	defer s.Close()
	a := newAuthority(t)
	addr := nginx(t, a, s.URL)
	cert, key := a.issue("client", "assay")
	foreign := newAuthority(t)
	other, otherKey := foreign.issue("client", "stranger")
	ca := filepath.Join(a.dir, "ca.pem")
	good := seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 5, Out: 7, First: true, FirstByte: true}
	for _, c := range []struct {
		name  string
		files TLSFiles
		want  seen
	}{
		{"certificate", TLSFiles{CA: ca, Cert: cert, Key: key, ServerName: "front.test"}, good},
		{"no certificate", TLSFiles{CA: ca, ServerName: "front.test"}, seen{Outcome: assay.Credential, Status: 400, Error: "the server refused our certificate", In: 2, FirstByte: true}},
		{"a stranger's certificate", TLSFiles{CA: ca, Cert: other, Key: otherKey, ServerName: "front.test"}, seen{Outcome: assay.Credential, Status: 400, Error: "the server refused our certificate", In: 2, FirstByte: true}},
	} {
		conf, err := c.files.Config()
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		k, err := NewOpenAI(Endpoint{URL: "https://" + addr, Clock: clock.New(), TLS: conf, Refused: func() { told++ }})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second over the connection of the first
			if d := cmp.Diff(c.want, see(do(t, k, true, 5*time.Second))); d != "" {
				t.Errorf("%s (-want +got)\n%s", c.name, d)
			}
		}
		if (told > 0) != (c.want.Outcome == assay.Credential) {
			t.Errorf("%s: told %d times", c.name, told)
		}
		if c.want.Outcome == assay.OK { // the front passes each event on as it comes, and so do the stamps
			gap.Store(int64(30 * time.Millisecond))
			r := do(t, k, true, 5*time.Second)
			gap.Store(0)
			if len(r.Arrivals) != 2 || r.Arrivals[1]-r.Arrivals[0] < int64(20*time.Millisecond) {
				t.Errorf("arrivals %v: two events 30 ms apart were taken for one", r.Arrivals)
			}
		}
		k.Close()
	}
}

// TestProxy sends plain requests through a forward proxy and TLS through its tunnels, and tells the proxy's troubles from the target's.
func TestProxy(t *testing.T) {
	target := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fine") })
	plain, secure := httptest.NewServer(target), httptest.NewTLSServer(target)
	defer plain.Close()
	defer secure.Close()
	var tunnels, forwards atomic.Int64
	var refuse atomic.Int64 // status; 0: none
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := refuse.Load(); code != 0 {
			w.WriteHeader(int(code))
			return
		}
		if r.Method != http.MethodConnect {
			forwards.Add(1)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
			io.Copy(w, resp.Body)
			return
		}
		tunnels.Add(1)
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			far.Close()
			return
		}
		io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { io.Copy(far, near); far.Close() }()
		io.Copy(near, far)
		near.Close()
	}))
	defer proxy.Close()
	via, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		target  *httptest.Server
		refuse  int
		tunnels int64
		want    assay.Outcome
	}{
		{"plain", plain, 0, 0, assay.OK},
		{"TLS", secure, 0, 1, assay.OK},
		{"plain, the proxy wants a credential", plain, 407, 0, assay.Credential},
		{"TLS, the proxy wants a credential", secure, 407, 0, assay.Credential},
		{"TLS, the proxy has no way", secure, 502, 0, assay.Unresolved},
	} {
		tunnels.Store(0)
		forwards.Store(0)
		refuse.Store(int64(c.refuse))
		e := Endpoint{URL: c.target.URL, Clock: clock.New(), Proxy: http.ProxyURL(via)}
		if c.target == secure {
			e.TLS = secure.Client().Transport.(*http.Transport).TLSClientConfig
		}
		k, err := NewHTTP(e)
		if err != nil {
			t.Fatal(err)
		}
		r := do(t, k, false, 5*time.Second)
		k.Close()
		if r.Outcome != c.want || tunnels.Load() != c.tunnels || (c.refuse == 0) != (tunnels.Load()+forwards.Load() == 1) {
			t.Errorf("%s: %v %q, want %v; %d tunnels, %d forwarded", c.name, r.Outcome, r.Error, c.want, tunnels.Load(), forwards.Load())
		}
	}
}

package logs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// frontCertificate writes a certificate for the address 127.0.0.1 that signs itself.
func frontCertificate(t *testing.T, dir string) (*x509.CertPool, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyPath := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := x509.NewCertPool()
	pemCert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(pemCert)
	for path, b := range map[string][]byte{cert: pemCert, keyPath: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pool, cert, keyPath
}

// TestBehindNginx reads what a real nginx logs before a server that answers late, fails, and is not there.
func TestBehindNginx(t *testing.T) {
	exe, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("needs nginx")
	}
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			time.Sleep(120 * time.Millisecond) // what is measured
		case "/bad":
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "{}")
	}))
	defer back.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := dead.Addr().String()
	dead.Close()
	dir := t.TempDir()
	pool, cert, key := frontCertificate(t, dir)
	access := filepath.Join(dir, "access.log")
	upstream := strings.TrimPrefix(back.URL, "http://")
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  log_format timed '%[2]s';
  access_log %[3]s timed;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  upstream both { server %[4]s max_fails=0; server %[5]s backup; }
  server {
    listen %[6]s ssl; ssl_certificate %[7]s; ssl_certificate_key %[8]s;
    location / { proxy_pass http://%[5]s; }
    location /retry { proxy_pass http://both; }
    location /gone { proxy_pass http://%[4]s; }
  }
}
`, dir, timed, access, gone, upstream, addr, cert, key)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, exe, "-p", dir, "-c", path)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { stop(); _ = cmd.Wait() }
	t.Cleanup(end)
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			break
		}
		if time.Now().After(until) {
			t.Fatalf("nginx does not serve: %s", said.String())
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	before := time.Now()
	for i, at := range []string{"/late", "/bad", "/retry", "/gone"} {
		req, _ := http.NewRequest(http.MethodGet, "https://"+addr+at, nil)
		req.Header.Set("Traceparent", fmt.Sprintf("00-0af7651916cd43dd8448eb211c8031%02x-b7ad6b7169203331-01", i))
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) { // it logs after it answered
		if b, _ := os.ReadFile(access); strings.Count(string(b), "\n") >= 4 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("nginx logged less than four lines")
		}
	}
	end()

	s, err := input.Open(t.Context(), []input.Spec{{Kind: &nginxKind, Path: access, Options: map[string]string{"format": timed}}}, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = s.Run(t.Context(), func(r assay.Record) error {
		q, ok := r.(*assay.Request)
		if !ok {
			return nil
		}
		got = append(got, fmt.Sprintf("%v %s %v", q.Outcome, q.TraceID.String()[30:], q.Instance == upstream))
		if len(got) == 1 && (q.End-q.Due < 119e6 || q.FirstByte-q.Due < 119e6 || q.FirstByte > q.End) {
			t.Errorf("the late one took %v, its first byte came after %v", time.Duration(q.End-q.Due), time.Duration(q.FirstByte-q.Due))
		}
		if at := s.Epoch + q.Due; at < before.UnixNano()-2e6 || at > time.Now().UnixNano() {
			t.Errorf("due at %v, want after %v", time.Unix(0, at), before)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, []string{"ok 00 true", "server_error 01 true", "ok 02 true", "unavailable 03 false"}, got)
	if notes := s.Summaries[0].Notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "1 requests were tried again") {
		t.Errorf("notes %q", notes)
	}
}

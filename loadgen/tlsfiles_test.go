package loadgen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// authority signs certificates for the tests and writes them into files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.key = key
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue writes a certificate for the name and 127.0.0.1 to file.pem and its key to file.key.
func (a *authority) issue(file, name string) (cert, key string) {
	a.t.Helper()
	a.n++
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1 + a.n), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, x, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(file+".pem", "CERTIFICATE", der), a.write(file+".key", "PRIVATE KEY", raw)
}

// TestClientCertificates asks a server that wants one, over HTTP/1.1 and HTTP/2.
func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	serverCert, serverKey := a.issue("server", "model.test")
	cert, key := a.issue("client", "assay-1")
	ca := filepath.Join(a.dir, "ca.pem")
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, h2 := range []bool{false, true} {
		var who, proto string
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who, proto = r.TLS.PeerCertificates[0].Subject.CommonName, r.Proto
		}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
		s.EnableHTTP2 = h2
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		for _, c := range []struct {
			name  string
			files TLSFiles
			want  assay.Outcome
		}{
			{"good", TLSFiles{CA: ca, Cert: cert, Key: key}, assay.OK},
			{"server name", TLSFiles{CA: ca, Cert: cert, Key: key, ServerName: "model.test"}, assay.OK},
			{"other server name", TLSFiles{CA: ca, Cert: cert, Key: key, ServerName: "other.test"}, assay.Unresolved},
			{"unknown authority", TLSFiles{Cert: cert, Key: key}, assay.Unresolved},
			{"insecure", TLSFiles{Cert: cert, Key: key, Insecure: true}, assay.OK},
			{"no certificate of ours", TLSFiles{CA: ca}, assay.Credential},
		} {
			conf, err := c.files.Config()
			if err != nil {
				t.Fatal(err)
			}
			k, err := NewHTTP(Endpoint{URL: s.URL, Clock: clock.New(), TLS: conf})
			if err != nil {
				t.Fatal(err)
			}
			who, proto = "", ""
			r := do(t, k, false, 5*time.Second)
			k.Close()
			if r.Outcome != c.want {
				t.Errorf("HTTP/2 %v, %s: %v %q, want %v", h2, c.name, r.Outcome, r.Error, c.want)
			}
			if c.want == assay.OK && (who != "assay-1" || (proto == "HTTP/2.0") != h2) {
				t.Errorf("HTTP/2 %v, %s: the server saw %q over %s", h2, c.name, who, proto)
			}
		}
		s.Close()
	}
}

// TestClientCertificateIsRotated: new connections show the new certificate, and a half-written one is not taken.
func TestClientCertificateIsRotated(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("client", "before")
	conf, err := TLSFiles{Cert: cert, Key: key}.Config()
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		t.Helper()
		c, err := conf.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		x, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return x.Subject.CommonName
	}
	touch := func(later time.Duration) {
		for _, file := range []string{cert, key} {
			if err := os.Chtimes(file, time.Now().Add(later), time.Now().Add(later)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := name(); got != "before" {
		t.Fatalf("got %q", got)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(time.Second)
	if got := name(); got != "before" {
		t.Errorf("with a broken file: got %q", got)
	}
	a.issue("client", "after")
	touch(2 * time.Second)
	if got := name(); got != "after" {
		t.Errorf("after the rotation: got %q", got)
	}
}

func TestTLSFilesMistakes(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("one", "one")
	_, other := a.issue("two", "two")
	empty := filepath.Join(a.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]TLSFiles{
		"holds no certificate in PEM": {CA: empty},
		"tls.ca: open":                {CA: empty + "x"},
		"want cert and key together":  {Key: key},
		"private key does not match":  {Cert: cert, Key: other},
		"tls.cert, key: stat":         {Cert: empty + "x", Key: key},
	} {
		if _, err := f.Config(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", f, err, want)
		}
	}
}

// TestClientCertificatesOverGRPC: gRPC reports a refused certificate as a lost connection, among others.
func TestClientCertificatesOverGRPC(t *testing.T) {
	a := newAuthority(t)
	serverCert, serverKey := a.issue("server", "model.test")
	cert, key := a.issue("client", "assay-1")
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer((&infers{}).server(t))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(a.dir, "ca.pem")
	for _, c := range []struct {
		name  string
		files TLSFiles
		want  assay.Outcome
	}{
		{"good", TLSFiles{CA: ca, Cert: cert, Key: key}, assay.OK},
		{"unknown authority", TLSFiles{Cert: cert, Key: key}, assay.Unresolved},
		{"no certificate of ours", TLSFiles{CA: ca}, assay.Credential},
	} {
		conf, err := c.files.Config()
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewOpenInferenceGRPC(Endpoint{URL: s.URL, Clock: clock.New(), TLS: conf})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // gRPC answers from memory while it waits to dial again
			if r := do(t, k, true, 5*time.Second); r.Outcome != c.want {
				t.Errorf("%s: %v %q, want %v", c.name, r.Outcome, r.Error, c.want)
			}
		}
		k.Close()
	}
}

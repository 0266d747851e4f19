package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/plan"
)

// certificate returns a certificate of a client, or of a server on this machine, and its key in PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// TestPlanConnects: how a plan says the connection is made is how the server sees it made.
func TestPlanConnects(t *testing.T) {
	type met struct {
		Proto, Host, Auth, Key string
		Serial                 int64 // of our certificate; 0: none
		Proxied                bool
	}
	var got met
	see := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path { // it is an OAuth 2.0 server too
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"http://%[1]s","token_endpoint":"http://%[1]s/token"}`, r.Host)
			return
		case "/token":
			id, secret, _ := r.BasicAuth()
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":"%s.%s.%s.%s","token_type":"Bearer","expires_in":60}`, id, secret, r.FormValue("scope"), r.FormValue("audience"))
			return
		}
		got = met{Proto: r.Proto, Auth: r.Header.Get("Authorization"), Key: r.Header.Get("Api-Key"), Proxied: r.URL.IsAbs()}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			got.Serial = r.TLS.PeerCertificates[0].SerialNumber.Int64()
		}
	})
	plain, secure, known := httptest.NewServer(see), httptest.NewUnstartedServer(see), httptest.NewUnstartedServer(see)
	secure.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	known.Config.Protocols = &http.Protocols{}
	known.Config.Protocols.SetUnencryptedHTTP2(true)
	known.Start()
	for _, s := range []*httptest.Server{plain, secure, known} {
		defer s.Close()
	}
	dir := t.TempDir()
	cert, key := certificate(t)
	file := func(name string, b []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := file("ca", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600)
	certFile, keyFile, token := file("cert", cert, 0o600), file("key", key, 0o600), file("token", []byte("tok"), 0o600)
	issued, err := json.Marshal(map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{"clientCertificateData": string(cert), "clientKeyData": string(key)}})
	if err != nil {
		t.Fatal(err)
	}
	plugin := file("plugin", fmt.Appendf(nil, "#!/bin/sh\ncat <<'END'\n%s\nEND\n", issued), 0o700)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // loopback is never proxied by the environment; a plan's is
	for _, c := range []struct {
		server *httptest.Server
		target string
		want   met
	}{
		{plain, "", met{Proto: "HTTP/1.1"}},
		{plain, "auth: {file: " + token + "}", met{Proto: "HTTP/1.1", Auth: "Bearer tok"}},
		{plain, "auth: {file: " + token + ", header: api-key}", met{Proto: "HTTP/1.1", Key: "tok"}},
		{plain, "auth: {oidc: {issuer: '" + plain.URL + "', clientID: me, clientSecret: {file: " + token + "}, scopes: [infer], audience: model}}", met{Proto: "HTTP/1.1", Auth: "Bearer me.tok.infer.model"}},
		{plain, "auth: {oidc: {tokenURL: '" + plain.URL + "/token', clientID: me, clientSecret: {file: " + token + "}}}", met{Proto: "HTTP/1.1", Auth: "Bearer me.tok.."}},
		{plain, "proxy: " + plain.URL, met{Proto: "HTTP/1.1", Proxied: true}},
		{plain, "proxy: none", met{Proto: "HTTP/1.1"}},
		{known, "http2: true", met{Proto: "HTTP/2.0"}},
		{secure, "tls: {ca: " + ca + "}", met{Proto: "HTTP/1.1"}},
		{secure, "tls: {insecure: true}", met{Proto: "HTTP/1.1"}},
		{secure, "tls: {ca: " + ca + ", serverName: example.com, cert: " + certFile + ", key: " + keyFile + "}", met{Proto: "HTTP/1.1", Serial: 7}},
		{secure, "tls: {ca: " + ca + "}, auth: {exec: {command: " + plugin + "}}", met{Proto: "HTTP/1.1", Serial: 7}},
	} {
		got = met{}
		target := "kind: http"
		if c.target != "" {
			target += ", " + c.target
		}
		p, _ := planFor(t, c.server.URL, target)
		if r := authenticated(t, p); r.Outcome != assay.OK {
			t.Errorf("%s: %v %s", c.target, r.Outcome, r.Error)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.target, d)
		}
	}
}

// authenticated makes one call as a session would.
func authenticated(t *testing.T, p *plan.Plan) *assay.Request {
	t.Helper()
	s := &session{plan: p, clock: clock.New()}
	e, err := endpoint(p, s.clock)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.authenticate(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	defer s.keeper.Close()
	c, err := client(p, e)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &assay.Request{ID: 1}
	c.Do(t.Context(), &assay.Call{Model: "m", Prompt: "hi", MaxTokens: 7, Stream: *p.Target.Stream}, r)
	return r
}

// TestPlanExpects: each check of target.expect fails an answer that lacks it.
func TestPlanExpects(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"model":"m-7","choices":[{"message":{"content":"{\"a\":1}"}}],"usage":{"prompt_tokens":1,"completion_tokens":3}}`)
	}))
	defer s.Close()
	for expect, want := range map[string]assay.Outcome{
		"contains: a":   assay.OK,
		"contains: b":   assay.WrongContent,
		"regexp: '\\d'": assay.OK,
		"regexp: x+":    assay.WrongContent,
		"sha256: 015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862": assay.OK,
		"sha256: 115abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862": assay.WrongContent,
		"schema: {type: object, required: [a]}":                                    assay.OK,
		"schema: {type: object, required: [b]}":                                    assay.WrongContent,
		"minTokens: 3":                                                             assay.OK,
		"minTokens: 4":                                                             assay.WrongContent,
		"maxTokens: 2":                                                             assay.WrongContent,
		"model: m-7":                                                               assay.OK,
		"model: m-8":                                                               assay.WrongContent,
	} {
		p, _ := planFor(t, s.URL, "kind: openai, stream: false, expect: {"+expect+"}")
		if r := authenticated(t, p); r.Outcome != want {
			t.Errorf("%s: %v %s, want %v", expect, r.Outcome, r.Error, want)
		}
	}
	v2 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"model_name":"m","model_version":"3","outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[1]}]}`)
	}))
	defer v2.Close()
	for version, want := range map[string]assay.Outcome{"3": assay.OK, "4": assay.WrongContent} {
		p, _ := planFor(t, v2.URL, "kind: openinference, expect: {version: '"+version+"'}")
		if r := authenticated(t, p); r.Outcome != want {
			t.Errorf("version %s: %v %s, want %v", version, r.Outcome, r.Error, want)
		}
	}
}

package main

import (
	"io"
	"net"
	"net/http"
	"testing"
)

// Beyond loopback the metrics are served, but only to who shows the token.
func TestMetricsToken(t *testing.T) {
	t.Setenv("SCRAPE_TOKEN", "s3cret")
	m, err := serveMetrics(metricsOptions{addr: "0.0.0.0:0", tokenEnv: "SCRAPE_TOKEN"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "assay_requests_total 7\n")
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	_, port, _ := net.SplitHostPort(m.addr)
	for _, tt := range []struct {
		name, header string
		status       int
	}{
		{"no token", "", 401}, {"another", "Bearer other", 401}, {"a part of it", "Bearer s3cre", 401}, {"another scheme", "Basic s3cret", 401},
		{"bare", "s3cret", 401}, {"the token", "Bearer s3cret", 200}, {"scheme in lower case", "bearer s3cret", 200},
	} {
		req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.header != "" {
			req.Header.Set("Authorization", tt.header)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != tt.status || (string(body) == "assay_requests_total 7\n") != (tt.status == 200) {
			t.Errorf("%s: got %d %q, want %d", tt.name, res.StatusCode, body, tt.status)
		}
		if challenge := res.Header.Get("WWW-Authenticate"); (challenge == "Bearer") != (tt.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", tt.name, challenge)
		}
	}
}

// On loopback a token is not needed, but asked for where one is named.
func TestMetricsOnLoopback(t *testing.T) {
	t.Setenv("SCRAPE_TOKEN", "s3cret")
	for _, tt := range []struct {
		options metricsOptions
		status  int
	}{{metricsOptions{addr: "127.0.0.1:0"}, 200}, {metricsOptions{addr: "localhost:0", tokenEnv: "SCRAPE_TOKEN"}, 401}} {
		m, err := serveMetrics(tt.options, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Get("http://" + m.addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("%+v: got %d, want %d", tt.options, res.StatusCode, tt.status)
		}
		m.close()
	}
}

package kube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// seen is what a stand-in saw of one request.
type seen struct{ Method, Path, Auth, Kind, Body string }

// server answers with the given statuses in turn, then with 200.
func server(t *testing.T, log *[]seen, statuses ...int) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		var body any
		if json.NewDecoder(r.Body).Decode(&body) == nil {
			json.NewEncoder(&b).Encode(body)
		}
		*log = append(*log, seen{r.Method, r.URL.String(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), strings.TrimSpace(b.String())})
		if len(statuses) > 0 {
			s := statuses[0]
			statuses = statuses[1:]
			w.WriteHeader(s)
			json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "message": "because", "reason": "Some"})
			return
		}
		fmt.Fprint(w, `{"spec":{"replicas":2}}`)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func configFor(url, user string) []byte {
	return fmt.Appendf(nil, "current-context: a\ncontexts:\n- {name: a, context: {cluster: c, user: u, namespace: ns}}\n- {name: b, context: {cluster: gone, user: u}}\n"+
		"clusters:\n- {name: c, cluster: {server: %q}}\nusers:\n- name: u\n  user: %s\n", url+"/", user)
}

func TestRequests(t *testing.T) {
	var log []seen
	srv := server(t, &log)
	c, err := parse(configFor(srv.URL, "{token: abc}"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Spec struct{ Replicas int } }
	if err := c.Get(t.Context(), "/apis/x?y=1", &got); err != nil || got.Spec.Replicas != 2 || c.Namespace != "ns" {
		t.Errorf("%+v, %v, namespace %q", got, err, c.Namespace)
	}
	if err := c.Patch(t.Context(), "/p", map[string]any{"a": nil}, nil); err != nil {
		t.Error(err)
	}
	if err := c.Delete(t.Context(), "/d"); err != nil {
		t.Error(err)
	}
	if err := c.Create(t.Context(), "/c", map[string]any{"b": 1}, &got); err != nil {
		t.Error(err)
	}
	if err := c.Edit(t.Context(), "/e", []any{}, nil); err != nil {
		t.Error(err)
	}
	want := []seen{{"GET", "/apis/x?y=1", "Bearer abc", "", ""}, {"PATCH", "/p", "Bearer abc", "application/merge-patch+json", `{"a":null}`}, {"DELETE", "/d", "Bearer abc", "", ""},
		{"POST", "/c", "Bearer abc", "application/json", `{"b":1}`}, {"PATCH", "/e", "Bearer abc", "application/json-patch+json", "[]"}}
	if d := cmp.Diff(want, log); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A token that is refused is fetched anew, once.
func TestTokenThatChanges(t *testing.T) {
	var log []seen
	srv := server(t, &log, 200, http.StatusUnauthorized, 200, http.StatusUnauthorized, http.StatusUnauthorized)
	dir := t.TempDir()
	put := func(s string) {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one\n")
	c, err := parse(configFor(srv.URL, "{tokenFile: token}"), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), "/1"); err != nil {
		t.Fatal(err)
	}
	put("two\n")
	if err := c.Delete(t.Context(), "/2"); err != nil {
		t.Fatal(err)
	}
	err = c.Delete(t.Context(), "/3")
	if err == nil || err.Error() != "DELETE /3: status 401: because" {
		t.Errorf("got %v", err)
	}
	var auth []string
	for _, s := range log {
		auth = append(auth, s.Path+" "+s.Auth)
	}
	if d := cmp.Diff([]string{"/1 Bearer one", "/2 Bearer one", "/2 Bearer two", "/3 Bearer two", "/3 Bearer two"}, auth); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestPlugIn(t *testing.T) {
	var log []seen
	srv := server(t, &log)
	dir := t.TempDir()
	script := filepath.Join(dir, "login")
	text := "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"'$1-$WHO'\"}}'\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := parse(configFor(srv.URL, fmt.Sprintf("{exec: {command: %q, args: [hello], env: [{name: WHO, value: me}], apiVersion: client.authentication.k8s.io/v1}}", script)), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), "/"); err != nil || log[0].Auth != "Bearer hello-me" {
		t.Errorf("%v, %v", err, log)
	}
}

func TestErrors(t *testing.T) {
	var log []seen
	srv := server(t, &log, http.StatusNotFound, http.StatusForbidden)
	c, err := parse(configFor(srv.URL, "{}"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), "/x", nil); !NotFound(err) || err.Error() != "GET /x: status 404: because" {
		t.Errorf("got %v", err)
	}
	if err := c.Get(t.Context(), "/x", nil); NotFound(err) || err == nil {
		t.Errorf("got %v", err)
	}
	var list []int
	if err := c.Get(t.Context(), "/x", &list); err == nil || !strings.Contains(err.Error(), "read the answer") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if err := c.Get(ctx, "/x", nil); err == nil {
		t.Error("a request beyond its time succeeded")
	}
	secret := base64.StdEncoding.EncodeToString([]byte("secret-key"))
	for _, tt := range []struct{ config, context, want string }{
		{string(configFor("http://h", "{}")), "c", `it has no context "c"`},
		{string(configFor("http://h", "{}")), "b", `it has no cluster "gone"`},
		{string(configFor("h:1", "{}")), "", `server "h:1/" is not a URL`},
		{string(configFor("http://h", "{client-certificate-data: '%'}")), "", "user u: client-certificate: not base64"},
		{string(configFor("http://h", "{client-certificate-data: "+secret+", client-key-data: "+secret+"}")), "", "user u: client-certificate: tls: failed to find any PEM data"},
		{string(configFor("http://h", "{auth-provider: {name: gcp}}")), "", "auth-provider is no longer known"},
		{"users: [{name: u, user: {token: very-secret}}\n", "", "it is not YAML of a kubeconfig"},
		{strings.Replace(string(configFor("http://h", "{}")), `server: "http://h/"`, `server: "http://h/", certificate-authority-data: `+secret, 1), "", "no certificate in it"},
	} {
		_, err := parse([]byte(tt.config), tt.context, "")
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := InCluster(); err == nil {
		t.Error("we are in no cluster")
	}
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	if _, err := Find("", ""); err == nil || !strings.Contains(err.Error(), "read the kubeconfig") {
		t.Errorf("got %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(configFor("http://h", "{token: abc}"), "a")
	f.Add([]byte("contexts: [{name: 1}]"), "1")
	f.Fuzz(func(t *testing.T, b []byte, context string) {
		if c, err := parse(b, context, "/nowhere"); err == nil && !strings.HasPrefix(c.Server, "http") {
			t.Errorf("server %q", c.Server)
		}
	})
}

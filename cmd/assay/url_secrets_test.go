package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay/collectors/recorded"
)

// fetchable is a store of every kind: it holds one thing of each, for whoever comes with the password.
func fetchable(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "Logs_") { // signed, and so without the password
		fmt.Fprint(w, `{"events":[{"logStreamName":"2026/11/25/[$LATEST]a","timestamp":1795600000000,"message":"REPORT RequestId: 1-2-3\tDuration: 10.00 ms\tBilled Duration: 11 ms\tMemory Size: 128 MB\tMax Memory Used: 50 MB"}]}`)
		return
	}
	if user, password, _ := r.BasicAuth(); user != "alice" || password != "hunter2" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	answers := []struct{ part, body string }{
		{"/label/__name__/values", `{"status":"success","data":["up"]}`},
		{"/api/v1/query_range", `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[1795600000,"1"],[1795600015,"1"]]}]}}`},
		{"/api/services", `{"data":["shop"]}`},
		{"/api/traces", `{"data":[{"traceID":"0af7651916cd43dd8448eb211c80319c","spans":[{"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"b7ad6b7169203331","operationName":"GET /","startTime":1795600000000000,"duration":20000,"processID":"p1","tags":[{"key":"span.kind","value":"server"}]}],"processes":{"p1":{"serviceName":"shop"}}}]}`},
		{"/api/search", `{"traces":[]}`},
		{"/_pit", `{"id":"p"}`},
		{"/_search", `{"pit_id":"p","hits":{"hits":[]},"_shards":{"total":1,"failed":0}}`},
	}
	if r.URL.Path == "/loki/api/v1/query_range" {
		fmt.Fprint(w, `{"data":{"resultType":"streams","result":[{"stream":{"pod":"v-1"},"values":[["1795600000000000000","INFO: vLLM API server version 0.9.0"]]}]}}`)
		return
	}
	for _, a := range answers {
		if strings.Contains(r.URL.Path, a.part) {
			fmt.Fprint(w, a.body)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// Whatever is fetched from or loaded at a URL, its user, password and query stand nowhere: in no record, report, output or error.
func TestURLsKeepTheirSecrets(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(fetchable))
	defer srv.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
	at := "http://alice:hunter2@" + strings.TrimPrefix(srv.URL, "http://")
	const query = "?token=s3cret&query=s3cret"
	paths := map[string][]string{"prometheus": {"", query}, "jaeger": {"", query}, "tempo": {"", query}, "loki": {"?query=s3cret", query}, "elasticsearch": {"/logs?q=s3cret", "/logs" + query},
		"lambda": {"/aws/lambda/shop,region=eu-central-1", "/aws/lambda/shop" + query + ",region=eu-central-1"}}
	type call struct {
		name string
		args []string
	}
	var calls []call
	for i := range recorded.Kinds {
		k := &recorded.Kinds[i]
		if k.Fetch == nil {
			continue
		}
		path, known := paths[k.Name]
		if !known {
			t.Errorf("the kind %s fetches from URLs: add a path of it here", k.Name)
		}
		for _, path := range path {
			for _, at := range []string{at, "http://alice:hunter2@127.0.0.1:1"} {
				calls = append(calls, call{k.Name, []string{"import", "--" + k.Name, at + path, "--from", "2026-11-25T00:00:00Z", "--to", "2026-11-26T00:00:00Z", "--out", "runs/x"}})
			}
		}
	}
	for _, query := range []string{"/?token=s3cret", "/", "/?q=s3cret", "?x=%zz&token=s3cret"} {
		calls = append(calls, call{"run " + query, []string{"run", "--url", at + query, "--slo", "error_ratio=1%", "--dir", "runs"}},
			call{"compare " + query, []string{"compare", "--live", at + query, at + query, "--budget", "requests=60,time=5s", "--block", "500ms", "--rate", "20/s"}},
			call{"load " + query, []string{"load", "--url", at + query, "--for", "2s", "--max-requests", "10"}})
	}
	fetched := 0
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			got := assayIn(t, dir, c.args...)
			all := got.out + got.err
			if _, err := os.Stat(filepath.Join(dir, "runs/x/run.json")); err == nil {
				fetched++
				for _, format := range []string{"text", "markdown", "html", "json", "junit"} {
					got := assayIn(t, dir, "report", "runs/x", "-o", format)
					all += got.out + got.err
				}
			}
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				b, err := os.ReadFile(path)
				all += string(b)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			for _, secret := range []string{"hunter2", "alice", "s3cret"} {
				if i := strings.Index(all, secret); i >= 0 {
					t.Errorf("%s stands in …%s…", secret, all[max(0, i-80):min(len(all), i+40)])
				}
			}
		})
	}
	if fetched < 4 {
		t.Errorf("%d kinds were fetched, want 4 at least", fetched)
	}
}

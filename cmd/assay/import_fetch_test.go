package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestImportKeepsSecretsOfURLs: what a URL holds beside scheme, host and path stands in no output, no record and no report, whether or not the fetch succeeds.
func TestImportKeepsSecretsOfURLs(t *testing.T) {
	const page = `{"data":{"resultType":"streams","result":[{"stream":{"pod":"v-1"},"values":[["1795600000000000000","INFO: vLLM API server version 0.9.0"],["1795600009000000000","INFO:     Application startup complete."]]}]}}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "alice" || password != "hunter2" || r.URL.Query().Get("query") != "{team=\"s3cret\"}" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if from, _ := strconv.ParseInt(r.URL.Query().Get("start"), 10, 64); from > 1795600000000000000 {
			fmt.Fprint(w, `{"data":{"resultType":"streams","result":[]}}`)
			return
		}
		fmt.Fprint(w, page)
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	for _, tt := range []struct {
		name, url string
		code      int
		says      string
	}{
		{"fetched", "http://alice:hunter2@" + host + `?query={team="s3cret"}`, 0, srv.URL + ": 2 of 2 lines kept"},
		{"refused", "http://alice:hunter2@" + host + `?query={other="s3cret"}`, 2, "fetch from " + srv.URL + ": GET /loki/api/v1/query_range: 403"},
		{"nobody there", `http://alice:hunter2@127.0.0.1:1?query={team="s3cret"}`, 2, "fetch from http://127.0.0.1:1: GET /loki/api/v1/query_range: dial tcp 127.0.0.1:1:"},
		{"no port", `http://alice:hunter2@127.0.0.1:http?query={team="s3cret"}`, 2, "http://… is no URL"},
		{"no query", `http://alice:hunter2@` + host + `?q=s3cret`, 2, srv.URL + " has no query"},
		{"an unknown option", `http://alice:hunter2@` + host + `?q=s3cret,yaer=2026`, 2, `option "yaer" is unknown`},
		{"another scheme", `ftp://alice:hunter2@` + host + `?q=s3cret`, 2, "the kind loki reads files, and URLs of http and https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			got := assayIn(t, dir, "import", "--loki", tt.url, "--from", "2026-11-25T00:00:00Z", "--to", "2026-11-26T00:00:00Z", "--out", "runs/x")
			if got.code != tt.code || !strings.Contains(got.out+got.err, tt.says) {
				t.Fatalf("import: exit %d, want %d and %q\n%s%s", got.code, tt.code, tt.says, got.out, got.err)
			}
			all := got.out + got.err
			if tt.code == 0 {
				got = assayIn(t, dir, "assess", "runs/x")
				all += got.out + got.err
			}
			files := 0
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				files++
				b, err := os.ReadFile(path)
				all += string(b)
				return err
			})
			if err != nil || tt.code == 0 && files < 3 {
				t.Errorf("%d files, %v", files, err)
			}
			for _, secret := range []string{"hunter2", "alice", "s3cret"} {
				if i := strings.Index(all, secret); i >= 0 {
					t.Errorf("%s stands in …%s…", secret, all[max(0, i-60):min(len(all), i+40)])
				}
			}
		})
	}
	if got := assayIn(t, t.TempDir(), "import", "http://alice:hunter2@"+host); got.code != 2 || strings.Contains(got.err, "hunter2") || !strings.Contains(got.err, "a URL is given to the flag of its kind") {
		t.Errorf("without a flag: exit %d, %s", got.code, got.err)
	}
}

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Each source that tells time has the offset of its clock shown, and one that lies far off is doubted.
func TestDoctorOfClocks(t *testing.T) {
	serve := func(ahead time.Duration) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			http.Error(w, "none", http.StatusNotFound)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	dir := t.TempDir()
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\nload: [{name: a, for: 10s, arrivals: {even: {rate: 2/s}}}]\n"+
		"collect: {loki: [{url: '"+serve(0)+"', query: '{}'}], tempo: [{url: '"+serve(-90*time.Minute)+"'}]}\n")
	found, _, _ := doctor(t, dir, "plan.yaml")
	got := strings.Join(found["clocks"], "\n")
	for _, want := range []string{"ok collect.loki[0]: its clock is ", "warn collect.tempo[0]: its clock is 1h", " behind ours, "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

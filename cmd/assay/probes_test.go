package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A server's clock by its Date header: known to the second of the header and half the way, and no better.
func TestClockByDate(t *testing.T) {
	asked := time.Date(2026, 11, 25, 12, 0, 0, 250e6, time.UTC)
	for _, c := range []struct{ date, want string }{
		{"Wed, 25 Nov 2026 12:00:00 GMT", "its clock is ours, to ±500ms by its Date header"},
		{"Wed, 25 Nov 2026 12:00:05 GMT", "its clock is 5.2s ahead of ours, ±500ms by its Date header"},
		{"Wed, 25 Nov 2026 11:58:30 GMT", "its clock is 1m29.8s behind ours, ±500ms by its Date header"},
		{"yesterday", "its clock is not known: its date cannot be read: parsing time \"yesterday\" as \"Mon Jan _2 15:04:05 2006\": cannot parse \"yesterday\" as \"Mon\""},
		{"", "its clock is not known: it names no date"},
	} {
		res := &http.Response{Header: http.Header{}}
		if c.date != "" {
			res.Header.Set("Date", c.date)
		}
		if got := offsetText(clockBy(res, asked, 20*time.Millisecond)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.date, got, c.want)
		}
	}
}

func TestOnTarget(t *testing.T) {
	for _, c := range []struct{ base, path, want string }{
		{"http://127.0.0.1:8080", "/health", "http://127.0.0.1:8080/health"},
		{"http://127.0.0.1:8080/v1/chat/completions", "/health", "http://127.0.0.1:8080/health"},
		{"http://127.0.0.1:8080", "http://other/ready", "http://other/ready"},
		{"http://127.0.0.1:8080", "", ""},
	} {
		if got := onTarget(c.base, c.path); got != c.want {
			t.Errorf("%s on %s: got %q, want %q", c.path, c.base, got, c.want)
		}
	}
}

// What of an exposition is known is said by the table that knows it, and what will be empty with it.
func TestDoctorKnowsNames(t *testing.T) {
	names := namesIn(strings.NewReader("# HELP vllm:num_requests_running running\nvllm:num_requests_running{engine=\"0\"} 1\nvllm:request_success_total{engine=\"0\"} 3\nother 1\n"))
	if want := []string{"other", "vllm:num_requests_running", "vllm:request_success_total"}; !slices.Equal(names, want) {
		t.Fatalf("got %q, want %q", names, want)
	}
	p := &patient{}
	p.knows("s", names)
	p.knows("t", []string{"go_goroutines_of_nobody"})
	var got []string
	for _, f := range p.found {
		got = append(got, f.State+": "+f.Text)
	}
	want := []string{"ok: s: 3 names, known as vLLM", "warn: s: shows no kv usage, so the use of the KV cache will be empty",
		"warn: t: 1 names, none of which is known: queue, batch, KV cache and accelerator will be empty"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

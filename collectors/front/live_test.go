package front

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// epoch is a clock that counts from an instant.
type epoch struct{ begin time.Time }

func (e epoch) Now() int64              { return int64(time.Since(e.begin)) }
func (e epoch) FromUnix(ns int64) int64 { return ns - e.begin.UnixNano() }

// TestLog follows a log that is written and rotated while it is followed.
func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	const format = `[$msec] "$request" $status $request_time $upstream_response_time $http_traceparent`
	if err := os.WriteFile(path, []byte("[1.000] \"GET /old HTTP/1.1\" 200 0.100 0.100 -\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	synctest.Test(t, func(t *testing.T) {
		clock := epoch{time.Now()}
		add := func(text string) {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, text)
			f.Close()
		}
		line := func(code int, took string) string {
			return fmt.Sprintf("[%d.%03d] \"POST /v1/x?key=secret HTTP/1.1\" %d %s 0.050 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", time.Now().Unix(), time.Now().UnixMilli()%1000, code, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			l := &Log{Kind: "nginx", Path: path, Format: format, Clock: clock}
			err := l.Run(ctx, func(r assay.Record) error {
				switch r := r.(type) {
				case *assay.Request:
					t.Errorf("a request: %+v", r)
				case *assay.Span:
					got = append(got, fmt.Sprintf("span %s %s %v..%v", r.Service, r.Name, time.Duration(r.Start), time.Duration(r.End)))
				case *assay.Sample:
					if r.Name == "nginx_log_requests_total" && r.Value > 0 {
						got = append(got, fmt.Sprintf("%s %v at %v", r.Labels[0].Value, r.Value, time.Duration(r.Time)))
					}
				case *assay.Event:
					got = append(got, r.Kind+" "+r.Source+": "+r.Text)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(1500 * time.Millisecond)
		add(line(200, "0.100"))
		time.Sleep(2 * time.Second)
		add(line(502, "0.070"))
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		add(line(200, "0.060") + "what is this\n")
		time.Sleep(2 * time.Second)
		add(line(200, "0.080"))
		cancel()
		wg.Wait()
	})
	want := []string{
		"span nginx POST 1.4s..1.5s", "span nginx upstream 1.45s..1.5s", "200 1 at 1.5s",
		"span nginx POST 3.43s..3.5s", "span nginx upstream 3.45s..3.5s", "span nginx POST 3.44s..3.5s", "span nginx upstream 3.45s..3.5s", "200 2 at 3.5s", "502 1 at 3.5s",
		"span nginx POST 5.42s..5.5s", "span nginx upstream 5.45s..5.5s", "200 3 at 5.5s", "502 1 at 5.5s",
		"run.warning nginx: access.log: 1 of 5 lines were not recorded: not of the format that was given",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l := &Log{Kind: "nginx", Path: path, Format: format}
	seen, err := l.Look()
	if diff := gocmp.Diff(Seen{Lines: 3, Known: 2, Took: true, Upstream: true, Hop: true, Retries: true, Trace: true, Fine: true}, seen); err != nil || diff != "" {
		t.Errorf("Look: %v (-want +got):\n%s", err, diff)
	}
	for _, l := range []*Log{{Kind: "nginx", Path: path, Format: "$status", Clock: epoch{}}, {Kind: "envoy", Path: path, Format: "@/none", Clock: epoch{}}} {
		if err := l.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), l.Kind+": format") {
			t.Errorf("%s: error %v, want one of its format", l.Format, err)
		}
	}
}

const statusPage = "Active connections: 291 \nserver accepts handled requests\n 16630948 16630946 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n"

func TestStatus(t *testing.T) {
	pages := []string{statusPage, "<html>", ""}
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Assay-Run") != "r" {
			t.Errorf("header %v", r.Header)
		}
		page := pages[min(n, len(pages)-1)]
		if n++; page == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, page)
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	src := &Status{URL: s.URL + "/st?key=x", Interval: 200 * time.Millisecond, Clock: epoch{time.Now()}, RunID: "r"}
	err := src.Run(ctx, func(r assay.Record) error {
		x := r.(*assay.Scrape)
		got = append(got, x.Target+" "+x.Error)
		for _, v := range x.Samples {
			got = append(got, fmt.Sprintf("%s %v %v", v.Name, v.Value, v.Labels))
		}
		if n == 3 {
			cancel()
		}
		return nil
	})
	label := " [{instance " + host + "}]"
	want := []string{host + "/st ", "nginx_up 1" + label, "nginx_connections_active 291" + label, "nginx_connections_accepted 1.6630948e+07" + label, "nginx_connections_handled 1.6630946e+07" + label,
		"nginx_http_requests_total 3.1070465e+07" + label, "nginx_connections_reading 6" + label, "nginx_connections_writing 179" + label, "nginx_connections_waiting 106" + label,
		host + "/st scrape " + host + "/st: no page of stub_status", host + "/st scrape " + host + "/st: status 403 Forbidden"}
	if diff := gocmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := (&Status{URL: "st", Clock: epoch{}}).Run(t.Context(), nil); err == nil {
		t.Error("no error for no URL")
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(statusPage))
	f.Add([]byte("Active connections: -1 \nserver accepts handled requests\n 99999999999999999999 1 1 \nReading: 6 Writing: 179 Waiting: 106 \n"))
	f.Fuzz(func(t *testing.T, page []byte) {
		v, err := parseStatus(page)
		for _, n := range v {
			if n < 0 || err == nil && len(page) < 40 {
				t.Fatalf("%v of %q", v, page)
			}
		}
	})
}

func TestBlame(t *testing.T) {
	const format = `[$msec] "$request" $status $request_time $upstream_addr $upstream_status $upstream_connect_time $upstream_header_time $upstream_response_time`
	l, err := compile("nginx", format)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		`502 0.001 - - - - -`: "Bad Gateway, no upstream was asked",
		`502 0.001 10.0.0.1:80, 10.0.0.2:80 502, 502 -, - -, - 0.000, 0.000`: "Bad Gateway, no connection to the upstream",
		`504 5.000 10.0.0.1:80 504 0.001 - 5.000`:                            "Gateway Timeout, the upstream did not answer",
		`500 0.100 10.0.0.1:80 503 0.001 0.100 0.100`:                        "Internal Server Error, upstream 503",
		`503 0.100 10.0.0.1:80 503 0.001 0.100 0.100`:                        "Service Unavailable",
		`404 0.100 10.0.0.1:80 404 0.001 0.100 0.100`:                        "Not Found",
		`444 0.100 - - - - -`:                                                "closed without an answer",
		`000 0.100 - - - - -`:                                                "no answer was begun",
	} {
		d := &decoder{kind: "nginx", given: l}
		if !d.fit([]byte(`[1795637597.296] "POST /x HTTP/1.1" ` + line)) {
			t.Fatalf("%s: not of the format", line)
		}
		if why := d.read(&d.values, &d.entry); why != "" || d.entry.why != want {
			t.Errorf("%s: got %q (%s), want %q", line, d.entry.why, why, want)
		}
	}
}

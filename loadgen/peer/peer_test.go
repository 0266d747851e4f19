//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary be its own children.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		main()
		return
	}
	os.Exit(m.Run())
}

// full skips a test of the bars, which need minutes and an otherwise idle machine.
func full(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1, on an otherwise idle machine")
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-rates 0":     "requests per second, 1 to 1000000",
		"-rates 1,x":   `"x"`,
		"-for 1ms":     "100ms to 1h",
		"-rounds 0":    "1 to 100",
		"-o yaml":      "text or json",
		"-rounds 1 up": `argument "up"`,
	} {
		if err := run(t.Context(), nil, &bytes.Buffer{}, strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", args, err, want)
		}
	}
}

// TestComparison runs all four clients for a moment.
func TestComparison(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out, strings.Fields("-for 200ms -rounds 1 -rates 200 -search=false -o json")); err != nil {
		t.Fatal(err)
	}
	var c comparison
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range c.Rows {
		names = append(names, r.Client)
		if r.Planned != 40 || r.OK != 40 || r.CPU <= 0 || r.Peak <= 0 || (r.Size > 0) != strings.Contains(r.Client, "recorded") {
			t.Errorf("%+v: want 40 good answers, their cost, and a size where they were recorded", r)
		}
		if r.Ratio > 0 != strings.HasPrefix(r.Client, "assay") {
			t.Errorf("%s: ratio %g", r.Client, r.Ratio)
		}
	}
	if d := cmp.Diff([]string{"assay", "vegeta", "assay, recorded", "vegeta, recorded"}, names); d != "" {
		t.Errorf("clients (-want +got):\n%s", d)
	}
	out.Reset()
	if err := c.print(&out); err != nil || strings.Count(out.String(), "\n") != 3+4 {
		t.Errorf("error %v, text:\n%s", err, out.String())
	}
}

func TestHighest(t *testing.T) {
	for limit, want := range map[float64]float64{3000: 2937.5, 9000: 9000, 25_000: 24_750} {
		got, err := highest(func(rate float64) (bool, error) { return rate <= limit, nil })
		if err != nil || got > limit || got < 0.95*limit {
			t.Errorf("highest below %g: got %g, %v, want about %g", limit, got, err, want)
		}
	}
}

func TestSustained(t *testing.T) {
	good := attack{Rate: 1000, Planned: 1000, OK: 1000, Delivered: 1000, Growth: time.Millisecond}
	if !good.sustained() {
		t.Errorf("%+v is not sustained", good)
	}
	slow, failing, growing := good, good, good
	slow.Delivered, failing.OK, growing.Growth = 980, 990, 6*time.Millisecond
	for _, a := range []attack{slow, failing, growing} {
		if a.sustained() {
			t.Errorf("%+v is sustained", a)
		}
	}
}

func TestJoin(t *testing.T) {
	r := &read{Streams: map[string][]int64{"a": {110, 230}, "b": {300}}, CPU: time.Second, Took: 2 * time.Second, Peak: 7}
	w := &written{Streams: map[string][]int64{"a": {100, 200}, "b": {290, 310}}, Late: []int64{5}}
	got, err := join(r, w, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := &streaming{Streams: 2, Events: 3, Lost: 1, For: time.Second, Cores: 0.5, PerEvent: time.Second / 3, P50: 10, P99: 30, Max: 30, Server: 5, Peak: 7}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r.Bad = map[string]int{"reset": 1}
	if _, err := join(r, w, time.Second); err == nil {
		t.Error("a stream that did not end well was taken")
	}
}

// TestBars holds assay's engine to what it promises beside vegeta's.
func TestBars(t *testing.T) {
	full(t)
	s, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := compare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	_ = c.print(&text)
	t.Log("\n" + text.String())
	for _, r := range c.Rows {
		if r.Client != "assay" {
			continue
		}
		if late := map[float64]time.Duration{1000: 150 * time.Microsecond, 5000: 300 * time.Microsecond}[r.Rate]; late > 0 && r.LateP99 > late {
			t.Errorf("at %g/s the lateness is %v at p99, want at most %v", r.Rate, r.LateP99, late)
		}
		if r.Rate == 10_000 && (r.CPU > 20*time.Microsecond || r.Ratio > 0.7 || r.Sustained < s.rounds) {
			t.Errorf("at 10,000/s, sustained in %d rounds, a request costs %v, %.2f of vegeta's: want 20µs and 0.7 at most", r.Sustained, r.CPU, r.Ratio)
		}
	}
	if a, v := c.Highest["assay"], c.Highest["vegeta"]; a < v {
		t.Errorf("highest sustained rate %g/s, want at least vegeta's %g/s", a, v)
	}
}

// TestStreamBars holds 1,000 streams.
func TestStreamBars(t *testing.T) {
	full(t)
	if runtime.NumCPU() < 2 {
		t.Skip("needs two cores")
	}
	s, err := compareStreams(t.Context(), settings{length: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	_ = s.print(&text)
	t.Log("\n" + text.String())
	if s.Streams != streamCount || s.Lost > 0 || s.Cores > 1 || s.P99 > 1500*time.Microsecond {
		t.Errorf("want %d streams without loss, at most one core and a stamp error of 1.5ms at p99", streamCount)
	}
}

// TestLongRun records 5,000 requests a second for a while and reckons with ten minutes.
func TestLongRun(t *testing.T) {
	full(t)
	length := 30 * time.Second
	if d, err := time.ParseDuration(os.Getenv("ASSAY_MEMORY_FOR")); err == nil {
		length = d
	}
	srv, err := start(t.Context(), "server", job{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop(nil)
	a := &attack{}
	if err := ask(t.Context(), "assay", job{URL: srv.url, Rate: 5000, For: length, Record: t.TempDir() + "/run"}, a); err != nil {
		t.Fatal(err)
	}
	size := a.Size * 5000 * 600
	t.Logf("%v: peak RSS %d MB, with sealing; %.1f B a request on disk, %.0f MB in ten minutes", length, a.Peak/1e6, a.Size, size/1e6)
	if a.Peak > 200e6 || size > 200e6 {
		t.Error("want at most 200 MB of each")
	}
}

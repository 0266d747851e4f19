package live

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

var update = flag.Bool("update", false, "write the golden files anew")

// act lets a small run happen: 100 s, a fault, a request each half second.
func act(w *Window, c *clock.Clock, p *Progress) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx, w) }()
	at := func(second float64, r assay.Record) {
		time.Sleep(time.Until(c.Time(int64(second * 1e9))))
		if e, ok := r.(*assay.Event); ok {
			e.Time = c.Now()
		}
		w.Observe(r)
	}
	at(0.5, event(assay.EventScale, 0, "desired", "1"))
	at(1, event(assay.EventInstanceCreated, 0, "instance", "w-1", "reason", "scale_from_zero"))
	at(2, event(assay.EventInstanceReady, 0, "instance", "w-1"))
	at(3, event(assay.EventPhaseBegin, 0, "phase", "steady", "role", "steady", "rate", "2"))
	for s := 3.5; s < 95; s += 0.5 {
		switch s {
		case 40:
			at(s, event(assay.EventFaultArmed, 0, "fault", "f1", "kind", "kill", "target", "w-1"))
			at(s, event(assay.EventFaultApplied, 0, "fault", "f1", "kind", "kill", "target", "w-1"))
			at(s, event(assay.EventInstanceExited, 0, "instance", "w-1", "reason", "crash"))
		case 45:
			at(s, event(assay.EventFaultReverted, 0, "fault", "f1", "text", "killed\x1b[31m process\nreplaced"))
			at(s, event(assay.EventInstanceReady, 0, "instance", "w-2"))
		case 47:
			at(s, event(assay.EventFaultClear, 0, "fault", "f1"))
		}
		time.Sleep(time.Until(c.Time(int64(s * 1e9))))
		r := &assay.Request{Phase: "steady", Due: c.Now() - 4e8, Sent: c.Now() - 4e8, FirstToken: c.Now() - 1e8, End: c.Now(), Outcome: assay.OK}
		if s >= 40 && s < 45 {
			r.Outcome = assay.Refused
		}
		w.Observe(r)
	}
	at(95, event(assay.EventLoadEnd, 0))
	time.Sleep(100 * time.Millisecond) // less than a redraw: the last event is written by Stop
	at(95.1, event(assay.EventStop, 0, "reason", "complete"))
	cancel()
	<-done
}

func TestProgressGolden(t *testing.T) {
	for _, tt := range []struct {
		name  string
		total time.Duration
		p     Progress
	}{
		{"plain", 100 * time.Second, Progress{Mode: Plain}},
		{"plain-long", time.Hour, Progress{Mode: Plain}},
		{"json", 100 * time.Second, Progress{Mode: JSON}},
		{"terminal", 100 * time.Second, Progress{Mode: Terminal, Width: func() int { return 120 }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				c := clock.New()
				p := tt.p
				p.W = &out
				w := New(Options{Clock: c, Run: "demo", Total: tt.total, InFlight: func() int { return 2 }})
				act(w, c, &p)
			})
			got := out.Bytes()
			if tt.p.Mode == Terminal {
				got = thin(got)
			}
			if tt.p.Mode == JSON {
				for line := range bytes.Lines(got) {
					if !json.Valid(line) {
						t.Errorf("no JSON: %s", line)
					}
				}
			}
			golden := "testdata/" + tt.name + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// thin keeps every hundredth redraw, and all that holds an event, with the control codes made visible.
func thin(b []byte) []byte {
	var out []string
	for i, f := range strings.Split(string(b), "\r\x1b[K") {
		if i%100 == 0 || strings.Contains(f, "\n") {
			out = append(out, f)
		}
	}
	return []byte(strings.ReplaceAll(strings.Join(out, "<redraw>\n"), "\x1b", "<esc>") + "<end>\n")
}

func TestStatusFitsItsWidth(t *testing.T) {
	s := State{Now: 47e9, Total: 2 * time.Minute, Phase: "steady", Rate: 8.04, InFlight: 3, ErrorRatio: 0.021, Judged: 80, TTFT: 0.412, Ready: 2, Desired: 3,
		Faults: []Fault{{ID: "f1", Kind: "hang", Target: "w-2", State: FaultRecovering}}}
	for _, tt := range []struct {
		width  int
		colour bool
		want   string
	}{
		{0, false, "steady │ 0:47/2:00 │ fault hang w-2 (recovering) │ 8.0/s │ in flight 3 │ errors 2.1 % │ TTFT p95 412 ms │ instances 2/3"},
		{0, true, "\x1b[1msteady\x1b[0m │ 0:47/2:00 │ \x1b[33mfault hang w-2 (recovering)\x1b[0m │ 8.0/s │ in flight 3 │ \x1b[31merrors 2.1 %\x1b[0m │ TTFT p95 412 ms │ instances 2/3"},
		{80, false, "steady │ 0:47/2:00 │ fault hang w-2 (recovering) │ 8.0/s │ in flight 3"},
		{20, false, "steady │ 0:47/2:00"},
		{5, false, "stea"},
		{1, false, ""},
	} {
		if got := status(&s, tt.width, tt.colour); got != tt.want {
			t.Errorf("width %d: got\n%q, want\n%q", tt.width, got, tt.want)
		}
	}
	empty := State{InFlight: -1, Desired: -1, ErrorRatio: math.NaN(), TTFT: math.NaN()}
	if got, want := status(&empty, 0, true), "\x1b[1msettle\x1b[0m │ 0:00 │ 0.0/s │ in flight - │ errors - │ TTFT p95 - │ instances -"; got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

func TestHeartbeatsBecomeRare(t *testing.T) {
	beats := func(total, length time.Duration) (out []time.Duration) {
		last := int64(0)
		for now := int64(0); now <= int64(length); now += int64(redraw) {
			if due(last, now, total) {
				out = append(out, time.Duration(now))
				last = now
			}
		}
		return out
	}
	s, m := time.Second, time.Minute
	if d := cmp.Diff([]time.Duration{5 * s, 10 * s, 30 * s, m, 5 * m, 10 * m, 15 * m}, beats(8*time.Hour, 16*m)); d != "" {
		t.Errorf("long (-want +got):\n%s", d)
	}
	if d := cmp.Diff(beats(0, 16*m), beats(8*time.Hour, 16*m)); d != "" {
		t.Errorf("unknown length is long:\n%s", d)
	}
	if d := cmp.Diff([]time.Duration{10 * s, 20 * s, 30 * s, 40 * s}, beats(2*m, 45*s)); d != "" {
		t.Errorf("short (-want +got):\n%s", d)
	}
	if n := len(beats(8*time.Hour, 8*time.Hour)); n*300 > 100<<10 {
		t.Errorf("%d lines in 8 h", n)
	}
}

func TestChoose(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(k string) string {
			for i := 0; i+1 < len(pairs); i += 2 {
				if pairs[i] == k {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for _, tt := range []struct {
		mode     string
		terminal bool
		env      func(string) string
		want     Mode
		colour   bool
	}{
		{"auto", true, env(), Terminal, true},
		{"", true, env("NO_COLOR", "1"), Terminal, false},
		{"auto", true, env("TERM", "dumb"), Plain, false},
		{"auto", false, env(), Plain, false},
		{"tui", false, env(), Terminal, false},
		{"json", true, env(), JSON, false},
		{"none", true, env(), None, false},
	} {
		if m, c := Choose(tt.mode, tt.terminal, tt.env); m != tt.want || c != tt.colour {
			t.Errorf("%+v: got %s, %v", tt, m, c)
		}
	}
}

package main

import (
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/live"
)

// A start from zero shows in requests alone: silence, and then a request that waits.
func TestColdWatch(t *testing.T) {
	type look struct {
		at             float64 // s
		inFlight, done int64
		want           bool
	}
	for name, looks := range map[string][]look{
		"the first request of all":    {{0, 0, 0, false}, {1, 1, 0, false}, {1.9, 2, 0, false}, {2, 2, 0, true}},
		"answered soon":               {{0, 0, 0, false}, {1, 1, 0, false}, {1.5, 0, 1, false}, {2, 1, 1, false}, {3.5, 1, 1, false}},
		"answered between two looks":  {{0, 0, 0, false}, {1, 0, 1, false}, {2, 1, 1, false}, {3.5, 1, 1, false}},
		"after ten seconds of quiet":  {{0, 2, 5, false}, {1, 0, 7, false}, {11, 0, 7, false}, {12, 1, 7, false}, {13, 1, 7, true}},
		"after nine seconds of quiet": {{0, 2, 5, false}, {1, 0, 7, false}, {10, 0, 7, false}, {10.1, 1, 7, false}, {12, 1, 7, false}},
		"busy and stuck":              {{0, 1, 0, false}, {0.5, 1, 3, false}, {5, 9, 3, false}},
	} {
		c := coldWatch{quiet: true}
		for _, l := range looks {
			if got := c.look(int64(l.at*1e9)+1, l.inFlight, l.done); got != l.want {
				t.Errorf("%s: at %gs %v, want %v", name, l.at, got, l.want)
			}
		}
	}
}

// What a start from zero held and is then served is no saturation.
func TestFullWatchAndAStart(t *testing.T) {
	const rate = 30
	var f fullWatch
	held := 0.0
	for n := 1; n <= 80; n++ {
		at := float64(n) * fullPeriod.Seconds()
		switch {
		case at > 8 && at < 10: // nothing is ready
			held += fullPeriod.Seconds() * rate
		case at >= 10:
			held = max(0, held-2*rate*fullPeriod.Seconds())
		}
		if f.look(int64(at*1e9), int64(at*rate), int64(held), live.Tally{Ended: 90, Served: 90}) {
			t.Fatalf("seen at %gs with %g in flight", at, held)
		}
	}
}

// Saturation is that more comes than is served, and nothing else.
func TestFullWatch(t *testing.T) {
	const rate = 100
	for _, tc := range []struct {
		name   string
		served float64 // share of what comes
		shed   float64
		at     float64 // s at which it is seen; 0: never
	}{
		{"all served", 1, 0, 0},
		{"nine of ten served", 0.9, 0, 0},
		{"half served", 0.5, 0, 4.75}, // after nine tenths of 5 s since the first look
		{"nothing served: a start from zero, or broken", 0, 0, 0},
		{"a tenth shed", 0.9, 0.1, 0.25},
		{"few shed", 0.99, 0.01, 0},
	} {
		var f fullWatch
		seen := 0.0
		for n := 1; n <= 80 && seen == 0; n++ {
			at := float64(n) * fullPeriod.Seconds()
			sent := at * rate
			over := min(at, fullOver.Seconds()) * rate
			tally := live.Tally{Ended: int(over * (tc.served + tc.shed)), Served: int(over * tc.served), Shed: int(over * tc.shed)}
			if f.look(int64(at*float64(time.Second)), int64(sent), int64(sent*(1-tc.served-tc.shed)), tally) {
				seen = at
			}
		}
		if seen != tc.at {
			t.Errorf("%s: seen at %gs, want %gs", tc.name, seen, tc.at)
		}
	}
}

package facts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

func TestDetector(t *testing.T) {
	rules := facts.RulesOf(&assay.Manifest{Probe: second / 4}, nil)
	type ep struct {
		Begin, End string // of each: last good or bad, first bad or good, as numbers of the request, from 0
		Lost       int
		Left       bool
		Right      bool
	}
	for _, c := range []struct {
		name, seq, gaps string
		want            []ep
	}{
		{"all good", "GGGGGGGGGG", "", nil},
		{"single failures are no episode", "GGBGGGGGGGGBGGG", "", nil},
		{"two in a row are none", "GGGGGGBBGGGGGGG", "", nil},
		{"three in a row", "GGGBBBGGGGG", "", []ep{{"2-3", "5-6", 3, false, false}}},
		{"a lone success does not split it", "GGBBBGBBBGGGGG", "", []ep{{"1-2", "8-9", 6, false, false}}},
		{"half of eight", "GGGGGGGGGGBGBGBGBGBGGGGGGG", "", []ep{{"9-10", "18-19", 5, false, false}}},
		{"begins down", "BBBBGGGGGG", "", []ep{{"0-0", "3-4", 4, true, false}}},
		{"ends down", "GGGGBBBB", "", []ep{{"3-4", "7-end", 4, false, true}}},
		{"good at the end, not long", "GGGGBBBBGG", "", []ep{{"3-4", "7-8", 4, false, false}}},
		{"throttling judges nothing", "GGGGTTTTTTTTGGGG", "", nil},
		{"silence ends it as censored", "GGGBBB_GGGGGG", "", []ep{{"2-3", "5-36", 3, false, true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := facts.NewDetector(rules, nil)
			// One request every half second; an underscore is a silence of 15 s.
			at := second
			for i, o := range c.seq {
				r := assay.Request{ID: uint64(i + 1), Due: at, End: at + 10*ms}
				switch o {
				case 'G':
					r.Outcome = assay.OK
				case 'B':
					r.Outcome = assay.ServerError
				case 'T':
					r.Outcome = assay.Throttled
				case '_':
					at += 15 * second
					continue
				}
				d.Add(&r)
				at += second / 2
			}
			number := func(v int64) string {
				if v == at {
					return "end"
				}
				return fmt.Sprint((v - second) / (second / 2))
			}
			var got []ep
			for _, e := range d.Finish(at) {
				got = append(got, ep{number(e.BeginLo) + "-" + number(e.Begin), number(e.End) + "-" + number(e.EndHi), e.Lost, e.LeftCensored, e.RightCensored})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("episodes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectorMergesNear(t *testing.T) {
	// At 20 requests a second, five good ones take a quarter of a second: less than the merge gap.
	d := facts.NewDetector(facts.RulesOf(&assay.Manifest{}, nil), nil)
	at := second
	for i, o := range strings.Repeat("G", 20) + "BBBB" + "GGGGGGG" + "BBBB" + strings.Repeat("G", 60) + "BBB" + strings.Repeat("G", 9) {
		r := assay.Request{ID: uint64(i + 1), Due: at, End: at + ms, Outcome: assay.OK}
		if o == 'B' {
			r.Outcome = assay.Reset
		}
		d.Add(&r)
		at += 50 * ms
	}
	es := d.Finish(at)
	if len(es) != 2 || es[0].Lost != 8 || es[1].Lost != 3 {
		t.Fatalf("got %+v, want two episodes of 8 and 3", es)
	}
}

func TestStand(t *testing.T) {
	w := []assay.FaultWindow{{ID: "f1", Applied: 5 * second}}
	for _, c := range []struct {
		name string
		r    assay.Request
		want int64
	}{
		{"served", assay.Request{Outcome: assay.OK, Due: 4 * second, End: 6 * second}, 4 * second},
		{"nothing came", assay.Request{Outcome: assay.Timeout, Due: 6 * second, End: 36 * second}, 6 * second},
		{"late refusal", assay.Request{Outcome: assay.Unavailable, Due: 6 * second, End: 11 * second}, 6 * second},
		{"cut", assay.Request{Outcome: assay.CutRST, Due: 6 * second, FirstByte: 7 * second, Arrivals: []int64{7 * second, 8 * second}, End: 9 * second}, 8 * second},
		{"stalled", assay.Request{Outcome: assay.CutStall, Due: 6 * second, FirstByte: 7 * second, End: 36 * second}, 7 * second},
		{"in flight at a fault", assay.Request{Outcome: assay.Reset, Due: 4 * second, End: 5*second + ms}, 5 * second},
	} {
		if got := facts.Stand(w, &c.r); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestWatch(t *testing.T) {
	run := hand()
	f := compute(t, run)
	w := facts.Watch{Silence: 10 * second}
	for i := range run.R {
		if i < 100 || i >= 400 { // half a minute of silence
			w.Add(&run.R[i])
		}
	}
	// 10 s of requests and 10 s of trust after them, then 20 s to the end.
	if got := w.In(f, assay.Natural); got != (9900*ms+10*second)+20*second {
		t.Errorf("known time %d", got)
	}
}

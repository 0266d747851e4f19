package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/compare"
	"github.com/assay-dev/assay/internal/plan"
)

// A race whose generator is late says so after three pairs, once, and ends where no answer can count any more.
func TestRaceTellsThatItIsLate(t *testing.T) {
	block := func(late int) []assay.Request {
		out := make([]assay.Request, 20)
		for i := range out {
			out[i] = assay.Request{Due: int64(i+1) * 1e9, Sent: int64(i+1)*1e9 + 2e5}
			if i < late {
				out[i].Sent += 3e6
			}
		}
		return append(out, assay.Request{Due: 1e9}) // never sent
	}
	for _, test := range []struct {
		name           string
		late           int // of 20 requests in each block of the candidate
		told, stopped  int // pair; 0 never
		atMost, inPair int
	}{
		{name: "on time", atMost: 30},
		{name: "all of it", late: 20, told: 3, stopped: 3, atMost: 30},
		{name: "one in twenty", late: 1, told: 3, stopped: 12, atMost: 30},
		{name: "a long race goes on longer", late: 1, told: 3, stopped: 32, atMost: 99},
		{name: "once", late: 1, inPair: 2, atMost: 30},
	} {
		var err bytes.Buffer
		p := &plan.Plan{}
		p.Target.URL = "http://x/"
		r := &race{io: stdio{err: &err}, judge: compare.NewRace(compare.RaceSettings{Most: test.atMost}), sides: [2]*raceSide{{plan: p}, {plan: p}}}
		told, stopped := 0, 0
		for pair := 1; pair <= test.atMost && stopped == 0; pair++ {
			n := test.late
			if test.inPair != 0 && pair != test.inPair {
				n = 0
			}
			r.sides[0].late.add(block(0))
			r.sides[1].late.add(block(n))
			if r.late(pair) {
				stopped = pair
			}
			if told == 0 && err.Len() > 0 {
				told = pair
			}
		}
		if told != test.told || stopped != test.stopped || strings.Count(err.String(), "late: ") > 1 {
			t.Errorf("%s: told at pair %d, want %d, and stopped at %d, want %d\n%s", test.name, told, test.told, stopped, test.stopped, &err)
		}
		if told > 0 && !strings.Contains(err.String(), "requests to http://x/ were sent more than 1ms after they were due, at worst 3.2ms") {
			t.Errorf("%s: %s", test.name, &err)
		}
	}
	var l lateSends
	l.add(block(2))
	if want := (lateSends{sent: 20, above: 2, worst: 3200 * time.Microsecond}); l != want {
		t.Errorf("got %+v, want %+v", l, want)
	}
}

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// looks returns the looks of a run as "second stage fault ok".
func (tr *trial) looks() (out []string) {
	for _, e := range tr.log {
		if e.Kind == assay.EventHypothesis {
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%g %s %s %s", math.Round(float64(e.Time)/1e8)/10, e.Attrs["stage"], e.Fault, e.Attrs["ok"])), " "))
		}
	}
	slices.Sort(out) // those of one instant come in any order
	return out
}

// shape is what a hypothesis is at each second; outside it holds.
type shape []struct {
	from, to float64
	truth    Truth
}

func (tr *trial) hypothesis(s shape) Hypothesis {
	return Hypothesis{Name: "h", After: 5 * time.Second, Look: func(context.Context) Look {
		now := float64(tr.Clock.Now()) / 1e9
		for _, x := range s {
			if now >= x.from && now < x.to {
				return Look{Holds: x.truth, Text: "so it is"}
			}
		}
		return Look{Holds: Holds, Text: "all well"}
	}}
}

func TestHypothesesAroundFaults(t *testing.T) {
	s := time.Second
	hang := Step{Fault: "hang", Instances: 1, For: 4 * s, At: 10 * s}
	kill := Step{Fault: "kill", Instances: 1, At: 10 * s}
	late := kill
	late.At = 30 * s
	soon := kill
	soon.At = 16 * s
	for _, tc := range []struct {
		name  string
		steps []Step
		shape shape
		ends  time.Duration // of the load
		want  []string
		void  string // of the last step
		text  string // in the last look
	}{
		{"holds", []Step{hang}, nil, time.Minute, []string{"10 before true", "19 during hang-1 true", "19 after hang-1 true"}, "", "all well"},
		{"breaks and comes back", []Step{hang}, shape{{11.2, 16.2, Broken}}, time.Minute, []string{"10 before true", "11.5 during hang-1 false", "19 after hang-1 true"}, "",
			"all well; last seen broken 2s after it was clear"},
		{"breaks and stays", []Step{hang, late}, shape{{12, 99, Broken}}, time.Minute, []string{"10 before true", "12 during hang-1 false", "19 after hang-1 false"},
			"not injected: the steady state did not hold again after hang-1: h: so it is", "so it is"},
		{"breaks after a fault that strikes once", []Step{kill}, shape{{11, 13, Broken}}, time.Minute, []string{"10 before true", "11 during kill-1 false", "15 after kill-1 true"}, "", "broken"},
		{"did not hold before", []Step{kill, late}, shape{{0, 99, Broken}}, time.Minute, []string{"20 before false"}, "not injected: the steady state did not hold before: h: so it is", "so it is"},
		{"comes to hold", []Step{kill}, shape{{0, 14.2, Broken}}, time.Minute, []string{"14.5 before true", "19.5 during kill-1 true", "19.5 after kill-1 true"}, "", "all well"},
		{"never known", []Step{kill}, shape{{0, 99, Unknown}}, time.Minute, []string{"20 before unknown"}, "not injected: whether the steady state held before is not known: h: so it is", "so it is"},
		{"known some time before", []Step{kill}, shape{{7.5, 12, Unknown}}, time.Minute, []string{"10 before true", "15 during kill-1 true", "15 after kill-1 true"}, "", "all well"},
		{"not known afterwards", []Step{hang}, shape{{10.1, 99, Unknown}}, time.Minute, []string{"10 before true", "19 during hang-1 unknown", "19 after hang-1 unknown"}, "", "so it is"},
		{"comes back after the next", []Step{hang, soon}, shape{{11, 20, Broken}}, time.Minute,
			[]string{"10 before true", "11 during hang-1 false", "16.5 during kill-2 false", "20 after hang-1 true", "21 after kill-2 true"}, "", "broken"},
		{"not told apart from the next", []Step{hang, soon}, shape{{11, 99, Broken}}, time.Minute,
			[]string{"10 before true", "11 during hang-1 false", "16.5 during kill-2 false", "21 after hang-1 unknown", "21 after kill-2 false"}, "", "so it is"},
		{"the load ends before", []Step{hang}, nil, 17 * s, []string{"10 before true", "17 during hang-1 true", "17 after hang-1 unknown"}, "", "the load ended 3s after it was clear; it is to hold again 5s after"},
		{"the load ends under it", []Step{hang}, shape{{11, 99, Broken}}, 12 * s, []string{"10 before true", "11 during hang-1 false", "12 after hang-1 unknown"}, "", "the load ended"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := still(3, tc.steps...)
				tr.Hypotheses = []Hypothesis{tr.hypothesis(tc.shape)}
				ctx, end := context.WithCancelCause(context.Background())
				defer time.AfterFunc(tc.ends, func() { end(errors.New("the load ended")) }).Stop()
				tr.run(t, ctx)
				slices.Sort(tc.want)
				if diff := cmp.Diff(tc.want, tr.looks()); diff != "" {
					t.Errorf("looks (-want +got):\n%s", diff)
				}
				last, void := assay.Event{}, ""
				for _, e := range tr.log {
					switch e.Kind {
					case assay.EventHypothesis:
						if e.Fault >= last.Fault {
							last = e
						}
					case assay.EventFaultVoid:
						void = e.Text
					}
				}
				if void != tc.void {
					t.Errorf("void because %q, want %q", void, tc.void)
				}
				if !strings.Contains(last.Text, tc.text) || last.Attrs["name"] != "h" {
					t.Errorf("the last look: %v, want %q", last, tc.text)
				}
			})
		})
	}
}

// A fault that was not in effect says nothing of what users went through: nothing is looked at after it.
func TestHypothesesSayNothingOfAVoidFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := scripted{ids: []string{"w-1"}, act: func(v Victim) (*Action, error) {
			a := nothing(v)
			a.Effect = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", errors.New("all well") }
			return a, nil
		}}
		tr := newTrial(d, Step{Fault: "hang", Instances: 1, For: time.Minute})
		tr.Hypotheses = []Hypothesis{tr.hypothesis(nil)}
		tr.run(t, context.Background())
		if diff := cmp.Diff([]string{"0 before true"}, tr.looks()); diff != "" {
			t.Errorf("looks (-want +got):\n%s", diff)
		}
	})
}

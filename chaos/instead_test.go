package chaos

import (
	"context"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// A fault whose victim has gone takes one that no other fault lies on, within the limits.
func TestInstead(t *testing.T) {
	step := &Step{Fault: "hang", Instances: 1}
	runner := func(l Limits, ids ...string) (*Runner, *injection) {
		own := &injection{step: step, Active: Active{ID: "hang-1", Target: "gone"}}
		return &Runner{Driver: scripted{ids: ids}, Limits: l, chosen: []*injection{{step: step, Active: Active{ID: "kill-2", Target: "a"}}, own}}, own
	}
	gone := Victim{ID: "gone", Fault: "hang-1"}
	r, f := runner(Limits{Instances: 2, Faults: 2}, "a", "gone", "b")
	if v, err := r.Instead(context.Background(), step, gone); err != nil || v.ID != "b" || v.Fault != "hang-1" || f.Target != "b" || len(r.chosen) != 2 {
		t.Errorf("got %+v, %v, the fault has %s; want b, that is not hurt yet", v, err, f.Target)
	}
	for want, c := range map[string]struct {
		limits Limits
		ids    []string
	}{
		"no other that may be hurt is ready":        {ids: []string{"a", "gone"}},
		"limits.instances allows 1":                 {Limits{Instances: 1}, []string{"a", "b"}},
		"limits.share allows 50%":                   {Limits{Share: 0.5}, []string{"a", "b", "c"}},
		`fault "other" is not about to be injected`: {ids: []string{"b"}},
	} {
		r, f := runner(c.limits, c.ids...)
		v := gone
		if strings.Contains(want, "other\"") {
			v.Fault = "other"
		}
		if _, err := r.Instead(context.Background(), step, v); err == nil || !strings.Contains(err.Error(), want) || f.Target != "gone" || len(r.chosen) != 2 {
			t.Errorf("error %v, want %s; the fault has %s", err, want, f.Target)
		}
	}
}

// A plan that has waited while the steady state broke injects nothing.
func TestNothingIsInjectedOnceTheStateBrokeMeanwhile(t *testing.T) {
	var tr *trial
	tr = newTrial(scripted{ids: []string{"a"}, act: func(v Victim) (*Action, error) {
		tr.steady.mu.Lock()
		tr.steady.broken = "the steady state did not hold again after kill-0" // as a look at it says while the plan is made
		tr.steady.mu.Unlock()
		return nothing(v), nil
	}}, Step{Fault: "hang", Instances: 1, For: 1})
	tr.Hypotheses = []Hypothesis{{Name: "h", Look: func(context.Context) Look { return Look{Holds: Holds} }}}
	tr.run(t, context.Background())
	if e := tr.event(t, "hang-1", assay.EventFaultVoid); !strings.Contains(e.Text, "not injected: the steady state did not hold again after kill-0") {
		t.Errorf("void: %q", e.Text)
	}
	for _, k := range tr.kinds("hang-1") {
		if k == assay.EventFaultArmed {
			t.Error("it was armed")
		}
	}
}

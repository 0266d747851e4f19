package chaos

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// shrinking is a platform that replaces an instance that was killed some time later, or never.
type shrinking struct {
	mu     sync.Mutex
	ids    []string
	after  time.Duration // 0: never
	wanted int           // 0: not known
}

func (d *shrinking) Victims(ctx context.Context, s *Step) ([]Victim, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return scripted{ids: d.ids}.Victims(ctx, s)
}

func (d *shrinking) Wanted(context.Context, *Step) (int, bool) { return d.wanted, d.wanted > 0 }

func (d *shrinking) Plan(_ context.Context, _ *Step, v Victim) (*Action, error) {
	a := nothing(v)
	a.Takes = true
	a.Apply = func(_ context.Context, stamp func()) error {
		stamp()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ids = slices.DeleteFunc(slices.Clone(d.ids), func(id string) bool { return id == v.ID })
		if d.after > 0 {
			time.AfterFunc(d.after, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.ids = append(slices.Clone(d.ids), v.ID+"'")
			})
		}
		return nil
	}
	return a, nil
}

// A kill is clear at once, but what it took away counts under the limits until it is replaced, or nobody waits for it.
func TestLimitsCountWhatIsNotBack(t *testing.T) {
	const back = "; what kill-1.1 took away is not back"
	for _, tc := range []struct {
		name   string
		n      int
		after  time.Duration
		wanted int
		limits Limits
		voids  []string // of the three strikes, a second apart
	}{
		{"no limit", 4, 0, 0, Limits{}, nil},
		{"replaced", 3, 900 * time.Millisecond, 0, Limits{Share: 0.34}, nil},
		{"never", 3, 0, 0, Limits{Share: 0.5}, []string{"kill-1.2 2 of 3 ready instances would be hurt at once; limits.share allows 50%" + back, "kill-1.3 2 of 3 ready instances would be hurt at once; limits.share allows 50%" + back}},
		{"late", 3, 1500 * time.Millisecond, 0, Limits{Instances: 1}, []string{"kill-1.2 2 instances would be hurt at once; limits.instances allows 1" + back}},
		{"two of them", 4, 0, 0, Limits{Instances: 2}, []string{"kill-1.3 3 instances would be hurt at once; limits.instances allows 2; what kill-1.1, kill-1.2 took away is not back"}},
		{"wanted", 3, 0, 3, Limits{Instances: 1}, []string{"kill-1.2 2 instances would be hurt at once; limits.instances allows 1" + back, "kill-1.3 2 instances would be hurt at once; limits.instances allows 1" + back}},
		{"no longer wanted", 4, 0, 1, Limits{Instances: 1}, nil},
		{"of fewer", 3, 0, 2, Limits{Share: 0.5}, []string{"kill-1.3 2 of 2 ready instances would be hurt at once; limits.share allows 50%; what kill-1.2 took away is not back"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &shrinking{ids: []string{"a", "b", "c", "d"}[:tc.n], after: tc.after, wanted: tc.wanted}
				tr := newTrial(d, Step{Fault: "kill", Instances: 1, Repeat: &Repeat{Every: time.Second, Times: 3}})
				tr.Limits = tc.limits
				tr.run(t, context.Background())
				var voids []string
				for _, e := range tr.log {
					if e.Kind == assay.EventFaultVoid {
						voids = append(voids, e.Fault+" "+strings.TrimPrefix(e.Text, "not injected: "))
					}
				}
				if diff := cmp.Diff(tc.voids, voids); diff != "" {
					t.Errorf("void (-want +got):\n%s", diff)
				}
			})
		})
	}
}

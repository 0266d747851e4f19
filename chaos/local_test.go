package chaos

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/faultproxy"
	"github.com/assay-dev/assay/internal/link"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestVictimsAreSeeded(t *testing.T) {
	d := scripted{act: func(v Victim) (*Action, error) { return nothing(v), nil }}
	for i := range 20 {
		d.ids = append(d.ids, "w-"+strconv.Itoa(i))
	}
	targets := func(seed uint64, s Step) (list []string) {
		tr := newTrial(d, s)
		tr.Seed = seed
		tr.run(t, context.Background())
		for _, e := range tr.log {
			if e.Kind == assay.EventFaultApplied {
				list = append(list, e.Fault+" "+e.Instance)
			}
		}
		return list
	}
	three := Step{Fault: "kill", Instances: 3}
	a, b, c := targets(1, three), targets(1, three), targets(2, three)
	if !cmp.Equal(a, b) {
		t.Errorf("same seed chose %v and %v", a, b)
	}
	if cmp.Equal(a, c) {
		t.Errorf("seeds 1 and 2 both chose %v", a)
	}
	if len(a) != 3 || !strings.HasPrefix(a[1], "kill-1.2 ") {
		t.Errorf("chose %v", a)
	}
	for share, want := range map[float64]int{0.01: 1, 0.3: 6, 0.31: 7, 1: 20} {
		if got := targets(1, Step{Fault: "kill", Share: share}); len(got) != want {
			t.Errorf("share %v of 20 hurts %d, want %d", share, len(got), want)
		}
	}
	if got := targets(1, Step{Fault: "kill", Instances: 30}); len(got) != 20 {
		t.Errorf("30 of 20 hurts %d", len(got))
	}
}

func TestRefusal(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	d := &Local{Platform: p}
	victims, ready, err := d.Victims(context.Background(), &Step{})
	if err != nil || len(victims) != 1 || ready != 1 {
		t.Fatalf("victims %v of %d, %v", victims, ready, err)
	}
	self, _ := ProcessOf(os.Getpid())
	parent, _ := ProcessOf(os.Getppid())
	leader := role("victim")
	leader.SysProcAttr = ownSession()
	if _, err := leader.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	defer leader.Wait()
	defer leader.Process.Kill()
	session, _ := ProcessOf(leader.Process.Pid)
	victim := victims[0].Process
	for want, proc := range map[string]Process{
		"platform itself": self, "ancestor": parent, "first process": {1, 1}, "leads a session": session,
		"process is gone": {victim.PID, victim.Start + 1}, // the pid is another's by now
	} {
		v := victims[0]
		v.Process = proc
		_, err := d.Plan(context.Background(), &Step{Fault: "kill"}, v)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", proc, err, want)
		}
	}
	if err := p.SetLink(context.Background(), victims[0].ID, link.Conditions{Delay: 1}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Plan(context.Background(), &Step{Fault: "cut"}, victims[0]); err == nil || !strings.Contains(err.Error(), "by someone else") {
		t.Errorf("a link that is under a delay already: %v", err)
	}
	if err := p.SetFault(context.Background(), victims[0].ID, faultproxy.Conditions{Mode: faultproxy.Hang}, func() {}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Plan(context.Background(), &Step{Fault: "http", Status: 500}, victims[0]); err == nil || !strings.Contains(err.Error(), "by someone else") {
		t.Errorf("requests that hang already: %v", err)
	}
	p.mu.Lock()
	for _, i := range p.list {
		i.State = "starting"
	}
	p.mu.Unlock()
	if victims, ready, _ := d.Victims(context.Background(), &Step{}); len(victims) != 0 || ready != 0 {
		t.Errorf("an instance that is not ready may be hurt: %v", victims)
	}
}

// The stall of a busy instance must not be taken for a delay of its link.
func TestEffectNeedsTheLink(t *testing.T) {
	t.Parallel()
	lookOnly(t)
	p := newPlatform(t, 1)
	victims, _, err := (&Local{Platform: p}).Victims(context.Background(), &Step{})
	if err != nil {
		t.Fatal(err)
	}
	var looks errgroup.Group // they mostly wait, and do not feel one another
	looks.SetLimit(6)
	for _, s := range []Step{{Fault: "delay", Delay: 150 * time.Millisecond}, {Fault: "cut", Mode: link.CutBlackhole}, {Fault: "cut"}, {Fault: "hang"}, {Fault: "kill"}, {Fault: "http", Status: 429}, {Fault: "stream", Tokens: 2},
		{Fault: "terminate"}, {Fault: "crashloop"}, {Fault: "bandwidth", Rate: 64 << 10}, {Fault: "files"}, {Fault: "slow-close", Delay: 400 * time.Millisecond}, {Fault: "memory-limit", Bytes: 64 << 20},
		{Fault: "cpu", CPUs: 1, For: time.Second}, {Fault: "memory", Bytes: 1 << 20, For: time.Second}, {Fault: "disk", Dir: p.disk, Bytes: 1 << 20}, {Fault: "dns", Mode: "drop"},
		{Fault: "slow-reads", Dir: p.models, Mode: "fail"}, {Fault: "slow-start", Delay: time.Second}, {Fault: "loss", Probability: 1},
		{Fault: "gpu-memory", Bytes: 1 << 20, For: time.Second}, {Fault: "gpu-clocks", Watts: 150}, {Fault: "gpu-lost"}, {Fault: "xid"}, {Fault: "clock", MeshSettings: MeshSettings{Offset: time.Hour}}} {
		a, err := (&Local{Platform: p}).Plan(context.Background(), &s, victims[0])
		if err != nil {
			t.Fatal(err)
		}
		looks.Go(func() error {
			// Ever so short a look, ended in the middle of a probe, must not see an effect either. The delays are larger than those of a busy machine.
			for limit := 500 * time.Millisecond; limit > 100*time.Microsecond; limit = limit * 2 / 3 {
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				if effect, err := a.Effect(ctx); err == nil {
					t.Errorf("%s was not applied, but its effect was seen: %s", s.Fault, effect)
				}
				cancel()
			}
			return nil
		})
		if !slices.ContainsFunc(a.Touches, func(s string) bool { return strings.Contains(s, a.Target) }) {
			t.Errorf("%s touches %v", s.Fault, a.Touches)
		}
	}
	looks.Wait()
}

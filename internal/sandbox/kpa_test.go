package sandbox

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The cases below are those of knative/serving pkg/autoscaler/scaling/autoscaler_test.go
// (Apache-2.0), restated as vectors: settings, then one observation and what is wanted a step.

func testSpec(target, burst float64) KPASpec {
	return KPASpec{Target: target, Total: target / 0.75, Burst: burst, StableWindow: time.Minute,
		PanicThreshold: 2, MaxScaleUpRate: 10, MaxScaleDownRate: 10}
}

func with(s KPASpec, f func(*KPASpec)) KPASpec { f(&s); return s }

type kpaStep struct {
	at            time.Duration
	ready         int
	stable, panic float64
	want          int
	panicking     bool
}

func TestDecide(t *testing.T) {
	inPanic := KPAState{Panicking: true, PanicSince: int64(-5 * time.Second), MaxPanic: 5}
	delay := KPASpec{Target: 10, MaxScaleDownRate: 10, MaxScaleUpRate: 10, PanicThreshold: 100, ScaleDownDelay: 5 * time.Minute}
	tests := []struct {
		name  string
		spec  KPASpec
		begin KPAState
		steps []kpaStep
	}{
		{"no load", testSpec(10, 100), KPAState{}, []kpaStep{{0, 1, 0, 0, 0, false}}},
		{"high target", testSpec(181, -1), KPAState{}, []kpaStep{{0, 1, 21, 26, 1, false}}},
		{"stable increase", testSpec(10, 101), KPAState{}, []kpaStep{{0, 1, 50, 10, 5, false}, {0, 1, 100, 10, 10, false}}},
		{"no change", testSpec(10, 100), KPAState{}, []kpaStep{{0, 1, 50, 50, 5, true}}},
		{"already scaled", testSpec(10, 100), KPAState{}, []kpaStep{{0, 5, 50, 50, 5, false}}},
		{"in panic the stable average may be larger", testSpec(1, 100), inPanic, []kpaStep{{0, 5, 50, 30, 50, true}}},
		{"in panic the panic average counts", testSpec(1, 100), inPanic, []kpaStep{{0, 5, 20, 30, 30, true}}},
		{"a small scale-up rate still grows by one", with(testSpec(1, 1982), func(s *KPASpec) { s.MaxScaleUpRate = 1.1 }), KPAState{},
			[]kpaStep{{0, 2, 3, 3.1, 3, true}}},
		{"a small scale-down rate still shrinks", with(testSpec(10, 1982), func(s *KPASpec) { s.MaxScaleDownRate = 1.1 }), KPAState{},
			[]kpaStep{{0, 100, 1, 1, 90, false}}},
		{"not reachable", with(testSpec(10, 1982), func(s *KPASpec) { s.MaxScaleDownRate, s.Unreachable = 1.1, true }), KPAState{},
			[]kpaStep{{0, 100, 1, 1, 1, false}}},
		{"panic doubles", testSpec(10, 84), KPAState{}, []kpaStep{{0, 1, 50, 100, 10, true}}},
		{"panic over after a slow increase", testSpec(1, 98), KPAState{}, []kpaStep{
			{0, 10, 11, 25, 25, true}, {30 * time.Second, 40, 30, 41, 41, true}, {62 * time.Second, 55, 50, 56, 50, false}}},
		{"panic extended", testSpec(1, 98), KPAState{}, []kpaStep{
			{0, 10, 11, 25, 25, true}, {30 * time.Second, 40, 30, 80, 80, true}, {62 * time.Second, 80, 30, 40, 80, true}, {91 * time.Second, 80, 40, 40, 40, false}}},
		{"stable decrease", testSpec(10, 98), KPAState{}, []kpaStep{{0, 8, 100, 100, 10, false}, {0, 8, 50, 50, 5, false}}},
		{"to zero", testSpec(10, 75), KPAState{}, []kpaStep{{0, 1, 1, 0, 1, false}, {0, 1, 0, 0, 0, false}}},
		{"activation", with(testSpec(10, 75), func(s *KPASpec) { s.ActivationScale = 2 }), KPAState{},
			[]kpaStep{{0, 1, 0, 0, 0, false}, {0, 1, 1, 0, 2, false}}},
		{"exponential", testSpec(1, 101), KPAState{}, []kpaStep{{0, 1, 6, 6, 6, true}, {0, 6, 36, 36, 36, true},
			{time.Second, 36, 216, 216, 216, true}, {time.Second, 216, 1296, 1296, 1296, true}, {2 * time.Second, 1296, 1296, 1296, 1296, true}}},
		{"panic, then calm", testSpec(10, 93), KPAState{}, []kpaStep{{0, 1, 100, 100, 10, true}, {0, 10, 100, 1000, 100, true},
			{30 * time.Second, 10, 1, 1, 100, true}, {61 * time.Second, 10, 1, 1, 1, false}}},
		{"scale-up rate", testSpec(10, 61), KPAState{}, []kpaStep{{0, 1, 1000, 1001, 10, true}, {0, 10, 1000, 1001, 100, true}}},
		{"scale-down rate", testSpec(10, 61), KPAState{}, []kpaStep{{0, 100, 1, 1, 10, false}, {0, 10, 1, 1, 1, false}}},
		{"no instance counts as one", testSpec(10, 81), KPAState{}, []kpaStep{{0, 0, 1000, 888, 10, true}}},
		{"scale-down delay", delay, KPAState{}, []kpaStep{{2 * time.Second, 0, 40, 40, 4, false},
			{5 * time.Minute, 0, 0, 0, 4, false}, {5*time.Minute + 2*time.Second, 0, 0, 0, 0, false}}},
		{"scale-down delay, gradual", delay, KPAState{}, []kpaStep{{9 * time.Minute, 0, 40, 40, 4, false}, {10 * time.Minute, 0, 30, 30, 4, false},
			{11 * time.Minute, 0, 0, 0, 4, false}, {14 * time.Minute, 0, 0, 0, 3, false}, {15 * time.Minute, 0, 0, 0, 0, false}, {16 * time.Minute, 0, 0, 0, 0, false}}},
		{"no delay", with(delay, func(s *KPASpec) { s.ScaleDownDelay = 0 }), KPAState{},
			[]kpaStep{{0, 0, 40, 40, 4, false}, {500 * time.Millisecond, 0, 20, 20, 2, false}}},
		{"shrinks by half at most, then to zero", with(testSpec(1, 0), func(s *KPASpec) { s.MaxScaleDownRate = 2 }), KPAState{},
			[]kpaStep{{0, 5, 0, 0, 2, false}, {0, 2, 0, 0, 1, false}, {0, 1, 0, 0, 0, false}}},
		{"a deployment found scaled out keeps its instances", testSpec(10, 0), StartKPA(0, 4),
			[]kpaStep{{2 * time.Second, 4, 0, 0, 4, true}, {60 * time.Second, 4, 0, 0, 4, true}, {61 * time.Second, 4, 0, 0, 0, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := tt.begin
			for i, s := range tt.steps {
				before := st
				var d Decision
				d, st = Decide(tt.spec, st, Observation{int64(s.at), s.ready, s.stable, s.panic})
				if d.Desired != s.want || d.Panicking != s.panicking {
					t.Errorf("step %d: got %d (panicking %v), want %d (panicking %v)", i, d.Desired, d.Panicking, s.want, s.panicking)
				}
				again, _ := Decide(tt.spec, before, Observation{int64(s.at), s.ready, s.stable, s.panic})
				if diff := cmp.Diff(d, again); diff != "" {
					t.Errorf("step %d: the same arguments gave another decision (-first +again):\n%s", i, diff)
				}
			}
		})
	}
}

func TestDecideTargetChanged(t *testing.T) {
	d, st := Decide(testSpec(10, 77), KPAState{}, Observation{Ready: 1, Stable: 100, Panic: 101})
	if d.Desired != 10 {
		t.Fatalf("got %d, want 10", d.Desired)
	}
	if d, _ = Decide(testSpec(1, 71), st, Observation{Ready: 10, Stable: 100, Panic: 101}); d.Desired != 100 {
		t.Errorf("got %d, want 100", d.Desired)
	}
}

func TestExcessBurstCapacity(t *testing.T) {
	for _, tt := range []struct {
		target, burst, panic float64
		ready, want          int
	}{
		{10, 100, 50, 1, int(math.Floor(10/0.75 - 100 - 50))},
		{10, 0, 49, 1, 0},
		{181, -1, 26, 1, -1},
		{1, 98, 25, 10, int(math.Floor(10/0.75 - 98 - 25))},
		{10, 81, 888, 0, -81 - 888},
	} {
		d, _ := Decide(testSpec(tt.target, tt.burst), KPAState{}, Observation{Ready: tt.ready, Panic: tt.panic})
		if d.Excess != tt.want {
			t.Errorf("target %g burst %g ready %d: got %d, want %d", tt.target, tt.burst, tt.ready, d.Excess, tt.want)
		}
	}
}

func TestStartKPA(t *testing.T) {
	for ready, want := range []KPAState{{false, 7, 0, nil}, {false, 7, 1, nil}, {true, 7, 2, nil}} {
		if diff := cmp.Diff(want, StartKPA(7, ready)); diff != "" {
			t.Errorf("%d ready (-want +got):\n%s", ready, diff)
		}
	}
}

func TestMeter(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * 1e9)) }
	m := newMeter(t0, 6*time.Second)
	if got := m.mean(t0, time.Second); got != 0 {
		t.Errorf("a new meter: got %g, want 0", got)
	}
	m.add(at(1), 2)  // 0 until 1
	m.add(at(2), 2)  // 2 until 2
	m.add(at(4), -4) // 4 until 4, then 0
	for _, tt := range []struct {
		at, window, want float64
	}{
		{4, 6, 10.0 / 4}, // only four seconds are known
		{4, 1, 4},
		{4, 2, 4},
		{4, 3, 10.0 / 3},
		{5, 2, 2},
		{7, 6, 10.0 / 6},
		{9, 6, 4.0 / 6},
		{10, 6, 0},
	} {
		if got := m.mean(at(tt.at), time.Duration(tt.window*1e9)); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("mean over %g s at %g s: got %g, want %g", tt.window, tt.at, got, tt.want)
		}
	}
	if got := m.mean(at(10.000000001), 6*time.Second); got != 0 {
		t.Errorf("a window without load: got %g, want exactly 0", got)
	}
}

func TestMeterForgets(t *testing.T) {
	t0 := time.Unix(1000, 0)
	m := newMeter(t0, time.Second)
	for i := range 100_000 {
		m.add(t0.Add(time.Duration(i)*time.Millisecond), int64(1-2*(i%2)))
	}
	if len(m.points) > 5000 {
		t.Errorf("%d points kept for one second of changes every millisecond", len(m.points))
	}
	if got := m.mean(t0.Add(100*time.Second), time.Second); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("got %g, want 0.5", got)
	}
}

func BenchmarkMeter(b *testing.B) {
	t0 := time.Unix(1000, 0)
	m := newMeter(t0, 6*time.Second)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.add(t0.Add(time.Duration(i)*time.Millisecond), int64(1-2*(i%2)))
	}
}

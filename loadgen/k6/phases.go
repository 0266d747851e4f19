package k6

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

// RoleTag is the tag of a scenario that says what it is for: warmup, steady (which is the default), stress or idle.
const RoleTag = "assay_role"

// A scenario is one of k6's, seen as a phase of the load.
type scenario struct {
	name    string
	role    assay.Role
	rate    float64 // planned mean, 1/s, of this process; 0 where there is none
	length  int64   // ns for which it begins iterations; 0: until they are done
	offset  int64   // ns from the start of the test
	outside bool    // setup or teardown

	begin int64 // 0: not begun
	last  int64 // last sign of it
}

// scenarios follows which of them have begun and when they end.
type scenarios struct {
	emit func(assay.Record) error
	all  map[string]*scenario
}

func newScenarios(o *lib.Options, emit func(assay.Record) error) (*scenarios, error) {
	et, err := lib.NewExecutionTuple(o.ExecutionSegment, o.ExecutionSegmentSequence)
	if err != nil {
		return nil, err
	}
	s := &scenarios{emit: emit, all: map[string]*scenario{}}
	for name, c := range o.Scenarios {
		sc := &scenario{name: name, role: assay.RoleSteady, rate: meanRate(c, et), offset: int64(c.GetStartTime())}
		switch role := assay.Role(c.GetTags()[RoleTag]); role {
		case assay.RoleWarmup, assay.RoleSteady, assay.RoleStress, assay.RoleIdle:
			sc.role = role
		case "":
		default:
			return nil, wrongRole(name, role)
		}
		if timed(c) {
			if steps := c.GetExecutionRequirements(et); len(steps) > 0 {
				sc.length = max(0, int64(steps[len(steps)-1].TimeOffset-c.GetGracefulStop()))
			}
		}
		s.all[name] = sc
	}
	return s, nil
}

// timed reports whether a scenario lasts as long as its settings say, and not until its iterations are done.
func timed(c lib.ExecutorConfig) bool {
	switch c.GetType() {
	case "shared-iterations", "per-vu-iterations":
		return false
	}
	return true
}

// meanRate returns the planned iterations per second in this process, 0 for executors without a rate.
func meanRate(c lib.ExecutorConfig, et *lib.ExecutionTuple) float64 {
	part := et.Segment.FloatLength()
	switch c := c.(type) {
	case *arrivalsConfig:
		if a, err := c.arrivals(); err == nil {
			return part * meanOf(a, c.Duration.TimeDuration())
		}
	case *executor.ConstantArrivalRateConfig:
		if unit := c.TimeUnit.TimeDuration().Seconds(); unit > 0 {
			return part * float64(c.Rate.Int64) / unit
		}
	case *executor.RampingArrivalRateConfig:
		area, length, from := 0.0, 0.0, float64(c.StartRate.Int64)
		for _, stage := range c.Stages {
			d, to := stage.Duration.TimeDuration().Seconds(), float64(stage.Target.Int64)
			area, length, from = area+d*(from+to)/2, length+d, to
		}
		if unit := c.TimeUnit.TimeDuration().Seconds(); unit > 0 && length > 0 {
			return part * area / length / unit
		}
	}
	return 0
}

// meanOf returns the mean rate over a scenario that lasts d, which may cut a process short that lasts longer.
func meanOf(a loadgen.Arrivals, d time.Duration) float64 {
	if l, ok := a.(loadgen.Lasting); ok && d < l.Lasts() {
		if s, err := loadgen.NewSchedule([]loadgen.Phase{{Name: "s", Arrivals: a, For: d}}, 1); err == nil {
			n, _ := s.Requests()
			return float64(n) / d.Seconds()
		}
	}
	return a.Mean()
}

// seen notes a sign of the scenario at the given instant and reports its begin with the first. Begin is 0 where only the sign is known.
func (s *scenarios) seen(name string, begin, at int64) {
	sc := s.all[name]
	if sc == nil { // setup, teardown
		sc = &scenario{name: name, role: assay.RoleWarmup, outside: true}
		s.all[name] = sc
	}
	sc.last = max(sc.last, at)
	if sc.begin != 0 {
		return
	}
	if sc.begin = begin; begin == 0 || begin > at {
		sc.begin = at
	}
	_ = s.emit(&assay.Event{Time: sc.begin, Kind: assay.EventPhaseBegin, Source: "k6", Phase: name, // a loss is counted by the writer
		Attrs: map[string]string{"role": string(sc.role), "rate": strconv.FormatFloat(sc.rate, 'g', -1, 64)}})
}

// finish reports the ends and returns that of the load. A scenario that the test's end cut short ends there.
func (s *scenarios) finish(now int64) int64 {
	end := int64(0)
	for _, sc := range slices.SortedFunc(maps.Values(s.all), func(a, b *scenario) int { return cmp.Compare(a.begin, b.begin) }) {
		if sc.begin == 0 {
			continue
		}
		stop := min(sc.last, now)
		if sc.length > 0 {
			stop = min(sc.begin+sc.length, now)
		}
		_ = s.emit(&assay.Event{Time: stop, Kind: assay.EventPhaseEnd, Source: "k6", Phase: sc.name, Attrs: map[string]string{"role": string(sc.role)}})
		end = max(end, stop)
	}
	return end
}

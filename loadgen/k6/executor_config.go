package k6

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/lib/types"
	"gopkg.in/guregu/null.v3"

	"github.com/assay-dev/assay/loadgen"
)

// An arrivalsConfig is a scenario whose executor is assay-arrivals.
type arrivalsConfig struct {
	executor.BaseConfig
	Process         string             `json:"process"`  // a name of loadgen.ArrivalKinds
	Rate            float64            `json:"rate"`     // iterations per timeUnit at the beginning
	To              null.Float         `json:"to"`       // the same at the end; without it the rate stays
	TimeUnit        types.NullDuration `json:"timeUnit"` // default 1s
	Duration        types.NullDuration `json:"duration"`
	Seed            uint64             `json:"seed"`
	PreAllocatedVUs null.Int           `json:"preAllocatedVUs"`
	MaxVUs          null.Int           `json:"maxVUs"` // default preAllocatedVUs

	ext *Extension
}

var _ lib.ExecutorConfig = (*arrivalsConfig)(nil)

// newArrivalsConfig is the constructor that k6 calls for a scenario of this type.
func (e *Extension) newArrivalsConfig(name string, rawJSON []byte) (lib.ExecutorConfig, error) {
	c := &arrivalsConfig{BaseConfig: executor.NewBaseConfig(name, ExecutorName), Process: "poisson", TimeUnit: types.NewNullDuration(time.Second, false), Seed: 1}
	err := lib.StrictJSONUnmarshal(rawJSON, c)
	c.ext = e
	return c, err
}

// arrivals returns the whole process, before it is divided among the processes of a distributed run.
func (c *arrivalsConfig) arrivals() (loadgen.Arrivals, error) {
	unit := c.TimeUnit.TimeDuration().Seconds()
	p := loadgen.Profile{Rate: c.Rate / unit}
	if c.To.Valid {
		to := c.To.Float64 / unit
		p.To = &to
	}
	var names []string
	for _, k := range loadgen.ArrivalKinds {
		if k.Name == c.Process {
			a := k.New(p)
			return a, a.Check()
		}
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("process %q is unknown; want one of %s", c.Process, strings.Join(names, ", "))
}

// maxVUs returns the most virtual users, of all processes together.
func (c *arrivalsConfig) maxVUs() int64 {
	if c.MaxVUs.Valid {
		return c.MaxVUs.Int64
	}
	return c.PreAllocatedVUs.Int64
}

// Validate implements lib.ExecutorConfig.
func (c *arrivalsConfig) Validate() []error {
	errs := c.BaseConfig.Validate()
	if c.TimeUnit.TimeDuration() <= 0 {
		errs = append(errs, fmt.Errorf("timeUnit %v: want more than 0", c.TimeUnit))
	} else if _, err := c.arrivals(); err != nil {
		errs = append(errs, err)
	} else if c.Rate <= 0 && c.To.Float64 <= 0 {
		errs = append(errs, fmt.Errorf("rate %g: want more than 0", c.Rate))
	}
	if d := c.Duration.TimeDuration(); d < time.Second {
		errs = append(errs, fmt.Errorf("duration %v: want at least 1s", d))
	}
	if c.PreAllocatedVUs.Int64 < 1 {
		errs = append(errs, fmt.Errorf("preAllocatedVUs %d: want at least 1", c.PreAllocatedVUs.Int64))
	}
	if c.maxVUs() < c.PreAllocatedVUs.Int64 {
		errs = append(errs, fmt.Errorf("maxVUs %d: want at least preAllocatedVUs, %d", c.maxVUs(), c.PreAllocatedVUs.Int64))
	}
	return errs
}

// GetExecutionRequirements implements lib.ExecutorConfig.
func (c *arrivalsConfig) GetExecutionRequirements(et *lib.ExecutionTuple) []lib.ExecutionStep {
	planned, most := et.ScaleInt64(c.PreAllocatedVUs.Int64), et.ScaleInt64(c.maxVUs())
	return []lib.ExecutionStep{
		{PlannedVUs: uint64(planned), MaxUnplannedVUs: uint64(most - planned)},
		{TimeOffset: c.Duration.TimeDuration() + c.GetGracefulStop()},
	}
}

// GetDescription implements lib.ExecutorConfig.
func (c *arrivalsConfig) GetDescription(et *lib.ExecutionTuple) string {
	rate := fmt.Sprintf("%g", c.Rate)
	if c.To.Valid {
		rate += fmt.Sprintf(" to %g", c.To.Float64)
	}
	late := ""
	if c.StartTime.Duration > 0 {
		late = fmt.Sprintf(", startTime: %s", c.StartTime.Duration)
	}
	return fmt.Sprintf("%s arrivals, %s per %s for %s (maxVUs: %d, seed: %d%s, gracefulStop: %s)", c.Process, rate, c.TimeUnit.Duration, c.Duration.Duration,
		et.ScaleInt64(c.maxVUs()), c.Seed, late, c.GracefulStop.Duration)
}

// HasWork implements lib.ExecutorConfig.
func (c *arrivalsConfig) HasWork(et *lib.ExecutionTuple) bool { return et.ScaleInt64(c.maxVUs()) > 0 }

// NewExecutor implements lib.ExecutorConfig.
func (c *arrivalsConfig) NewExecutor(es *lib.ExecutionState, logger *logrus.Entry) (lib.Executor, error) {
	return &arrivals{BaseExecutor: executor.NewBaseExecutor(c, es, logger), config: c, state: es}, nil
}

// A share is the part of an arrival process that one process of a distributed run plays. Each of them draws
// the whole process from the same seed and keeps the arrivals that k6 would give it, so that together they play
// every arrival once, whatever their number.
type share struct {
	whole  loadgen.Arrivals
	name   string
	seed   uint64
	start  int64
	stride []int64
	period int64 // arrivals after which the pattern repeats
}

// Due implements loadgen.Arrivals. The randomness is the scenario's own and not rng, which is drawn for the share.
func (s *share) Due(dst []int64, d time.Duration, _ *rand.Rand) []int64 {
	h := fnv.New64a()
	h.Write([]byte(s.name))
	all := s.whole.Due(nil, d, rand.New(rand.NewPCG(s.seed, h.Sum64())))
	i := s.start
	for n := 0; i < int64(len(all)); n++ {
		dst = append(dst, all[i])
		i += s.stride[n%len(s.stride)]
	}
	return dst
}

// Mean implements loadgen.Arrivals.
func (s *share) Mean() float64 {
	return s.whole.Mean() * float64(len(s.stride)) / float64(s.period)
}

// Check implements loadgen.Arrivals.
func (s *share) Check() error { return s.whole.Check() }

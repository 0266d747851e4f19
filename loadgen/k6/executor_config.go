package k6

import (
	"fmt"
	"slices"
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
	Process string `json:"process"` // a name of processes
	settings
	TimeUnit        types.NullDuration `json:"timeUnit"` // of rates; default 1s
	Duration        types.NullDuration `json:"duration"` // stages, a ladder and a trace end by themselves; then it may cut them short
	Seed            uint64             `json:"seed"`
	PreAllocatedVUs null.Int           `json:"preAllocatedVUs"`
	MaxVUs          null.Int           `json:"maxVUs"` // default preAllocatedVUs

	ext *Extension
}

var _ lib.ExecutorConfig = (*arrivalsConfig)(nil)

// newArrivalsConfig is the constructor that k6 calls for a scenario of this type.
func (e *Extension) newArrivalsConfig(name string, rawJSON []byte) (lib.ExecutorConfig, error) {
	c := &arrivalsConfig{BaseConfig: executor.NewBaseConfig(name, ExecutorName), Process: "poisson", TimeUnit: types.NewNullDuration(time.Second, false), Seed: 1}
	c.ext = e
	if err := lib.StrictJSONUnmarshal(rawJSON, c); err != nil {
		return c, err
	}
	p, err := processOf(c.Process)
	if err != nil {
		return c, nil // Validate says so
	}
	if err := p.foreign(rawJSON); err != nil {
		return c, fmt.Errorf("scenario %s: %w", name, err)
	}
	if a, err := c.arrivals(); err == nil && !c.Duration.Valid {
		d, err := lasts(a, c.Seed)
		if err != nil {
			return c, fmt.Errorf("scenario %s: %w", name, err)
		}
		c.Duration = types.NewNullDuration(d, d > 0)
	}
	return c, nil
}

// arrivals returns the whole process, before it is divided among the processes of a distributed run.
func (c *arrivalsConfig) arrivals() (loadgen.Arrivals, error) {
	p, err := processOf(c.Process)
	if err != nil {
		return nil, err
	}
	unit := c.TimeUnit.TimeDuration().Seconds()
	if unit <= 0 {
		return nil, fmt.Errorf("timeUnit %v: want more than 0", c.TimeUnit)
	}
	a := p.new(&c.settings, unit)
	return a, a.Check()
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
	a, err := c.arrivals()
	if err != nil {
		errs = append(errs, err)
	} else if slices.Contains(owners("rate"), c.Process) && c.Rate <= 0 && c.To.Float64 <= 0 {
		errs = append(errs, fmt.Errorf("rate %g: want more than 0", c.Rate))
	}
	if l, ok := a.(loadgen.Lasting); ok && c.Duration.TimeDuration() > l.Lasts() {
		errs = append(errs, fmt.Errorf("duration %v: the process lasts only %v", c.Duration.Duration, l.Lasts()))
	}
	if d := c.Duration.TimeDuration(); d < time.Second && a != nil {
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
	late := ""
	if c.StartTime.Duration > 0 {
		late = fmt.Sprintf(", startTime: %s", c.StartTime.Duration)
	}
	return fmt.Sprintf("%s arrivals, %sfor %s (maxVUs: %d, seed: %d%s, gracefulStop: %s)", c.Process, c.rates(), c.Duration.Duration,
		et.ScaleInt64(c.maxVUs()), c.Seed, late, c.GracefulStop.Duration)
}

// rates says in words how often iterations begin.
func (c *arrivalsConfig) rates() string {
	switch {
	case c.Trace != nil:
		return fmt.Sprintf("%d file(s) ", len(c.Trace.Files))
	case len(c.Stages) > 0:
		return fmt.Sprintf("%d of them ", len(c.Stages))
	case c.Rate == 0 && !c.To.Valid:
		return ""
	case c.To.Valid:
		return fmt.Sprintf("%g to %g per %s ", c.Rate, c.To.Float64, c.TimeUnit.Duration)
	}
	return fmt.Sprintf("%g per %s ", c.Rate, c.TimeUnit.Duration)
}

// HasWork implements lib.ExecutorConfig.
func (c *arrivalsConfig) HasWork(et *lib.ExecutionTuple) bool { return et.ScaleInt64(c.maxVUs()) > 0 }

// NewExecutor implements lib.ExecutorConfig.
func (c *arrivalsConfig) NewExecutor(es *lib.ExecutionState, logger *logrus.Entry) (lib.Executor, error) {
	return &arrivals{BaseExecutor: executor.NewBaseExecutor(c, es, logger), config: c, state: es}, nil
}

package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// Search is one search; exactly one is given.
type Search struct {
	Saturation *Saturation `yaml:"saturation" json:"saturation,omitempty" jsonschema:"description=Highest rate at which the slo holds."`
	Knee       *Knee       `yaml:"knee" json:"knee,omitempty" jsonschema:"description=Rate with the most throughput for its latency\\, and how throughput goes with concurrency."`
}

// Saturation raises the rate step by step until the slo breaks, then narrows the limit down with longer steps.
type Saturation struct {
	Start      Rate             `yaml:"start" json:"start" jsonschema:"description=Rate of the first step."`
	Factor     float64          `yaml:"factor" json:"factor,omitempty" jsonschema:"description=Ratio of one step's rate to the one before. Default 1.5."`
	Step       Duration         `yaml:"step" json:"step,omitempty" jsonschema:"description=Length of a step of the climb. Default 4s."`
	Max        Rate             `yaml:"max" json:"max,omitempty" jsonschema:"description=Highest rate tried. Default 64 times start."`
	For        Duration         `yaml:"for" json:"for,omitempty" jsonschema:"description=Longest time the search may take. Default 1m."`
	Within     float64          `yaml:"within" json:"within,omitempty" jsonschema:"description=Stop when the result is known to this ratio. Default 1.1."`
	Even       bool             `yaml:"even" json:"even,omitempty" jsonschema:"description=Even arrivals instead of Poisson."`
	SLO        map[string]Value `yaml:"slo" json:"slo" jsonschema:"description=What must hold in a step: metric and its highest allowed value."`
	Confirm    Duration         `yaml:"confirm" json:"confirm,omitempty" jsonschema:"description=Length of a step that decides. Default four steps."`
	Confidence float64          `yaml:"confidence" json:"confidence,omitempty" jsonschema:"description=Of the interval that must clear the limit. Default 0.9."`
}

// Knee raises the rate step by step until the target is past its knee.
type Knee struct {
	Start  Rate     `yaml:"start" json:"start" jsonschema:"description=Rate of the first step."`
	Factor float64  `yaml:"factor" json:"factor,omitempty" jsonschema:"description=Ratio of one step's rate to the one before. Default 1.5."`
	Step   Duration `yaml:"step" json:"step,omitempty" jsonschema:"description=Length of a step. Default 4s."`
	Max    Rate     `yaml:"max" json:"max,omitempty" jsonschema:"description=Highest rate tried. Default 64 times start."`
	For    Duration `yaml:"for" json:"for,omitempty" jsonschema:"description=Longest time the search may take. Default 1m."`
	Within float64  `yaml:"within" json:"within,omitempty" jsonschema:"description=Stop when the result is known to this ratio. Default 1.1."`
	Even   bool     `yaml:"even" json:"even,omitempty" jsonschema:"description=Even arrivals instead of Poisson."`
}

// Steps returns what the search has in common with any other: the settings of a search for the knee.
func (s *Search) Steps() Knee {
	switch {
	case s.Saturation != nil:
		t := s.Saturation
		return Knee{Start: t.Start, Factor: t.Factor, Step: t.Step, Max: t.Max, For: t.For, Within: t.Within, Even: t.Even}
	case s.Knee != nil:
		return *s.Knee
	}
	return Knee{}
}

// Limits returns the slo in base units.
func (s *Saturation) Limits() map[string]float64 {
	out := map[string]float64{}
	for m, v := range s.SLO {
		out[m] = v.Number
	}
	return out
}

func (s *Search) defaults() {
	if t := s.Saturation; t != nil {
		stepDefaults(t.Start, &t.Factor, &t.Step, &t.Max, &t.For, &t.Within)
		orElse(&t.Confidence, 0.9)
		orElse(&t.Confirm, 4*t.Step)
	}
	if t := s.Knee; t != nil {
		stepDefaults(t.Start, &t.Factor, &t.Step, &t.Max, &t.For, &t.Within)
	}
}

func stepDefaults(start Rate, factor *float64, step *Duration, most *Rate, length *Duration, within *float64) {
	orElse(factor, 1.5)
	orElse(step, Duration(4*time.Second))
	orElse(most, 64*start)
	orElse(length, Duration(time.Minute))
	orElse(within, 1.1)
}

// length returns how long the search may take.
func (s *Search) length() time.Duration { return s.Steps().For.D() }

// expect returns how many requests the search sends at least, if it goes on at its first rate.
func (s *Search) expect() float64 { return float64(s.Steps().Start) * s.length().Seconds() }

// search checks a search and returns about how many requests it plans.
func (c *checker) search(at string, s *Search) float64 {
	switch {
	case s.Saturation != nil && s.Knee != nil:
		c.bad(at, "has saturation and knee; give one of them")
		return 0
	case s.Saturation != nil:
		at += ".saturation"
		c.saturation(at, s.Saturation)
	case s.Knee != nil:
		at += ".knee"
	default:
		c.bad(at, "is empty; give saturation or knee")
		return 0
	}
	k := s.Steps()
	if k.Start <= 0 || k.Start > maxRate {
		c.bad(at+".start", "%g/s is out of range; more than 0 and at most %d/s", float64(k.Start), maxRate)
	}
	if k.Factor <= 1 || k.Factor > 10 {
		c.bad(at+".factor", "%g is out of range; more than 1 and at most 10", k.Factor)
	}
	if k.Within <= 1 || k.Within > 10 {
		c.bad(at+".within", "%g is out of range; more than 1 and at most 10", k.Within)
	}
	if k.Step.D() < 500*time.Millisecond {
		c.bad(at+".step", "%v is too short; at least 500ms", k.Step.D())
	}
	if k.For < k.Step {
		c.bad(at+".for", "%v is shorter than one step of %v", k.For.D(), k.Step.D())
	}
	if k.Max < k.Start {
		c.bad(at+".max", "%g/s is below start", float64(k.Max))
	}
	return math.Min(float64(k.Max), float64(k.Start)*64) * k.For.D().Seconds() / 4
}

func (c *checker) saturation(at string, s *Saturation) {
	if s.Confirm < s.Step {
		c.bad(at+".confirm", "%v is shorter than a step, %v", s.Confirm.D(), s.Step.D())
	}
	if s.Confidence < 0.5 || s.Confidence >= 1 {
		c.bad(at+".confidence", "%g is out of range; at least 0.5 and less than 1", s.Confidence)
	}
	if len(s.SLO) == 0 {
		c.bad(at+".slo", "is empty; say what must hold, for example {ttft/p95: 500ms}")
	}
	for metric, v := range s.SLO {
		unit, ok := searchMetrics[metric]
		if !ok {
			c.bad(at+".slo."+metric, "%q cannot be searched by; %s", metric, suggest.Meant(metric, keys(searchMetrics)))
			continue
		}
		if n, err := v.In(unit); err != nil {
			c.bad(at+".slo."+metric, "%v", err)
		} else if n <= 0 {
			c.bad(at+".slo."+metric, "%g never holds; give more than 0", n)
		}
	}
}

var searchMetrics = map[string]assay.Unit{"ttft/p50": assay.Seconds, "ttft/p90": assay.Seconds, "ttft/p95": assay.Seconds, "ttft/p99": assay.Seconds,
	"e2e/p50": assay.Seconds, "e2e/p90": assay.Seconds, "e2e/p95": assay.Seconds, "e2e/p99": assay.Seconds, "error_ratio": assay.Ratio}

// Searching says what a search takes.
type Searching struct {
	Phase string
	Least int           // requests that must all meet the strictest limit for a rate to hold; 0 for a knee
	First time.Duration // length of the first step that can show it
	OK    bool          // there is time for a climb of two steps and one that confirms
	Why   string
}

// least returns how many requests must all meet the limit to show that no more than the share p of them misses it.
func least(p, confidence float64) int {
	return int(math.Ceil(math.Log((1-confidence)/2)/math.Log(1-p) - 1e-9))
}

func (s *Search) outlook(phase string) Searching {
	k := s.Steps()
	out := Searching{Phase: phase, OK: true, First: k.Step.D()}
	if s.Saturation == nil {
		n := int(k.For / max(1, k.Step))
		out.OK = n >= 5
		out.Why = fmt.Sprintf("at most %d steps of %v; the law of scalability needs 5 different loads", n, k.Step.D())
		return out
	}
	strictest := ""
	for metric, v := range s.Saturation.SLO {
		p := v.Number // of error_ratio
		if _, q, ok := strings.Cut(metric, "/p"); ok {
			n, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			p = 1 - n/100
		}
		if n := least(p, s.Saturation.Confidence); n > out.Least || n == out.Least && metric < strictest {
			out.Least, strictest = n, metric
		}
	}
	seconds := func(n float64) time.Duration { return time.Duration(n / float64(k.Start) * 1e9) }
	out.First = max(s.Saturation.Confirm.D(), seconds(4*float64(out.Least)/3)).Round(time.Second / 10)
	need := 2*k.Step.D() + out.First
	out.OK = need <= k.For.D()
	out.Why = fmt.Sprintf("steps of %v up to the first that breaks; then steps of %v and more decide: a rate holds when at least %d requests all meet %s (%g %%), which takes %v at %g/s",
		k.Step.D(), s.Saturation.Confirm.D(), out.Least, strictest, 100*s.Saturation.Confidence, out.First, float64(k.Start))
	if !out.OK {
		out.Why += fmt.Sprintf("; %v is TOO SHORT for that: give at least %v, or what short steps show is not confirmed", k.For.D(), need.Round(time.Second))
	}
	return out
}

package plan

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Arrivals is one arrival process; exactly one is given.
type Arrivals struct {
	Poisson *Process `yaml:"poisson" json:"poisson,omitempty" jsonschema:"description=Independent users: exponential gaps."`
	Even    *Process `yaml:"even" json:"even,omitempty" jsonschema:"description=Equal gaps."`
	Gamma   *Gamma   `yaml:"gamma" json:"gamma,omitempty" jsonschema:"description=Bursty or regular users: gaps with a gamma distribution."`
	Weibull *Weibull `yaml:"weibull" json:"weibull,omitempty" jsonschema:"description=Gaps with a Weibull distribution: long pauses and dense bursts."`
	Stages  *Stages  `yaml:"stages" json:"stages,omitempty" jsonschema:"description=A list of rates\\, each for a time\\, with ramps between them. Needs no for."`
	Diurnal *Diurnal `yaml:"diurnal" json:"diurnal,omitempty" jsonschema:"description=A rate that rises and falls as a sine\\, as a day does."`
	OnOff   *OnOff   `yaml:"onoff" json:"onoff,omitempty" jsonschema:"description=Bursts at one rate with pauses between them."`
	Ladder  *Ladder  `yaml:"ladder" json:"ladder,omitempty" jsonschema:"description=Single requests after growing idle gaps: finds the time after which a platform scales to zero. Needs no for."`
	Trace   *Trace   `yaml:"trace" json:"trace,omitempty" jsonschema:"description=The requests of a recorded trace\\, with their lengths and shared prefixes. Needs no for."`
}

// Process is the rate of an arrival process; with To it changes linearly over the phase.
type Process struct {
	Rate Rate  `yaml:"rate" json:"rate" jsonschema:"description=Mean rate at the beginning."`
	To   *Rate `yaml:"to" json:"to,omitempty" jsonschema:"description=Mean rate at the end."`
}

// Gamma is a process whose gaps have a gamma distribution, told by its coefficient of variation or its shape.
type Gamma struct {
	Rate  Rate    `yaml:"rate" json:"rate" jsonschema:"description=Mean rate at the beginning."`
	To    *Rate   `yaml:"to" json:"to,omitempty" jsonschema:"description=Mean rate at the end."`
	CV    float64 `yaml:"cv" json:"cv,omitempty" jsonschema:"minimum=0.01,maximum=20,description=Coefficient of variation of the gaps: 1 is Poisson\\, more is bursty\\, less is regular. Default 2."`
	Shape float64 `yaml:"shape" json:"shape,omitempty" jsonschema:"description=Shape of the distribution instead of cv: 1/cv²\\, which vLLM's benchmark calls burstiness."`
}

// Weibull is a process whose gaps have a Weibull distribution.
type Weibull struct {
	Rate  Rate    `yaml:"rate" json:"rate" jsonschema:"description=Mean rate at the beginning."`
	To    *Rate   `yaml:"to" json:"to,omitempty" jsonschema:"description=Mean rate at the end."`
	Shape float64 `yaml:"shape" json:"shape,omitempty" jsonschema:"minimum=0.3,maximum=100,description=1 is Poisson\\, less is bursty\\, more is regular. Default 0.7."`
}

// Stages is a list of rates, one after another.
type Stages struct {
	Even   bool    `yaml:"even" json:"even,omitempty" jsonschema:"description=Equal gaps instead of Poisson."`
	Stages []Stage `yaml:"stages" json:"stages" jsonschema:"minItems=1,description=The stages in order."`
}

// Stage is a rate that is held for a time.
type Stage struct {
	Rate Rate     `yaml:"rate" json:"rate" jsonschema:"description=Rate of the stage."`
	For  Duration `yaml:"for" json:"for" jsonschema:"description=How long\\, the ramp included."`
	Ramp Duration `yaml:"ramp" json:"ramp,omitempty" jsonschema:"description=At its beginning: time in which the rate goes from that of the stage before\\, or from 0\\, to this one's. Default 0s: at once."`
}

// Diurnal is a rate that is a sine.
type Diurnal struct {
	Rate      Rate     `yaml:"rate" json:"rate" jsonschema:"description=Mean rate."`
	Amplitude *float64 `yaml:"amplitude" json:"amplitude,omitempty" jsonschema:"minimum=0,maximum=1,description=Share of the mean by which the rate rises and falls. Default 0.8."`
	Period    Duration `yaml:"period" json:"period,omitempty" jsonschema:"description=How long a day takes. Default 1m."`
	Offset    Duration `yaml:"offset" json:"offset,omitempty" jsonschema:"description=Where in the period the phase begins. Default 0s: at the mean\\, rising."`
}

// OnOff is bursts with pauses between them.
type OnOff struct {
	Rate   Rate     `yaml:"rate" json:"rate" jsonschema:"description=Rate in a burst."`
	Base   Rate     `yaml:"base" json:"base,omitempty" jsonschema:"description=Rate in a pause. Default 0/s."`
	On     Duration `yaml:"on" json:"on,omitempty" jsonschema:"description=Length of a burst. Default 5s."`
	Off    Duration `yaml:"off" json:"off,omitempty" jsonschema:"description=Length of a pause. Default 5s."`
	Random bool     `yaml:"random" json:"random,omitempty" jsonschema:"description=Lengths are exponential with these means."`
}

// Ladder is single requests after growing idle gaps.
type Ladder struct {
	Start  Duration `yaml:"start" json:"start,omitempty" jsonschema:"description=Shortest gap. Default 1s."`
	Factor float64  `yaml:"factor" json:"factor,omitempty" jsonschema:"description=Ratio of a gap to the one before. Default 1.5."`
	Max    Duration `yaml:"max" json:"max,omitempty" jsonschema:"description=Longest gap\\, which ends the ladder. Default 10m."`
	Repeat int      `yaml:"repeat" json:"repeat,omitempty" jsonschema:"minimum=1,maximum=1000,description=Requests for each gap. Default 1."`
}

// gaps returns how many gaps the ladder has and how long all of them take.
func (l *Ladder) gaps() (n int, sum time.Duration) {
	for g := float64(l.Start); g < float64(l.Max)*(1-1e-9) && n < 2000; g *= l.Factor {
		n, sum = n+1, sum+time.Duration(g)
	}
	return n + 1, sum + l.Max.D()
}

// kind returns the name of the process that is given; "" for none.
func (a *Arrivals) kind() string {
	if given := fieldsGiven(a); len(given) > 0 {
		return given[0]
	}
	return ""
}

// Path names the process that is given, for a path in the plan: "arrivals.poisson".
func (a *Arrivals) Path() string { return strings.TrimSuffix("arrivals."+a.kind(), ".") }

func (a *Arrivals) defaults() {
	if g := a.Gamma; g != nil && g.CV == 0 && g.Shape == 0 {
		g.CV = 2
	}
	if w := a.Weibull; w != nil && w.Shape == 0 {
		w.Shape = 0.7
	}
	if d := a.Diurnal; d != nil {
		if d.Amplitude == nil {
			most := 0.8
			d.Amplitude = &most
		}
		orElse(&d.Period, Duration(time.Minute))
	}
	if o := a.OnOff; o != nil {
		orElse(&o.On, Duration(5*time.Second))
		orElse(&o.Off, Duration(5*time.Second))
	}
	if l := a.Ladder; l != nil {
		orElse(&l.Start, Duration(time.Second))
		orElse(&l.Factor, 1.5)
		orElse(&l.Max, Duration(10*time.Minute))
		orElse(&l.Repeat, 1)
	}
}

// lasts returns how long the process is of itself. ok is false where it has no end, or where only its trace knows it.
func (a *Arrivals) lasts() (d time.Duration, ok bool) {
	switch {
	case a.Stages != nil:
		for _, s := range a.Stages.Stages {
			d += s.For.D()
		}
		return d, true
	case a.Ladder != nil:
		_, sum := a.Ladder.gaps()
		return sum*time.Duration(a.Ladder.Repeat) + time.Second, true
	case a.Trace != nil && a.Trace.To != 0:
		scale := a.Trace.TimeScale
		if scale == 0 {
			scale = 1
		}
		return time.Duration(float64(a.Trace.To-a.Trace.From) * scale), true
	}
	return 0, false
}

// expect returns the mean number of requests in a phase of length d; NaN where only a trace knows it.
func (a *Arrivals) expect(d time.Duration) float64 {
	mean := func(rate Rate, to *Rate) float64 {
		if to != nil {
			rate = (rate + *to) / 2
		}
		return float64(rate) * d.Seconds()
	}
	switch {
	case a.Poisson != nil:
		return mean(a.Poisson.Rate, a.Poisson.To)
	case a.Even != nil:
		return mean(a.Even.Rate, a.Even.To)
	case a.Gamma != nil:
		return mean(a.Gamma.Rate, a.Gamma.To)
	case a.Weibull != nil:
		return mean(a.Weibull.Rate, a.Weibull.To)
	case a.Diurnal != nil:
		return mean(a.Diurnal.Rate, nil)
	case a.OnOff != nil:
		o := a.OnOff
		on, off := o.On.D().Seconds(), o.Off.D().Seconds()
		return (float64(o.Rate)*on + float64(o.Base)*off) / (on + off) * d.Seconds()
	case a.Stages != nil:
		n, last := 0.0, 0.0
		for _, s := range a.Stages.Stages {
			n += (last+float64(s.Rate))/2*s.Ramp.D().Seconds() + float64(s.Rate)*(s.For-s.Ramp).D().Seconds()
			last = float64(s.Rate)
		}
		whole, _ := a.lasts()
		return n * math.Min(1, d.Seconds()/whole.Seconds())
	case a.Ladder != nil:
		n, _ := a.Ladder.gaps()
		return float64(1 + n*a.Ladder.Repeat)
	}
	return math.NaN()
}

// arrivals checks a process.
func (c *checker) arrivals(at string, a *Arrivals) {
	given := fieldsGiven(a)
	if len(given) == 0 {
		c.bad(at, "is empty; give one of %s", choice(fieldsOf(a)))
		return
	}
	if len(given) > 1 {
		c.bad(at, "has both %s and %s; give one", given[0], given[1])
	}
	at += "." + given[0]
	switch {
	case a.Poisson != nil:
		c.rates(at, a.Poisson.Rate, a.Poisson.To)
	case a.Even != nil:
		c.rates(at, a.Even.Rate, a.Even.To)
	case a.Gamma != nil:
		c.rates(at, a.Gamma.Rate, a.Gamma.To)
		switch g := a.Gamma; {
		case g.CV != 0 && g.Shape != 0:
			c.bad(at+".shape", "stands beside cv; give one, since shape is 1/cv²")
		case g.CV != 0 && !(g.CV >= 0.01 && g.CV <= 20):
			c.bad(at+".cv", "%g is out of range; 0.01 to 20", g.CV)
		case g.Shape != 0 && !(g.Shape >= 0.0025 && g.Shape <= 10_000):
			c.bad(at+".shape", "%g is out of range; 0.0025 to 10000", g.Shape)
		}
	case a.Weibull != nil:
		c.rates(at, a.Weibull.Rate, a.Weibull.To)
		if s := a.Weibull.Shape; !(s >= 0.3 && s <= 100) {
			c.bad(at+".shape", "%g is out of range; 0.3 to 100", s)
		}
	case a.Stages != nil:
		c.stages(at, a.Stages)
	case a.Diurnal != nil:
		d := a.Diurnal
		c.rates(at, d.Rate, nil)
		if !(*d.Amplitude >= 0 && *d.Amplitude <= 1) {
			c.bad(at+".amplitude", "%g is out of range; 0 to 1", *d.Amplitude)
		}
		if d.Offset > d.Period {
			c.bad(at+".offset", "%v is beyond the period, %v", d.Offset.D(), d.Period.D())
		}
	case a.OnOff != nil:
		o := a.OnOff
		c.rates(at, o.Rate, nil)
		if o.Base > o.Rate {
			c.bad(at+".base", "%g/s is above the burst's %g/s; give at most that", float64(o.Base), float64(o.Rate))
		}
		if o.On.D()+o.Off.D() < time.Millisecond {
			c.bad(at, "has a cycle of %v; at least 1ms", o.On.D()+o.Off.D())
		}
	case a.Ladder != nil:
		c.ladder(at, a.Ladder)
	case a.Trace != nil:
		c.trace(at, a.Trace)
	}
}

// rates checks the rate of a process and, if it changes, where it goes.
func (c *checker) rates(at string, rate Rate, to *Rate) {
	for name, r := range map[string]*Rate{"rate": &rate, "to": to} {
		if r != nil && (*r > maxRate || *r < 0 || (name == "rate" && to == nil && *r == 0)) {
			c.bad(at+"."+name, "%g/s is out of range; more than 0 and at most %d/s", float64(*r), maxRate)
		}
	}
}

func (c *checker) stages(at string, s *Stages) {
	if len(s.Stages) == 0 {
		c.bad(at+".stages", "is empty; give at least one rate with its time, for example {rate: 5/s, for: 30s}")
	}
	for i, g := range s.Stages {
		at := fmt.Sprintf("%s.stages[%d]", at, i)
		if g.Rate > maxRate {
			c.bad(at+".rate", "%g/s is out of range; at most %d/s", float64(g.Rate), maxRate)
		}
		if g.For <= 0 || g.For.D() > maxFor {
			c.bad(at+".for", "is %v; a stage lasts more than 0 and at most %v", g.For.D(), maxFor)
		}
		if g.Ramp > g.For {
			c.bad(at+".ramp", "%v is longer than the stage, %v", g.Ramp.D(), g.For.D())
		}
	}
}

func (c *checker) ladder(at string, l *Ladder) {
	switch {
	case l.Start.D() < time.Millisecond:
		c.bad(at+".start", "%v is out of range; at least 1ms", l.Start.D())
	case !(l.Factor > 1 && l.Factor <= 100):
		c.bad(at+".factor", "%g is out of range; more than 1 and at most 100", l.Factor)
	case l.Max < l.Start || l.Max.D() > 7*24*time.Hour:
		c.bad(at+".max", "%v is out of range; at least start, %v, and at most a week", l.Max.D(), l.Start.D())
	case l.Repeat < 1 || l.Repeat > 1000:
		c.bad(at+".repeat", "%d is out of range; 1 to 1000", l.Repeat)
	default:
		if n, _ := l.gaps(); n > 1000 {
			c.bad(at+".factor", "%g makes more than 1000 gaps; raise it", l.Factor)
		}
	}
}

package plan

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
	"github.com/assay-dev/assay/internal/suggest"
)

// A Preset is a kind of test: a name that stands for load phases. It is written out when the plan is read, so that checks,
// estimates and the run's record see the phases and not the name. The phase that answers
// the question has the name that the plan gives; those around it have that name with a suffix.
type Preset struct {
	Name    string
	Answers string        // the question
	Phases  string        // what it does, in words
	Rate    Rate          // default; 0: it has none
	N       int           // default; 0: it has none
	least   time.Duration // default length, where its figures need less
	takes   func(l *Load) (time.Duration, string)
	phases  func(l Load) []Load
}

// Presets is the table of presets.
var Presets = []Preset{
	{"load", "Does it hold its objectives at the rate that is expected?",
		"a short warm-up, then Poisson load at rate", 10, 0, 30 * time.Second, takesSample(0.99, 2), presetLoad},
	{"stress", "Where is the limit, and is it well again after it?",
		"a short warm-up, a search from rate up until slo breaks, then rate again", 4, 0, 0, takesSearch, presetStress},
	{"concurrency", "What do n users get who each wait for their answer?",
		"a short warm-up, then a closed loop of n", 0, 8, 0, takesClosed, presetConcurrency},
	{"latency", "How long does an answer take when nothing queues?",
		"a short warm-up, then nearly even arrivals at a low rate", 2, 0, 0, takesSample(0.99, 1.5), presetLatency},
	{"soak", "Does it stay as good for hours, or does it drift and leak?",
		"a short warm-up, then Poisson load at rate for long", 5, 0, time.Hour, takesSoak, presetSoak},
}

// PresetNamed returns the preset of that name.
func PresetNamed(name string) (Preset, bool) {
	i := slices.IndexFunc(Presets, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	return Presets[i], true
}

// Default returns how long the preset is unless the plan says it.
func (p Preset) Default() time.Duration {
	d, _ := p.Takes(Load{})
	return max(d, p.least)
}

// Takes returns how long the preset has to be for its figures with the settings of l, and why. A rate or n of 0 is the preset's own.
func (p Preset) Takes(l Load) (time.Duration, string) {
	if l.Arrivals == nil {
		orElse(&l.Rate, p.Rate)
	}
	orElse(&l.N, p.N)
	return p.takes(&l)
}

// confidence is what the quantiles of a preset are planned for.
const confidence = 0.95

// strictest returns the highest quantile that slo asks for, at least q.
func strictest(q float64, slo map[string]Value) float64 {
	for metric := range slo {
		_, name, _ := strings.Cut(metric, "/")
		if v, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64); err == nil && v < 100 {
			q = max(q, v/100)
		}
	}
	return q
}

// takesSample is as long as the q-quantile, or the strictest that slo asks for, needs for its interval at the rate, times what
// requests are worth less for queueing behind one another.
func takesSample(q, bunched float64) func(*Load) (time.Duration, string) {
	return func(l *Load) (time.Duration, string) {
		q := strictest(q, l.SLO)
		n := stat.LeastN(q, confidence)
		rate := float64(l.Rate)
		if l.Arrivals != nil {
			rate = l.Arrivals.expect(time.Second)
		}
		why := fmt.Sprintf("p%g with its interval takes at least %d independent requests; %.0f are planned, since some queue behind others", q*100, n, math.Ceil(bunched*float64(n)))
		if !(rate > 0) {
			return 0, why
		}
		d := time.Duration(bunched * float64(n) / rate * 1e9).Round(time.Second)
		return max(d, time.Second), why
	}
}

// takesSearch is as long as a search takes to climb to twenty times its first rate and to decide about the rates around the limit in eight longer steps.
func takesSearch(l *Load) (time.Duration, string) {
	n := stat.LeastN(strictest(0.5, l.SLO), confidence)
	decide := max(16*time.Second, time.Duration(float64(n)/float64(l.Rate)*1e9).Round(time.Second))
	return 8*4*time.Second + 8*decide, fmt.Sprintf("8 steps of 4s reach 20 times rate, and 8 longer ones of %v and %d requests or more decide where the limit is", decide, n)
}

func takesClosed(*Load) (time.Duration, string) {
	return time.Minute, fmt.Sprintf("how many answers a closed loop gets depends on the target; p99 takes at least %d independent ones", stat.LeastN(0.99, confidence))
}

func takesSoak(l *Load) (time.Duration, string) {
	d, _ := takesSample(0.99, 2)(l)
	return 4 * d, "a drift is the slope through blocks of the run; four times what p99 needs lets each quarter bound it"
}

// warm is the length of a preset's warm-up before a phase of length d.
func warm(d Duration) Duration {
	return Duration(min(max(d.D()/10, 100*time.Millisecond), 10*time.Second).Round(10 * time.Millisecond))
}

// named returns a phase like l under its name with a suffix, without arrivals of its own.
func (l Load) named(suffix string, role assay.Role, d Duration) Load {
	l.Name += suffix
	l.Role, l.For, l.Arrivals, l.Settle, l.Max = role, d, nil, false, 0
	return l
}

func presetLoad(l Load) []Load { return sustained(l, &Arrivals{Poisson: &Process{Rate: l.Rate}}) }

func presetSoak(l Load) []Load { return sustained(l, &Arrivals{Poisson: &Process{Rate: l.Rate}}) }

func presetLatency(l Load) []Load {
	return sustained(l, &Arrivals{Gamma: &Gamma{Rate: l.Rate, CV: 0.3}}) // even ones might keep step with the target's own periods
}

// sustained is a warm-up and the load itself. Arrivals of the plan's own that end of themselves have no warm-up.
func sustained(l Load, a *Arrivals) []Load {
	main := l
	main.Role = assay.RoleSteady
	if l.Arrivals == nil {
		main.Arrivals = a
	}
	if _, ends := main.Arrivals.lasts(); ends || main.Arrivals.Trace != nil {
		return []Load{main}
	}
	begin := l.named("-warmup", assay.RoleWarmup, warm(l.For))
	begin.Until = ""
	begin.Arrivals = &Arrivals{Poisson: &Process{Rate: Rate(main.Arrivals.expect(time.Second))}}
	return []Load{begin, main}
}

func presetStress(l Load) []Load {
	begin := l.named("-warmup", assay.RoleWarmup, Duration(5*time.Second))
	begin.Arrivals = &Arrivals{Poisson: &Process{Rate: l.Rate}}
	find := l.named("", assay.RoleStress, 0)
	find.Search = &Search{Saturation: &Saturation{Start: l.Rate, SLO: l.SLO, For: l.For}}
	after := l.named("-after", assay.RoleSteady, Duration(20*time.Second))
	after.Arrivals = &Arrivals{Poisson: &Process{Rate: l.Rate}}
	after.Settle = true
	return []Load{begin, find, after}
}

func presetConcurrency(l Load) []Load {
	main := l
	main.Role = assay.RoleSteady
	main.Closed = &Closed{N: l.N}
	begin := l.named("-warmup", assay.RoleWarmup, warm(l.For))
	begin.Closed = &Closed{N: l.N, Ramp: begin.For / 2}
	return []Load{begin, main}
}

// expand writes presets out as phases, and what their slo asks as objectives.
func (p *Plan) expand() error {
	c := &checker{d: p.src}
	p.expandSuite(c)
	var out []Load
	for i, l := range p.Load {
		l.at = fmt.Sprintf("load[%d]", i)
		if l.Preset == "" {
			for name, is := range map[string]bool{"rate": l.Rate != 0, "n": l.N != 0, "slo": l.SLO != nil} {
				if is {
					c.bad(l.at+"."+name, "belongs to a preset; give preset, or put it under arrivals, closed or search")
				}
			}
			out = append(out, l)
			continue
		}
		s, ok := PresetNamed(l.Preset)
		if !ok {
			var names []string
			for _, k := range Presets {
				names = append(names, k.Name)
			}
			c.bad(l.at+".preset", "%q is no preset; %s", l.Preset, suggest.Meant(l.Preset, names))
			continue
		}
		if c.preset(&l, s); l.Name == "" {
			l.Name = s.Name
		}
		if l.Arrivals == nil || l.Rate != 0 {
			orElse(&l.Rate, s.Rate)
		}
		orElse(&l.N, s.N)
		if l.Arrivals != nil {
			l.Arrivals.defaults()
		}
		if _, ends := lastsOf(l.Arrivals); l.For == 0 && !ends {
			d, _ := s.Takes(l)
			l.For = Duration(max(d, s.least))
		}
		if s.Name != "stress" {
			for _, metric := range sortedKeys(l.SLO) {
				v := l.SLO[metric]
				p.Objectives = append(p.Objectives, Objective{Metric: metric, Phase: l.Name, Max: &v, at: l.at + ".slo." + metric})
			}
		}
		for _, ph := range s.phases(l) {
			ph.Preset, ph.Rate, ph.N, ph.SLO = "", 0, 0, nil
			out = append(out, ph)
		}
	}
	p.Load = out
	return errors.Join(c.err(), p.ungroup())
}

func lastsOf(a *Arrivals) (time.Duration, bool) {
	if a == nil {
		return 0, false
	}
	d, ok := a.lasts()
	return d, ok || a.Trace != nil
}

// preset checks the settings of a preset before it is written out.
func (c *checker) preset(l *Load, s Preset) {
	for name, is := range map[string]bool{"closed": l.Closed != nil, "search": l.Search != nil, "hold": l.Hold != nil, "cold": l.Cold != nil, "k6": l.K6 != "",
		"role": l.Role != ""} {
		if is {
			c.bad(l.at+"."+name, "stands beside preset %s, which sets it; leave one out", s.Name)
		}
	}
	if l.Arrivals != nil && s.Name != "load" && s.Name != "soak" {
		c.bad(l.at+".arrivals", "stands beside preset %s, which sets them; presets load and soak take arrivals in place of rate", s.Name)
	} else if l.Arrivals != nil && l.Rate != 0 {
		c.bad(l.at+".rate", "stands beside arrivals, which have their own; leave one out")
	}
	if l.Rate < 0 || l.Rate > maxRate {
		c.bad(l.at+".rate", "%g/s is out of range; more than 0 and at most %d/s", float64(l.Rate), maxRate)
	}
	if l.Rate != 0 && s.Rate == 0 {
		c.bad(l.at+".rate", "preset %s has no rate: n holds the requests in flight; leave rate out", s.Name)
	}
	if l.N != 0 && s.N == 0 {
		c.bad(l.at+".n", "belongs to preset concurrency, not %s; give rate", s.Name)
	}
	if s.Name == "stress" && len(l.SLO) == 0 {
		c.bad(l.at, "preset stress needs slo: what breaks at the limit, for example {ttft/p95: 500ms} or {error_ratio: 1%%}")
	}
}

func sortedKeys[V any](m map[string]V) []string {
	out := keys(m)
	slices.Sort(out)
	return out
}

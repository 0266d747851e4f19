package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// This file translates the load of a plan. It opens the files that the load names, so its errors say where the plan does.

// phases returns the load of a plan.
func phases(p *plan.Plan) ([]loadgen.Phase, error) {
	var out []loadgen.Phase
	var errs []error
	said := map[string]bool{} // the phases of a preset share its settings, and what is wrong with them
	for i := range p.Load {
		ph, err := phase(p, i)
		if err != nil && !said[err.Error()] {
			said[err.Error()] = true
			errs = append(errs, err)
		}
		out = append(out, ph)
	}
	return out, errors.Join(errs...)
}

func phase(p *plan.Plan, i int) (ph loadgen.Phase, err error) {
	l := &p.Load[i]
	ph = loadgen.Phase{Name: l.Name, Role: l.Role, Class: l.Class, For: l.For.D(), Max: l.Max, Settle: l.Settle}
	if err := workload(p, i, &ph); err != nil {
		return ph, err
	}
	switch {
	case l.K6 != "":
		ph.External = unprepared // until a run prepares it
		return ph, p.Wrong(i, "k6", readable(p.Path(l.K6)))
	case l.Search != nil:
		ph.Search = search(l.Search)
	case l.Closed != nil:
		ph.Closed = &loadgen.Closed{N: l.Closed.N, Think: think(l.Closed.Think), Ramp: l.Closed.Ramp.D()}
	case l.Cold != nil:
		ph.Cold = &loadgen.Cold{Force: l.Cold.Force, Every: l.Cold.Every.D(), Settle: l.Cold.Settle.D()}
	case l.Hold != nil:
		ph.Hold = &loadgen.Hold{Of: l.Hold.Of, Share: float64(l.Hold.Share)}
	case l.Arrivals != nil:
		ph.Arrivals = arrivals(p, l.Arrivals)
		if err := ph.Arrivals.Check(); err != nil {
			return ph, p.Wrong(i, l.Arrivals.Path(), err)
		}
	}
	return ph, nil
}

// search returns the search of a phase.
func search(s *plan.Search) *loadgen.Search {
	c := s.Steps()
	out := &loadgen.Search{Start: float64(c.Start), Factor: c.Factor, Step: c.Step.D(), For: c.For.D(), Max: float64(c.Max), Within: c.Within, Even: c.Even, Knee: s.Knee != nil}
	if sat := s.Saturation; sat != nil {
		out.SLO, out.Confirm, out.Confidence = sat.Limits(), sat.Confirm.D(), sat.Confidence
	}
	return out
}

// arrivals returns the arrival process of a phase.
func arrivals(p *plan.Plan, a *plan.Arrivals) loadgen.Arrivals {
	switch {
	case a.Even != nil:
		return loadgen.Even{Profile: profile(a.Even.Rate, a.Even.To)}
	case a.Gamma != nil:
		return loadgen.Gamma{Profile: profile(a.Gamma.Rate, a.Gamma.To), CV: a.Gamma.CV, Shape: a.Gamma.Shape}
	case a.Weibull != nil:
		return loadgen.Weibull{Profile: profile(a.Weibull.Rate, a.Weibull.To), Shape: a.Weibull.Shape}
	case a.Stages != nil:
		s := loadgen.Stages{Even: a.Stages.Even}
		for _, g := range a.Stages.Stages {
			s.Stages = append(s.Stages, loadgen.Stage{Rate: float64(g.Rate), For: g.For.D(), Ramp: g.Ramp.D()})
		}
		return s
	case a.Diurnal != nil:
		d := a.Diurnal
		return loadgen.Diurnal{Rate: float64(d.Rate), Amplitude: *d.Amplitude, Period: d.Period.D(), Offset: d.Offset.D()}
	case a.OnOff != nil:
		o := a.OnOff
		return loadgen.OnOff{Rate: float64(o.Rate), Base: float64(o.Base), On: o.On.D(), Off: o.Off.D(), Random: o.Random}
	case a.Ladder != nil:
		return loadgen.Ladder{Start: a.Ladder.Start.D(), Factor: a.Ladder.Factor, Max: a.Ladder.Max.D(), Repeat: a.Ladder.Repeat}
	case a.Trace != nil:
		return loadgen.Replay{Trace: p.Settings(a.Trace)}
	}
	return loadgen.Poisson{Profile: profile(a.Poisson.Rate, a.Poisson.To)}
}

func profile(rate plan.Rate, to *plan.Rate) loadgen.Profile {
	out := loadgen.Profile{Rate: float64(rate)}
	if to != nil {
		end := float64(*to)
		out.To = &end
	}
	return out
}

func think(t plan.Think) loadgen.Think { return loadgen.Think{Mean: t.Mean.D(), CV: t.CV} }

// workload fills in what a phase sends.
func workload(p *plan.Plan, i int, ph *loadgen.Phase) (err error) {
	l := &p.Load[i]
	if ph.Prompt, err = lengths(p, i, "prompt", &l.Prompt); err != nil {
		return err
	}
	if ph.Output, err = lengths(p, i, "output", &l.Output); err != nil {
		return err
	}
	if x := l.Prefix; x != nil {
		ph.Prefix = &loadgen.Prefix{Share: float64(*x.Share), Groups: x.Groups, Tokens: x.Tokens, Skew: x.Skew}
	}
	if u := l.Users; u != nil {
		ph.Users = &loadgen.Users{N: u.N, Skew: u.Skew}
	}
	if s := l.Session; s != nil {
		ph.Session = &loadgen.Session{Think: think(s.Think)}
		if ph.Session.Turns, err = lengths(p, i, "session.turns", &s.Turns); err != nil {
			return err
		}
		if ph.Session.Message, err = lengths(p, i, "session.message", s.Message); err != nil {
			return err
		}
	}
	if t := l.Prompts; t != nil {
		if ph.Texts, err = loadgen.ReadPrompts(p.Path(t.File)); err != nil {
			return p.Wrong(i, "prompts", err)
		}
		ph.Texts.Random = t.Random
	}
	for j := range l.Mix {
		m := &l.Mix[j]
		s := loadgen.Share{Class: m.Class, Weight: *m.Weight}
		for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
			s.Headers = append(s.Headers, [2]string{name, m.Headers[name]})
		}
		at := fmt.Sprintf("mix[%d].", j)
		if s.Prompt, err = lengths(p, i, at+"prompt", m.Prompt); err != nil {
			return err
		}
		if s.Output, err = lengths(p, i, at+"output", m.Output); err != nil {
			return err
		}
		ph.Mix = append(ph.Mix, s)
	}
	return nil
}

// lengths returns a distribution of lengths that stands at a path of phase i; nil for none.
func lengths(p *plan.Plan, i int, at string, l *plan.Lengths) (loadgen.Lengths, error) {
	switch {
	case l == nil:
		return nil, nil
	case l.Uniform != nil:
		return loadgen.Uniform{Min: l.Uniform.Min, Max: l.Uniform.Max}, nil
	case l.Normal != nil:
		n := l.Normal
		return loadgen.Normal{Mean: n.Mean, SD: n.SD, Min: n.Min, Max: n.Max}, nil
	case l.Lognormal != nil:
		n := l.Lognormal
		return loadgen.Lognormal{Mean: n.Mean, SD: n.SD, Min: n.Min, Max: n.Max}, nil
	case l.Histogram != "":
		e, err := loadgen.ReadHistogram(p.Path(l.Histogram))
		if err != nil {
			return nil, p.Wrong(i, at+".histogram", err)
		}
		return e, nil
	case l.Trace != nil:
		in, out, err := loadgen.TraceLengths(p.Settings(l.Trace))
		e := in
		if strings.HasSuffix(at, "output") {
			e = out
		}
		if err == nil && e == nil {
			err = errors.New("the trace gives no such length; say which column holds it")
		}
		if err != nil {
			return nil, p.Wrong(i, at+".trace", err)
		}
		return e, nil
	}
	return loadgen.Fixed(l.Tokens), nil
}

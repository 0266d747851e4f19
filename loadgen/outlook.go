package loadgen

import (
	"fmt"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/trace"
)

// An Outlook is what one phase of a schedule will do.
type Outlook struct {
	Name     string
	Role     assay.Role
	For      time.Duration // as long as it takes at most
	Requests int           // turns of sessions included, as if all ended in the phase; -1: decided in the run
	Peak     float64       // highest rate it plans, requests per second; 0: decided in the run
	Law      string        // when requests are due, in words
	Work     string        // what they ask for, in words; "" for a phase without load
	Trace    string        // what a replayed trace holds, in words; "" for others
}

// Outlook returns what each phase will do. It reads replayed traces once more.
func (s *Schedule) Outlook() ([]Outlook, error) {
	var out []Outlook
	for i := range s.phases {
		p := &s.phases[i]
		o := Outlook{Name: p.Name, Role: p.Role, For: p.For, Requests: s.drawn[i].ids, Law: p.law(), Work: p.work()}
		_, o.Peak = s.rate(i)
		switch {
		case p.Search != nil:
			o.For, o.Requests = p.Search.For, -1
		case p.Closed != nil || p.Hold != nil:
			o.Requests = -1
		case p.Cold != nil:
			o.Requests = p.Cold.Force
		case p.External != nil:
			o.Requests, o.Work = -1, ""
		}
		if r, ok := p.Arrivals.(Replay); ok {
			text, err := r.holds()
			if err != nil {
				return nil, fmt.Errorf("load phase %d %q: %w", i+1, p.Name, err)
			}
			o.Trace = text
		}
		out = append(out, o)
	}
	return out, nil
}

// law says in words when requests are due.
func (p *Phase) law() string {
	switch {
	case p.Search != nil:
		return fmt.Sprintf("a search from %s/s up by a factor of %s, in steps of %v", number(p.Search.Start), number(p.Search.Factor), p.Search.Step)
	case p.Closed != nil:
		s := fmt.Sprintf("a closed loop of %d", p.Closed.N)
		if p.Closed.Ramp > 0 {
			s += fmt.Sprintf(", begun over %v", p.Closed.Ramp)
		}
		return s + p.Closed.Think.words()
	case p.Hold != nil:
		return fmt.Sprintf("Poisson at %s of the highest rate that %s finds", number(p.Hold.Share), p.Hold.Of)
	case p.Cold != nil:
		return fmt.Sprintf("%d cold starts, each forced and waited for", p.Cold.Force)
	case p.External != nil:
		return "as another program sends"
	case p.Arrivals == nil:
		return "silence"
	}
	return Law(p.Arrivals)
}

// Law says in words when requests of an arrival process are due.
func Law(a Arrivals) string {
	switch a := a.(type) {
	case Poisson:
		return "Poisson at " + a.words()
	case Even:
		return "equal gaps at " + a.words()
	case Gamma:
		if a.Shape > 0 {
			return fmt.Sprintf("gamma gaps of shape %s at %s", number(a.Shape), a.words())
		}
		return fmt.Sprintf("gamma gaps of variation %s at %s", number(a.CV), a.words())
	case Weibull:
		return fmt.Sprintf("Weibull gaps of shape %s at %s", number(a.Shape), a.words())
	case Stages:
		var parts []string
		for _, g := range a.Stages {
			s := fmt.Sprintf("%s/s for %v", number(g.Rate), g.For)
			if g.Ramp > 0 {
				s += fmt.Sprintf(" after a ramp of %v in it", g.Ramp)
			}
			parts = append(parts, s)
		}
		law := "Poisson"
		if a.Even {
			law = "equal gaps"
		}
		return law + " in stages: " + strings.Join(parts, ", ")
	case Diurnal:
		return fmt.Sprintf("Poisson at %s/s that rises and falls by %s of it every %v", number(a.Rate), number(a.Amplitude), a.Period)
	case OnOff:
		lengths := ""
		if a.Random {
			lengths = " on average"
		}
		return fmt.Sprintf("Poisson bursts at %s/s for %v, %s/s for %v between them%s", number(a.Rate), a.On, number(a.Base), a.Off, lengths)
	case Ladder:
		f := a.filled()
		return fmt.Sprintf("single requests after idle gaps: %d gaps from %v to %v, %d requests each", len(a.Gaps()), f.Start, f.Max, f.Repeat)
	case Replay:
		return "as recorded in " + strings.Join(a.Trace.Paths, ", ")
	}
	return fmt.Sprintf("%T", a)
}

func (p Profile) words() string {
	if p.To != nil && *p.To != p.Rate {
		return fmt.Sprintf("%s/s, going to %s/s", number(p.Rate), number(*p.To))
	}
	return number(p.Rate) + "/s"
}

func (t Think) words() string {
	if t.Mean == 0 {
		return ""
	}
	s := fmt.Sprintf(", %v of thought between them", t.Mean)
	if t.CV > 0 {
		s += fmt.Sprintf(" (variation %s)", number(t.CV))
	}
	return s
}

// work says in words what the phase's requests ask for.
func (p *Phase) work() string {
	if p.Arrivals == nil && p.Closed == nil && p.Search == nil && p.Hold == nil && p.Cold == nil {
		return ""
	}
	var parts []string
	if p.Texts != nil {
		parts = append(parts, fmt.Sprintf("%d prompts from a file", p.Texts.Len()))
	} else {
		parts = append(parts, "prompts of "+lengthWords(p.Prompt))
	}
	parts = append(parts, "answers of "+lengthWords(p.Output))
	if _, ok := p.Arrivals.(Replay); ok {
		parts = []string{"lengths of the trace; where it has none " + strings.Join(parts, ", ")}
	}
	if x := p.Prefix; x != nil {
		parts = append(parts, fmt.Sprintf("%s %% begin with one of %d prefixes of %d tokens", number(100*x.Share), x.Groups, x.Tokens))
	}
	if s := p.Session; s != nil {
		parts = append(parts, "sessions of "+strings.TrimSuffix(lengthWords(s.Turns), " tokens")+" turns"+s.Think.words())
	}
	if u := p.Users; u != nil {
		text := fmt.Sprintf("from %d users", u.N)
		if u.Skew > 0 {
			text += ", by Zipf's law with exponent " + number(u.Skew)
		}
		parts = append(parts, text)
	}
	if len(p.Mix) > 0 {
		total := 0.0
		for _, s := range p.Mix {
			total += s.Weight
		}
		var names []string
		for _, s := range p.Mix {
			own := ""
			if s.Prompt != nil {
				own += ", prompts of " + lengthWords(s.Prompt)
			}
			if s.Output != nil {
				own += ", answers of " + lengthWords(s.Output)
			}
			if own != "" {
				own = " (" + own[2:] + ")"
			}
			names = append(names, fmt.Sprintf("%s %s %%%s", s.Class, number(100*s.Weight/total), own))
		}
		parts = append(parts, "classes "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}

func lengthWords(l Lengths) string {
	switch l := l.(type) {
	case nil:
		return "no set length"
	case Fixed:
		return fmt.Sprintf("%d tokens", int(l))
	case Uniform:
		return fmt.Sprintf("%d to %d tokens", l.Min, l.Max)
	case Normal:
		return fmt.Sprintf("%s±%s tokens", number(l.Mean), number(l.SD))
	case Lognormal:
		return fmt.Sprintf("%s±%s tokens, lognormal", number(l.Mean), number(l.SD))
	case *Empirical:
		return fmt.Sprintf("%s tokens on average, from %d lengths that were seen", number(l.Mean()), len(l.lengths))
	}
	return fmt.Sprintf("%T", l)
}

// holds says in words what the trace holds and by which rules it is replayed.
func (r Replay) holds() (string, error) {
	f, err := r.Trace.Filled()
	if err != nil {
		return "", err
	}
	var st trace.Stats
	for _, err := range r.Trace.Each(0, &st) {
		if err != nil {
			return "", err
		}
	}
	window := ""
	if f.From > 0 || f.To > 0 {
		window = " up to the window's end"
	}
	parts := []string{fmt.Sprintf("%s: %d rows read%s, %d outside the window, %d with a length of zero tokens", f.Kind, st.Rows, window, st.Outside, st.Zero)}
	if st.Zero > 0 && f.Zero == "keep" {
		parts = append(parts, "those get one token")
	} else if st.Dropped > 0 {
		parts = append(parts, "those are dropped")
	}
	if st.Disorder > 0 {
		parts = append(parts, fmt.Sprintf("%d out of order", st.Disorder))
	}
	switch f.Spread {
	case "none":
		parts = append(parts, "stamps are taken as they are")
	default:
		parts = append(parts, fmt.Sprintf("requests of one stamp are spread over its step of %v: %s", f.Step, f.Spread))
	}
	if f.TimeScale != 1 {
		parts = append(parts, fmt.Sprintf("time times %s", number(f.TimeScale)))
	}
	if f.RateScale != 1 {
		parts = append(parts, fmt.Sprintf("rate times %s: %d copies, %d left out", number(f.RateScale), st.Copies, st.Thinned))
	}
	return strings.Join(parts, "; "), nil
}

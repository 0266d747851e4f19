package loadgen

import (
	"math"
	"time"
)

// A Need is what one phase asks of a target and of a budget.
type Need struct {
	Phase    string
	For      time.Duration // as long as it takes at most
	Requests float64       // as drawn; where the run decides, the most if that is limited, else what a search sends at least, or 0
	Most     float64       // +Inf where nothing but the run's length limits it
	Prompt   float64       // mean tokens of a prompt
	Answer   float64       // mean tokens asked for; 0 where no limit is asked for
}

// needDraws is how many requests stand for a phase whose requests are drawn in the run.
const needDraws = 256

// Needs returns what each phase needs. A search counts as its worst case: every step holds, as fast as it may climb, and then it stays at its
// highest rate; so it never sends more. Turns of sessions carry the turns before them. Retries and canaries are not in it.
func (s *Schedule) Needs() []Need {
	out := make([]Need, len(s.phases))
	most := map[string]float64{} // rate that a search may reach
	for i := range s.phases {
		p, d, n := &s.phases[i], &s.drawn[i], &out[i]
		*n = Need{Phase: p.Name, For: p.For, Requests: float64(d.ids), Most: float64(d.ids)}
		if d.ids > 0 {
			n.Prompt, n.Answer = d.in/float64(d.ids), d.out/float64(d.ids)
			continue
		}
		switch {
		case p.Search != nil:
			n.For = p.Search.For
			n.Most, most[p.Name] = p.Search.worst()
			n.Requests = min(p.Search.Start*p.Search.For.Seconds(), n.Most)
		case p.Hold != nil:
			n.Most = most[p.Hold.Of] * p.Hold.Share * p.For.Seconds()
			n.Requests = n.Most
		case p.Cold != nil:
			n.Requests, n.Most = float64(p.Cold.Force), float64(p.Cold.Force)
		case p.Closed != nil, p.External != nil:
			n.Most = math.Inf(1)
		default:
			continue
		}
		if p.Max > 0 {
			n.Most, n.Requests = min(n.Most, float64(p.Max)), min(n.Requests, float64(p.Max))
			if p.Search == nil {
				n.Requests = n.Most
			}
		}
		if p.External != nil {
			continue
		}
		f := newDigest(p, s.seed)
		draw := p.drawer(s.seed, p.Name)
		for range needDraws {
			r := planned{in: unknown, out: unknown}
			draw.fill(&r)
			f.add(&r)
		}
		n.Prompt, n.Answer = f.in/float64(f.ids), f.out/float64(f.ids)
		if p.Session != nil && p.Max > 0 { // it counts first turns
			turns := float64(f.ids) / float64(f.n)
			n.Most, n.Requests = n.Most*turns, n.Requests*turns
		}
	}
	return out
}

// worst returns the most requests that a search may send and the highest rate it may reach.
func (s *Search) worst() (requests, rate float64) {
	rate = s.Start
	for left := s.For; left > 0; left -= s.Step {
		requests += rate * min(left, s.Step).Seconds()
		if left > s.Step {
			rate = min(s.Max, rate*s.Factor)
		}
	}
	return requests, rate
}

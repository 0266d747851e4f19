package facts

import (
	"slices"

	"github.com/assay-dev/assay"
)

// Rules say what an episode of the service is. See the package comment for the defaults and why.
type Rules struct {
	Enter   int     // failures in a row that begin one
	Ratio   float64 // or share of failures among the last Least
	Least   int     // judged requests that the share is taken of
	Window  int64   // within which these must lie
	Leave   int     // successes in a row that end one
	Merge   int64   // two that lie less apart are one
	Silence int64   // without a judged request nothing is known
	Users   bool    // others made the requests: their client errors judge nothing
}

// RulesOf returns the default rules, fitted to a run: the merge gap is no shorter than two probe periods,
// and time is unknown no sooner than after five mean gaps of the slowest phase.
func RulesOf(m *assay.Manifest, phases []assay.Phase) Rules {
	r := Rules{Enter: 3, Ratio: 0.5, Least: 8, Window: 10 * second, Leave: 5, Merge: max(second, 2*m.Probe), Silence: 10 * second, Users: m.Imported}
	for i := range phases {
		if rate := phases[i].Rate; rate > 0 && phases[i].Role != assay.RoleIdle {
			r.Silence = max(r.Silence, int64(5/rate*float64(second)))
		}
	}
	return r
}

// Scaled returns the rules with counts and gaps multiplied by k, to see how much the number of episodes hangs on them.
func (r Rules) Scaled(k float64) Rules {
	n := func(v int) int { return max(1, int(float64(v)*k+0.5)) }
	r.Enter, r.Leave, r.Merge = n(r.Enter), n(r.Leave), int64(float64(r.Merge)*k)
	r.Least = n(r.Least)
	return r
}

// Stand returns the instant for which a judged request speaks. See the package comment.
func Stand(faults []assay.FaultWindow, r *assay.Request) int64 {
	if !r.Outcome.Failed() {
		return r.Due
	}
	t := r.Due
	if r.Outcome.Cut() || r.Outcome == assay.Timeout {
		t = max(t, r.FirstByte)
		if n := len(r.Arrivals); n > 0 {
			t = max(t, r.Arrivals[n-1])
		}
	}
	for i := range faults {
		if w := &faults[i]; w.Applied != 0 && t < w.Applied && w.Applied <= r.End {
			return w.Applied
		}
	}
	return t
}

// A verdict is what one request says of the service at one instant.
type verdict struct {
	at     int64
	failed bool
}

func (v verdict) before(w verdict) bool {
	return v.at < w.at || v.at == w.at && v.failed && !w.failed
}

// pending is a binary heap; container/heap would allocate for each verdict.
type pending []verdict

func (p *pending) push(v verdict) {
	h := append(*p, v)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	*p = h
}

func (p *pending) pop() verdict {
	h := *p
	top, n := h[0], len(h)-1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if h[c].before(h[least]) {
				least = c
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	*p = h
	return top
}

// A Detector finds the episodes of the service in a stream of requests. Its memory is
// bounded by the requests in flight and the episodes found.
type Detector struct {
	rules  Rules
	faults []assay.FaultWindow
	wait   pending // verdicts later than the due of requests still to come

	recent   []verdict // the last max(Least, Enter) verdicts
	seen     bool
	lastGood int64 // latest success; 0 if none since the watch began or broke off
	last     int64
	run      int // failures in a row
	good     int // successes in a row, in an episode
	goodAt   int64
	open     *assay.Episode
	out      []assay.Episode
}

// NewDetector returns a detector by the given rules; the faults move the requests they hit.
func NewDetector(r Rules, faults []assay.FaultWindow) *Detector {
	return &Detector{rules: r, faults: faults}
}

// Add takes the next request in order of Due.
func (d *Detector) Add(r *assay.Request) {
	// A verdict never stands before its request was due, so all before this due are complete.
	for len(d.wait) > 0 && d.wait[0].at <= r.Due {
		d.take(d.wait.pop())
	}
	if !r.Outcome.Judged() || d.rules.Users && r.Outcome == assay.ClientError {
		return
	}
	d.wait.push(verdict{Stand(d.faults, r), r.Outcome.Failed()})
}

func (d *Detector) take(v verdict) {
	if d.seen && v.at-d.last > d.rules.Silence {
		d.silence(v.at)
	}
	d.seen, d.last = true, v.at
	if n := max(d.rules.Least, d.rules.Enter); len(d.recent) == n {
		d.recent = append(d.recent[:0], d.recent[1:]...)
	}
	d.recent = append(d.recent, v)
	if d.open != nil {
		d.inside(v)
		return
	}
	if !v.failed {
		d.run, d.lastGood = 0, v.at
		return
	}
	d.run++
	if first := d.entering(); first >= 0 {
		d.begin(first)
	}
}

// entering returns the index in recent of the first failure of an episode, or -1.
func (d *Detector) entering() int {
	n := len(d.recent)
	if d.run >= d.rules.Enter && n >= d.rules.Enter {
		first := n - min(n, d.run)
		return first
	}
	if n < d.rules.Least {
		return -1
	}
	w := d.recent[n-d.rules.Least:]
	if w[len(w)-1].at-w[0].at > d.rules.Window {
		return -1
	}
	bad, first := 0, -1
	for i, v := range w {
		if v.failed {
			bad++
			if first < 0 {
				first = n - d.rules.Least + i
			}
		}
	}
	if bad < 2 || float64(bad) < d.rules.Ratio*float64(len(w)) {
		return -1
	}
	return first
}

func (d *Detector) begin(first int) {
	e := assay.Episode{Subject: assay.Service, Begin: d.recent[first].at}
	for _, v := range d.recent[first:] {
		if v.failed {
			e.Lost++
			e.End = v.at
		}
	}
	for i := first - 1; i >= 0; i-- {
		if !d.recent[i].failed {
			e.BeginLo = d.recent[i].at
			break
		}
	}
	if e.BeginLo == 0 && d.lastGood != 0 && d.lastGood <= e.Begin {
		e.BeginLo = d.lastGood
	}
	if e.BeginLo == 0 {
		e.BeginLo, e.LeftCensored = e.Begin, true
	}
	d.open, d.good = &e, 0
}

func (d *Detector) inside(v verdict) {
	if v.failed {
		d.open.Lost++
		d.open.End, d.good = v.at, 0
		return
	}
	d.lastGood = v.at
	if d.good == 0 {
		d.goodAt = v.at
	}
	if d.good++; d.good >= d.rules.Leave {
		d.open.EndHi = d.goodAt
		d.close()
	}
}

// silence ends what was going on: nothing is known from the last verdict until now.
func (d *Detector) silence(now int64) {
	if d.open != nil {
		if d.good > 0 {
			d.open.EndHi = d.goodAt
		} else {
			d.open.EndHi, d.open.RightCensored = now, true
		}
		d.close()
	}
	d.recent, d.run, d.lastGood = d.recent[:0], 0, 0
}

func (d *Detector) close() {
	e := d.open
	d.open, d.run, d.good = nil, 0, 0
	if n := len(d.out); n > 0 {
		p := &d.out[n-1]
		if !p.RightCensored && e.Begin-p.EndHi < d.rules.Merge {
			p.End, p.EndHi, p.RightCensored = e.End, e.EndHi, e.RightCensored
			p.Lost += e.Lost
			return
		}
	}
	d.out = append(d.out, *e)
	d.recent = slices.DeleteFunc(d.recent, func(v verdict) bool { return v.failed })
}

// Finish returns the episodes of a watch that ended at end, without their ledger.
func (d *Detector) Finish(end int64) []assay.Episode {
	for len(d.wait) > 0 {
		d.take(d.wait.pop())
	}
	if d.open != nil {
		if d.good > 0 {
			d.open.EndHi = d.goodAt // good to the end, though not long enough to be sure
		} else {
			d.open.EndHi, d.open.RightCensored = max(end, d.open.End), true
		}
		d.close()
	}
	return d.out
}

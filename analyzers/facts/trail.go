package facts

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// Constants of user recovery. See [Trails].
const (
	felt     = 3            // requests the victim must have carried for its fault to be felt
	slowOf   = 8            // of so many requests in a row …
	slowBad  = 4            // … so many slow ones are a hurt, fewer are stray
	slowRun  = 3            // as are so many in a row
	wellRun  = 8            // requests in a row without hurt that make users well
	wellTail = 3            // or so many, if the load then ended
	lookBack = 10 * second  // to see how much the victim carried
	trailMax = 120 * second // after the fault ended: users that are hurt longer are unrecovered
	trailCap = 1 << 20      // requests kept for one fault
)

// TPOT returns the mean time per answer token after the first, in ns, from the
// last content chunk; ok is false for answers of one token or without a stream.
func TPOT(r *assay.Request) (float64, bool) {
	if r.FirstToken == 0 || r.TokensOut < 2 || len(r.Arrivals) < 2 {
		return 0, false
	}
	return float64(r.Arrivals[len(r.Arrivals)-1]-r.FirstToken) / float64(r.TokensOut-1), true
}

type touchState uint8

const (
	touchWell touchState = iota
	touchSlow
	touchFailed
	touchSilent // judges nothing
)

type touch struct {
	due, end int64
	state    touchState
	outcome  assay.Outcome
	victim   bool
	known    bool // which instance served it is known
}

// Users is what one fault did to the users.
//
// A request is hurt when it failed, or when it was slower than a latency objective and not alone in
// that: one of three slow ones in a row, or of four among eight. Users are well again with the first of eight requests in a row, by the instant they
// were due after the fault, of which none is hurt. A hurt that begins while the fault is in force, or while the capacity it took is
// missing, or within two probe periods of either or of an earlier recovery, belongs to the fault.
type Users struct {
	State     assay.FaultState
	LastHurt  int64 // last instant known bad; 0 if none was hurt after the fault was applied
	Recovered int64 // first instant known good again; the applied instant if none was hurt; 0 if unrecovered
	Until     int64 // last instant looked at
	Lost      int
	Touched   int // judged requests that were in flight inside window and washout
	Well      int // of these, served
	Silent    int // of these, not judged: throttled, refused by our cap, unfinished
	Streams   map[string]int
	Carried   float64 // requests the victim would have carried, as far as known
	Warnings  []string
}

// Trails gathers, for each fault, the requests that tell how its users fared.
type Trails struct {
	limits Limits
	wait   int64
	faults []assay.FaultWindow
	until  []int64
	seqs   [][]touch
}

// NewTrails returns trails for the faults of f.
func NewTrails(f *assay.Facts) *Trails {
	t := &Trails{limits: LimitsOf(f.Manifest), wait: cmp.Or(f.Manifest.MaxWait, 60*second), faults: f.Faults, seqs: make([][]touch, len(f.Faults))}
	for i := range f.Faults {
		w := &f.Faults[i]
		until := closed(w) + trailMax
		if w.Reverted == 0 && w.Clear == 0 {
			until = 1<<63 - 1
		}
		for j := range f.Faults {
			if n := &f.Faults[j]; j != i && n.Applied > w.Applied {
				until = min(until, from(n))
			}
		}
		t.until = append(t.until, until)
	}
	return t
}

// Add takes the next request in order of Due.
func (t *Trails) Add(r *assay.Request) {
	if r.Canary {
		return
	}
	for i := range t.faults {
		w := &t.faults[i]
		if w.Applied == 0 || r.Due > t.until[i] || r.Due < w.Applied-max(lookBack, t.wait) || len(t.seqs[i]) >= trailCap {
			continue
		}
		c := touch{due: r.Due, end: max(r.End, r.Due), outcome: r.Outcome, victim: w.Hurts(r.Instance), known: r.Instance != "" || w.Hurts(""), state: touchSilent}
		switch {
		case r.Outcome.Failed():
			c.state = touchFailed
		case r.Outcome == assay.OK && t.limits.Missed(r) != nil:
			c.state = touchSlow
		case r.Outcome == assay.OK:
			c.state = touchWell
		}
		t.seqs[i] = append(t.seqs[i], c)
	}
}

// Users says how the users fared under fault i of f.
func (t *Trails) Users(f *assay.Facts, i int) Users {
	w := &f.Faults[i]
	u := Users{Streams: map[string]int{}}
	if w.Applied == 0 || w.Void != "" {
		u.State = assay.VoidFault
		return u
	}
	seq := t.seqs[i]
	probe := Probe(f.Manifest)
	horizon := closed(w)
	if w.Reverted == 0 && w.Clear == 0 {
		horizon = f.End
	}
	if at, _, found, dropped := Capacity(f, w); dropped {
		if !found {
			at = min(at, horizon+maxWashout)
		}
		horizon = max(horizon, at)
	}
	horizon = min(horizon+2*probe, closed(w)+maxWashout)
	if w.Reverted == 0 && w.Clear == 0 {
		horizon = f.End
	}

	after, _ := slices.BinarySearchFunc(seq, w.Applied, func(c touch, at int64) int { return cmp.Compare(c.due, at) })
	flight := false // hurt while in flight
	for _, c := range seq[:after] {
		if c.end >= w.Applied && c.state == touchFailed {
			u.Lost++
			u.stream(c)
			flight = true
		}
	}
	judged := make([]touch, 0, len(seq)-after)
	for _, c := range seq[after:] {
		if c.state != touchSilent {
			judged = append(judged, c)
		}
	}
	hurt := hurts(judged)
	u.recover(w, judged, hurt, flight, horizon, 2*probe, t.until[i], f.End)

	end := horizon
	if u.State == assay.Unrecovered {
		end = min(closed(w)+maxWashout, t.until[i])
	} else if u.Recovered != 0 {
		end = max(min(horizon, closed(w)+2*probe), u.Recovered+2*probe)
	}
	for j, c := range seq {
		if c.due > end || c.due < w.Applied && c.end < w.Applied {
			continue
		}
		switch c.state {
		case touchSilent:
			u.Silent++
			continue
		case touchFailed:
			if j >= after {
				u.Lost++
				u.stream(c)
			}
		default:
			u.Well++
		}
		u.Touched++
	}
	if u.State == assay.Tolerated {
		u.Carried = carried(f, w, seq, after, horizon)
		if u.Carried < felt {
			u.State = assay.Unmeasured
		}
	}
	return u
}

func (u *Users) stream(c touch) {
	if c.outcome.Cut() || c.outcome == assay.Timeout {
		u.Streams[c.outcome.String()]++
	}
}

// hurts marks the requests that were hurt.
func hurts(seq []touch) []bool {
	out := make([]bool, len(seq))
	run, inWindow := 0, 0
	for i := range seq {
		bad := seq[i].state != touchWell
		if bad {
			run++
			inWindow++
		} else {
			run = 0
		}
		if i >= slowOf && seq[i-slowOf].state != touchWell {
			inWindow--
		}
		out[i] = seq[i].state == touchFailed
		if run >= slowRun {
			for j := i; j > i-run; j-- {
				out[j] = true
			}
		}
		if bad && inWindow >= slowBad {
			for j := i; j > i-slowOf && j >= 0; j-- {
				out[j] = out[j] || seq[j].state != touchWell
			}
		}
	}
	return out
}

// recover finds the first instant of a sustained good run after the last hurt that belongs to the fault.
func (u *Users) recover(w *assay.FaultWindow, seq []touch, hurt []bool, flight bool, horizon, grace, until, end int64) {
	u.Until = min(until, end)
	u.State = assay.Tolerated
	if flight {
		u.LastHurt, u.State = w.Applied, assay.Recovered
	}
	i, well := 0, -1
	for i < len(seq) {
		if !hurt[i] {
			if well < 0 {
				well = i
			}
			i++
			continue
		}
		if seq[i].due > horizon {
			break
		}
		u.State, u.LastHurt = assay.Recovered, seq[i].due
		// Skip to the first of a run without hurt.
		j, good := i+1, 0
		for ; j < len(seq) && good < wellRun; j++ {
			if hurt[j] {
				good, u.LastHurt = 0, seq[j].due
				continue
			}
			good++
		}
		if good < wellRun {
			then := "the load ended"
			if until < end {
				then = "the next fault began"
			}
			u.Warnings = append(u.Warnings, fmt.Sprintf("%s after %d requests without hurt: users are called well again after %d in a row", then, good, wellRun))
		}
		if good < wellTail {
			u.State = assay.Unrecovered
			return
		}
		well = j - good
		horizon = max(horizon, seq[well].due+grace)
		i = j
	}
	switch {
	case u.State == assay.Tolerated:
		u.Recovered = w.Applied
	case well >= 0:
		// The first well request after the last hurt.
		for well > 0 && !hurt[well-1] && seq[well-1].due > u.LastHurt {
			well--
		}
		u.Recovered = seq[well].due
	default:
		u.State = assay.Unrecovered
		u.Warnings = append(u.Warnings, "no request was due after the fault")
	}
}

// carried estimates how many requests the victim would have carried while its fault could be felt: its share before the
// fault, and what it held at that moment.
func carried(f *assay.Facts, w *assay.FaultWindow, seq []touch, after int, horizon int64) float64 {
	var before, victims, known, flight, touched float64
	first := max(w.Applied-lookBack, f.Begin)
	for j, c := range seq {
		switch {
		case j < after && c.due >= first:
			before++
			if c.known {
				known++
			}
			if c.victim {
				victims++
			}
			if c.victim && c.end >= w.Applied {
				flight++
			}
		case j >= after && c.due <= horizon:
			touched++
			if c.victim {
				flight++
			}
		}
	}
	if known == 0 || before == 0 {
		return touched / float64(max(1, w.Healthy))
	}
	return flight + touched*victims/known
}

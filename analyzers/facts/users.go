package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// Users is what one fault did to the users.
//
// A request is hurt when it failed, or when it was slower than a latency objective and not alone in
// that: one of three slow ones in a row, or of four among eight. Users are well again with the first of eight requests in a row, by the instant they
// were due after the fault, of which none is hurt. A hurt that begins while the fault is in force, or while the capacity it took is
// missing, or within two probe periods of either or of an earlier recovery, belongs to the fault.
//
// A throttled request judges nothing, except under a fault: a target that throttled nobody in the ten seconds before and sheds now, outside phases
// of overload on purpose, does so because of the fault, and its user was not served. A fault of ours on the requests themselves that answers 429
// strikes whatever was throttled before.
//
// A fault that begins while another is in force is felt together with it: each then shows what users felt of both, and says so. One that begins after
// the other was reverted ends the other's trail: what is due from then on is the later one's alone,
// and so is what it hurt that was in flight.
type Users struct {
	State     assay.FaultState
	LastHurt  int64 // last instant known bad; 0 if none was hurt after the fault was applied
	Recovered int64 // first instant known good again; the applied instant if none was hurt; 0 if unrecovered
	Until     int64 // last instant looked at
	End       int64 // end of the stretch that Lost, Touched and what follows are counted in, from the applied instant
	Lost      int
	Slow      int // served, but slower than an objective
	Touched   int // judged requests that were in flight inside window and washout
	Well      int // of these, served
	Begun     int // of these, answers that began to stream
	Broken    int // of these, streams that ended otherwise than well
	Silent    int // in flight too, but not judged: throttled, refused by our cap, unfinished
	Before    int // judged requests of the ten seconds before that had ended when the fault struck
	Good      int // of these, served in time
	Streams   map[string]int
	Outcomes  map[string]int // of the lost
	Affected  []assay.Affected
	Seen      int     // users of those in flight inside window and washout
	Hit       int     // of these, users with a lost or slow request
	Told      bool    // requests tell their users; else a class of them stands for one
	Down      int64   // ns that users were down: each from a lost request until their next, where that came within [Away]
	Carried   float64 // requests the victim would have carried, as far as known
	Assumed   bool    // that is its share by number alone: nothing tells what it served
	Thin      bool    // it was too little to feel the fault
	Warnings  []string
}

// Users says how the users fared under fault i of f.
func (t *Trails) Users(f *assay.Facts, i int) Users {
	w := &f.Faults[i]
	u := Users{Streams: map[string]int{}, Outcomes: map[string]int{}}
	if w.Applied == 0 || w.Void != "" {
		u.State = assay.VoidFault
		return u
	}
	t.settle(i)
	seq := t.seqs[i]
	probe := Probe(f.Manifest)
	horizon := closed(w)
	if open(w) {
		horizon = f.End
	}
	if at, _, found, dropped := Capacity(f, w); dropped {
		if !found {
			at = min(at, horizon+maxWashout)
		}
		horizon = max(horizon, at)
	}
	horizon = min(horizon+2*probe, closed(w)+maxWashout)
	if open(w) {
		horizon = f.End
	}

	after, _ := slices.BinarySearchFunc(seq, w.Applied, func(c touch, at int64) int { return cmp.Compare(c.due, at) })
	flight := false // hurt while in flight
	for _, c := range seq[:after] {
		if c.end >= w.Applied && c.state == touchFailed {
			u.lose(c)
			flight = true
		}
		if c.end < w.Applied && c.due >= w.Applied-lookBack && c.state != touchSilent && c.state != touchOther {
			u.Before++
			if c.state == touchWell {
				u.Good++
			}
		}
	}
	judged := make([]touch, 0, len(seq)-after)
	for _, c := range seq[after:] {
		if c.state != touchSilent && c.state != touchOther {
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
	seen := map[uint64]bool{} // and whether hurt
	u.Told = t.told
	for j, c := range seq {
		if c.due > end || c.due < w.Applied && c.end < w.Applied {
			continue
		}
		switch c.state {
		case touchOther:
			continue
		case touchSilent:
			u.Silent++
			continue
		case touchFailed:
			if j >= after {
				u.lose(c)
			}
		default:
			u.Well++
			if c.state == touchSlow {
				u.Slow++
			}
		}
		who := uint64(c.who)
		if t.told {
			who = c.user
		}
		if who != 0 {
			seen[who] = seen[who] || c.state != touchWell
		}
		if c.began {
			u.Begun++
			if c.state == touchFailed {
				u.Broken++
			}
		}
		u.Touched++
	}
	u.Seen = len(seen)
	for _, hurt := range seen {
		if hurt {
			u.Hit++
		}
	}
	u.End = max(w.Applied, min(end, f.End, t.until[i]))
	if t.told {
		u.Down = usersDown(seq, w.Applied, u.End)
	}
	for _, a := range t.hit[i] {
		if s := seq[a.at].state; a.Due <= end && (s == touchFailed || s == touchSlow) {
			u.Affected = append(u.Affected, a.Affected)
		}
	}
	if u.State == assay.Tolerated {
		var doubt string
		u.Carried, doubt = t.carried(f, w, seq, after, horizon)
		u.Thin = u.Carried < Felt
		if u.Thin || w.Cut != "" || w.Basis == assay.EffectUntested { // what the rest of it would have done is not known
			u.State = assay.Unmeasured
		}
		if u.Assumed = doubt != ""; u.Assumed {
			u.Warnings = append(u.Warnings, doubt)
		}
	}
	switch {
	case len(t.beside[i]) > 0:
		u.Warnings = append(u.Warnings, fmt.Sprintf("it was in force together with %s: what users felt is that of all of them, shown with each and never to be summed", strings.Join(t.beside[i], ", ")))
	case t.next[i] != nil && (end > t.until[i] || u.State == assay.Unrecovered):
		u.Warnings = append(u.Warnings, fmt.Sprintf("what was due from %s on is charged to that fault", t.next[i].ID))
	}
	return u
}

// lose counts a failed request.
func (u *Users) lose(c touch) {
	u.Lost++
	u.Outcomes[c.outcome.String()]++
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
// fault, and what it held at that moment. Where no request tells which instance served it, or none is known by the victim's name, the share is taken
// to be that of one of those ready, and doubt says so.
func (t *Trails) carried(f *assay.Facts, w *assay.FaultWindow, seq []touch, after int, horizon int64) (n float64, doubt string) {
	var victims, known, flight, touched, served float64
	first := max(w.Applied-lookBack, f.Begin)
	for j, c := range seq {
		switch {
		case j < after && c.due >= first:
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
				served++
			}
		}
	}
	if known > 0 && (w.Hurts("") || t.named[w.Target]) {
		return flight + max(served, touched*victims/known), ""
	}
	switch {
	case w.Hurts(""):
		return touched, ""
	case known > 0:
		doubt = fmt.Sprintf("no request and no event knows %s by that name", w.Target)
	default:
		doubt = "no request of the ten seconds before tells which instance served it"
	}
	if w.Healthy == 0 {
		return touched, doubt + ", nor is it known how many were ready: the victim is taken for the only one"
	}
	return touched / float64(w.Healthy), fmt.Sprintf("%s: the victim's share is taken to be 1/%d of the traffic", doubt, w.Healthy)
}

package facts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

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
	together = second       // faults that begin within so much of one another strike as one
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
	touchShed   // throttled outside overload: the fault decides what it is, see [Trails.settle]
)

type touch struct {
	due, end int64
	state    touchState
	outcome  assay.Outcome
	victim   bool
	known    bool // which instance served it is known
	began    bool // its answer began to stream
}

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
// the other was reverted ends the other's trail: what is due from then on is the later one's alone.
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
	Carried   float64 // requests the victim would have carried, as far as known
	Warnings  []string
}

// Trails gathers, for each fault, the requests that tell how its users fared.
type Trails struct {
	limits   Limits
	wait     int64
	faults   []assay.FaultWindow
	until    []int64
	beside   [][]string // ids of the faults that each is felt together with
	cut      []string   // id of the later fault that ends the trail, or ""
	stress   map[string]bool
	seqs     [][]touch
	hit      [][]struck      // candidates, in order of due
	listed   int             // of these, at most so many a fault
	Streamed bool            // some answer of the run was streamed
	named    map[string]bool // instances that requests or events name
}

// struck is a request that may be among those a fault affected.
type struck struct {
	at int // in the fault's trail
	assay.Affected
}

// Bounds of the lists of affected requests: of one fault, and of all faults of a run together.
const (
	affectedMax = 1000
	affectedAll = 5000
)

// NewTrails returns trails for the faults of f.
func NewTrails(f *assay.Facts) *Trails {
	n := len(f.Faults)
	t := &Trails{limits: LimitsOf(f.Manifest), wait: cmp.Or(f.Manifest.MaxWait, 60*second), faults: f.Faults, seqs: make([][]touch, n), hit: make([][]struck, n),
		beside: make([][]string, n), cut: make([]string, n), stress: map[string]bool{}, named: map[string]bool{}, listed: max(20, min(affectedMax, affectedAll/max(1, n)))}
	for i := range f.Phases {
		t.stress[f.Phases[i].Name] = f.Phases[i].Role == assay.RoleStress
	}
	for i := range f.Lives {
		t.named[f.Lives[i].Instance] = true
	}
	for i := range f.Faults {
		w := &f.Faults[i]
		until := closed(w) + trailMax
		if open(w) {
			until = math.MaxInt64
		}
		for j := range f.Faults {
			n := &f.Faults[j]
			switch {
			case j == i || w.Applied == 0 || n.Applied == 0 || n.Void != "":
			case atOnce(w, n) || atOnce(n, w):
				t.beside[i] = append(t.beside[i], n.ID)
			case n.Applied > w.Applied && from(n) < until:
				until, t.cut[i] = from(n), n.ID
			}
		}
		t.until = append(t.until, until)
	}
	return t
}

// open reports whether nothing tells that the fault was reverted.
func open(w *assay.FaultWindow) bool { return w.Reverted == 0 && w.Clear == 0 }

// atOnce reports whether n began while w was in force, or so soon after w that they struck as one.
func atOnce(w, n *assay.FaultWindow) bool {
	return n.Applied >= w.Applied && (open(w) || from(n) <= max(closed(w), w.Applied+together))
}

// Add takes the next request in order of Due.
func (t *Trails) Add(r *assay.Request) {
	if r.Canary {
		return
	}
	t.Streamed = t.Streamed || r.FirstToken != 0
	if len(t.faults) > 0 && r.Instance != "" && !t.named[r.Instance] {
		t.named[strings.Clone(r.Instance)] = true
	}
	for i := range t.faults {
		w := &t.faults[i]
		if w.Applied == 0 || r.Due > t.until[i] || r.Due < w.Applied-max(lookBack, t.wait) || len(t.seqs[i]) >= trailCap {
			continue
		}
		c := touch{due: r.Due, end: max(r.End, r.Due), outcome: r.Outcome, victim: w.Hurts(r.Instance), known: r.Instance != "" || w.Hurts(""), state: touchSilent,
			began: r.FirstToken != 0 || r.Outcome.Cut()}
		switch {
		case r.Outcome.Failed():
			c.state = touchFailed
		case r.Outcome == assay.OK && t.limits.Missed(r) != nil:
			c.state = touchSlow
		case r.Outcome == assay.OK:
			c.state = touchWell
		case r.Outcome == assay.Throttled && !t.stress[r.Phase]:
			c.state = touchShed
		}
		t.seqs[i] = append(t.seqs[i], c)
		if c.state != touchWell && c.state != touchSilent && c.end >= w.Applied && len(t.hit[i]) < t.listed {
			t.hit[i] = append(t.hit[i], struck{len(t.seqs[i]) - 1, affected(r, c.state)})
		}
	}
}

func affected(r *assay.Request, s touchState) assay.Affected {
	a := assay.Affected{Request: r.ID, Attempt: r.Attempt, Due: r.Due, Outcome: r.Outcome, Slow: s == touchSlow}
	if !r.TraceID.IsZero() {
		a.TraceID, a.SpanID = r.TraceID.String(), r.SpanID.String()
	}
	return a
}

// settle decides what the throttled requests of fault i are: lost to it, or silent.
func (t *Trails) settle(i int) {
	w, seq := &t.faults[i], t.seqs[i]
	ours := w.Kind == "http"
	before := slices.ContainsFunc(seq, func(c touch) bool { return c.outcome == assay.Throttled && c.end < w.Applied })
	for j := range seq {
		if c := &seq[j]; c.outcome == assay.Throttled && c.state != touchSilent {
			c.state = touchSilent
			hit := ours && (c.victim || !c.known) && c.due <= closed(w)
			if c.end >= w.Applied && (hit || !before) {
				c.state = touchFailed
			}
		}
	}
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
		if c.end < w.Applied && c.due >= w.Applied-lookBack && c.state != touchSilent {
			u.Before++
			if c.state == touchWell {
				u.Good++
			}
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
				u.lose(c)
			}
		default:
			u.Well++
			if c.state == touchSlow {
				u.Slow++
			}
		}
		if c.began {
			u.Begun++
			if c.state == touchFailed {
				u.Broken++
			}
		}
		u.Touched++
	}
	u.End = max(w.Applied, min(end, f.End, t.until[i]))
	for _, a := range t.hit[i] {
		if s := seq[a.at].state; a.Due <= end && (s == touchFailed || s == touchSlow && a.Due >= w.Applied) {
			u.Affected = append(u.Affected, a.Affected)
		}
	}
	if u.State == assay.Tolerated {
		var doubt string
		u.Carried, doubt = t.carried(f, w, seq, after, horizon)
		if u.Carried < felt {
			u.State = assay.Unmeasured
		}
		if doubt != "" {
			u.Warnings = append(u.Warnings, doubt)
		}
	}
	switch {
	case len(t.beside[i]) > 0:
		u.Warnings = append(u.Warnings, fmt.Sprintf("it was in force together with %s: what users felt is that of all of them, shown with each and never to be summed", strings.Join(t.beside[i], ", ")))
	case t.cut[i] != "" && (end > t.until[i] || u.State == assay.Unrecovered):
		u.Warnings = append(u.Warnings, fmt.Sprintf("what was due from %s on is charged to that fault", t.cut[i]))
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

package facts

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// Felt is how many requests the victim must have carried for its fault to be felt.
const Felt = 3

// Constants of user recovery. See [Users].
const (
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
	touchOther  // hurt by the fault before or after
)

type touch struct {
	due, end int64
	state    touchState
	outcome  assay.Outcome
	victim   bool
	known    bool   // which instance served it is known
	began    bool   // its answer began to stream
	who      int32  // number of its class, which stands for its user where no request tells one; 0 for none
	user     uint64 // of its user; 0 for none
}

// Trails gathers, for each fault, the requests that tell how its users fared.
type Trails struct {
	limits   Limits
	wait     int64
	faults   []assay.FaultWindow
	until    []int64
	beside   [][]string           // ids of the faults that each is felt together with
	next     []*assay.FaultWindow // the later fault that ends the trail, or nil
	earlier  [][]int              // faults whose trail each ends
	stress   map[string]bool
	seqs     [][]touch
	hit      [][]struck      // candidates, in order of due
	listed   int             // of these, at most so many a fault
	Streamed bool            // some answer of the run was streamed
	named    map[string]bool // instances that requests or events name
	classes  map[string]int32
	told     bool // some request near a fault tells its user
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
		beside: make([][]string, n), next: make([]*assay.FaultWindow, n), earlier: make([][]int, n), stress: map[string]bool{}, named: map[string]bool{}, listed: max(20, min(affectedMax, affectedAll/max(1, n)))}
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
			if n := &f.Faults[j]; j != i && w.Applied != 0 && n.Applied != 0 && n.Void == "" && (atOnce(w, n) || atOnce(n, w)) {
				t.beside[i] = append(t.beside[i], n.ID)
			}
		}
		if j := nextFault(f.Faults, w); j >= 0 && from(&f.Faults[j]) < until {
			until, t.next[i] = from(&f.Faults[j]), &f.Faults[j]
			t.earlier[j] = append(t.earlier[j], i)
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

// nextFault returns the index of the first fault that began after w was over, -1 if none did. What is hurt or lost from then on is that one's.
func nextFault(faults []assay.FaultWindow, w *assay.FaultWindow) int {
	next := -1
	for j := range faults {
		n := &faults[j]
		if w.Applied == 0 || n.Applied <= w.Applied || n.Void != "" || atOnce(w, n) || atOnce(n, w) {
			continue
		}
		if next < 0 || from(n) < from(&faults[next]) {
			next = j
		}
	}
	return next
}

// another reports whether a request that was hurt and in flight when one fault followed another belongs to the other of the two: to the earlier if it
// was due while that was in force and ran out of time or came late, else to the later.
func (t *Trails) another(i int, c *touch) bool {
	held := func(w *assay.FaultWindow) bool {
		return c.due <= closed(w) && (c.outcome == assay.Timeout || c.state == touchSlow)
	}
	if n := t.next[i]; n != nil && c.end >= n.Applied && !held(&t.faults[i]) {
		return true
	}
	return c.due < t.faults[i].Applied && c.end >= t.faults[i].Applied && slices.ContainsFunc(t.earlier[i], func(j int) bool { return held(&t.faults[j]) })
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
			began: r.FirstToken != 0 || r.Outcome.Cut(), who: t.class(r.Class), user: UserHash(r.User)}
		t.told = t.told || c.user != 0
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
		if c.state != touchWell && c.state != touchSilent && t.another(i, &c) {
			c.state = touchOther
		}
		t.seqs[i] = append(t.seqs[i], c)
		if c.state != touchWell && c.state != touchSilent && c.state != touchOther && c.end >= w.Applied && len(t.hit[i]) < t.listed {
			t.hit[i] = append(t.hit[i], struck{len(t.seqs[i]) - 1, affected(r, c.state)})
		}
	}
}

// mostClasses bounds the classes that are told apart.
const mostClasses = 1 << 16

// class returns the number of a class, 0 for none.
func (t *Trails) class(name string) int32 {
	n, ok := t.classes[name]
	if !ok && name != "" && len(t.classes) < mostClasses {
		if t.classes == nil {
			t.classes = map[string]int32{}
		}
		n = int32(len(t.classes) + 1)
		t.classes[strings.Clone(name)] = n
	}
	return n
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
		if c := &seq[j]; c.state == touchShed {
			c.state = touchSilent
			hit := ours && (c.victim || !c.known) && c.due <= closed(w)
			if c.end >= w.Applied && (hit || !before) {
				c.state = touchFailed
			}
		}
	}
}

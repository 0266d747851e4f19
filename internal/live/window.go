package live

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/stat"
)

// Options are the settings of a Window. Only Clock is needed.
type Options struct {
	Clock    *clock.Clock
	Run      string         // name of the run, on every series
	Target   string         // as reports show it
	Phases   []assay.Phase  // known beforehand: their counters are exposed from the start, at zero
	Total    time.Duration  // planned length of the run, 0 if not known
	Horizon  time.Duration  // the longest window that can be asked for; one minute by default
	InFlight func() int     // requests open now
	Sent     func() int64   // requests sent so far; without it, the rate is counted from those that have ended
	Offered  func() float64 // requests per second that the plan asks for now; without it, the phase's
}

const (
	blockLen  = 512
	maxBlocks = 4096 // two million requests: beyond it, a window is shorter than asked for
)

// An entry is what the window keeps of one request.
type entry struct {
	at      int64 // when it ended
	sent    int64
	ttft    int64 // ns from due; -1 if it was not served or gave no token
	e2e     int64 // ns from due; -1 if it was not served
	outcome assay.Outcome
	canary  bool

	promised, came int32 // tokens; see [Window.Delivered]
}

// A block is a stretch of entries. Entries below n never change.
type block struct {
	n    int
	last int64 // the latest at
	e    [blockLen]entry
}

// A Window is a sliding view of a run. All methods may be called at once from many goroutines.
type Window struct {
	o     Options
	begin int64

	spans   atomic.Int64
	refused atomic.Int64

	mu       sync.Mutex
	blocks   []*block
	rates    []rateMark // of o.Sent, oldest first
	phases   map[string]*phase
	lateness histogram
	total    totals
	fleet
}

type totals struct {
	requests, failed, judged, sent int64
	lastJudged                     int64 // when the last judged request ended
}

// A phase is what is counted for the requests of one load phase.
type phase struct {
	outcomes [assay.Credential + 1]int64
	latency  [3]latencies // by cold state
}

type latencies struct {
	seen           bool
	ttft, e2e, itl histogram
}

type rateMark struct {
	at   int64
	sent int64
}

// maxPhases bounds the series of a run whose requests name endless phases.
const maxPhases = 500

// New returns an empty window.
func New(o Options) *Window {
	o.Horizon = cmp.Or(o.Horizon, time.Minute)
	w := &Window{o: o, begin: o.Clock.Now(), phases: make(map[string]*phase), lateness: newHistogram(latenessBounds)}
	w.rates = []rateMark{{at: w.begin}}
	w.fleet.init()
	for _, p := range o.Phases {
		w.phase(p.Name)
	}
	return w
}

// Observe takes one record. It keeps nothing of it, allocates nothing for requests and spans it has
// room for, and holds a lock only to add numbers.
func (w *Window) Observe(r assay.Record) {
	switch r := r.(type) {
	case *assay.Request:
		w.request(r)
	case *assay.Span:
		w.spans.Add(1)
	case *assay.Event:
		w.event(r)
	case *assay.Scrape:
		w.scrape(r)
	}
}

func (w *Window) request(r *assay.Request) {
	if r.Canary {
		w.canary(r)
		return
	}
	if r.Outcome == assay.RefusedByCap {
		w.refused.Add(1)
	}
	e := entry{at: cmp.Or(r.End, r.Sent, r.Due), sent: r.Sent, ttft: -1, e2e: -1, outcome: r.Outcome}
	e.promised, e.came = tokens(r)
	served := r.Outcome == assay.OK
	if served && r.End > 0 {
		e.e2e = r.End - r.Due
	}
	if served && r.FirstToken > 0 {
		e.ttft = r.FirstToken - r.Due
	}
	// Gaps between tokens are many: they are sorted into buckets before the lock is taken.
	var gaps gapCounts
	if served {
		gaps.add(r.Arrivals)
	}
	cold := min(r.Cold, assay.ColdNo)

	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Forced { // what it took is no latency of the load
		w.total.lastJudged = max(w.total.lastJudged, e.at)
		w.phase(r.Phase).outcomes[min(r.Outcome, assay.Credential)]++
		return
	}
	w.append(&e)
	if len(w.back) > 0 {
		w.served(r)
	}
	p := w.phase(r.Phase)
	p.outcomes[min(r.Outcome, assay.Credential)]++
	w.total.requests++
	if r.Sent > 0 {
		w.total.sent++
		if !r.NoSchedule {
			w.lateness.add(r.Sent-r.Due, nil, 0)
		}
	}
	if r.Outcome.Counts() {
		w.total.judged++
		w.total.lastJudged = max(w.total.lastJudged, e.at)
		if r.Outcome.Bad() {
			w.total.failed++
		}
	}
	if !served {
		return
	}
	l := &p.latency[cold]
	if !l.seen {
		*l = latencies{seen: true, ttft: newHistogram(latencyBounds), e2e: newHistogram(latencyBounds), itl: newHistogram(gapBounds)}
	}
	if e.ttft >= 0 {
		l.ttft.add(e.ttft, &r.TraceID, e.at)
	}
	if e.e2e >= 0 {
		l.e2e.add(e.e2e, &r.TraceID, e.at)
	}
	l.itl.merge(&gaps)
}

// canary takes a request with a known answer: it speaks of errors and of nothing that is measured of the load.
func (w *Window) canary(r *assay.Request) {
	e := entry{at: cmp.Or(r.End, r.Sent, r.Due), ttft: -1, e2e: -1, outcome: r.Outcome, canary: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.append(&e)
	if r.Outcome.Judged() {
		w.total.lastJudged = max(w.total.lastJudged, e.at)
	}
}

// phase returns what is counted for a phase. The lock is held, or nobody else has the window yet.
func (w *Window) phase(name string) *phase {
	p := w.phases[name]
	if p == nil {
		if len(w.phases) >= maxPhases {
			name = "other"
			if p = w.phases[name]; p != nil {
				return p
			}
		}
		p = new(phase)
		w.phases[name] = p
	}
	return p
}

// append adds an entry; the lock is held.
func (w *Window) append(e *entry) {
	n := len(w.blocks)
	if n == 0 || w.blocks[n-1].n == blockLen {
		old := 0
		for old < n && (w.blocks[old].last < e.at-int64(w.o.Horizon) || n-old >= maxBlocks) {
			old++
		}
		// A new slice, since a reader may hold the old one.
		w.blocks = append(slices.Clone(w.blocks[old:]), new(block))
		n = len(w.blocks)
	}
	b := w.blocks[n-1]
	b.e[b.n] = *e
	b.n++
	b.last = max(b.last, e.at)
}

// each calls f with every request that ended in (now-over, now].
func (w *Window) each(over time.Duration, now int64, f func(*entry)) {
	w.mu.Lock()
	blocks := w.blocks
	tail := 0
	if n := len(blocks); n > 0 {
		tail = blocks[n-1].n
	}
	w.mu.Unlock()
	// Entries below the counts read above are not written again, so the scan needs no lock.
	from := now - int64(over)
	for i, b := range blocks {
		n := blockLen
		if i == len(blocks)-1 {
			n = tail
		} else if b.last <= from {
			continue
		}
		for j := range n {
			if e := &b.e[j]; e.at > from && e.at <= now {
				f(e)
			}
		}
	}
}

// ErrorRatio returns the share of the requests of the last over that were not served, as [assay.Outcome.Bad] says, of those that count, and how many these are. Canaries
// have a ratio of their own. With none it is NaN.
func (w *Window) ErrorRatio(over time.Duration, now int64) (ratio float64, n int) {
	failed := 0
	w.each(over, now, func(e *entry) {
		if !e.canary && e.outcome.Counts() {
			n++
			if e.outcome.Bad() {
				failed++
			}
		}
	})
	if n == 0 {
		return math.NaN(), 0
	}
	return float64(failed) / float64(n), n
}

// CanaryRatio returns failed over judged canaries of the last over, and how many were judged. With none it is NaN.
func (w *Window) CanaryRatio(over time.Duration, now int64) (ratio float64, n int) {
	failed := 0
	w.each(over, now, func(e *entry) {
		if e.canary && e.outcome.Judged() {
			n++
			if e.outcome.Failed() {
				failed++
			}
		}
	})
	if n == 0 {
		return math.NaN(), 0
	}
	return float64(failed) / float64(n), n
}

// A Latency is one of the latencies that a window keeps.
type Latency string

// The latencies.
const (
	TTFT Latency = "ttft"
	E2E  Latency = "e2e"
)

// Quantile returns the q-quantile, in seconds, of a latency over the last over, and how many requests it rests on. With none it is NaN.
func (w *Window) Quantile(l Latency, q float64, over time.Duration, now int64) (seconds float64, n int) {
	var vs []float64
	w.each(over, now, func(e *entry) {
		v := e.ttft
		if l == E2E {
			v = e.e2e
		}
		if v >= 0 {
			vs = append(vs, float64(v)/1e9)
		}
	})
	slices.Sort(vs)
	return stat.Quantile(vs, q, stat.Type7), len(vs)
}

// Rate returns requests sent per second over the last over, or since the window was made if that is less. With Options.Sent it
// counts sends; without it, the sends among the requests that have ended.
func (w *Window) Rate(over time.Duration, now int64) float64 {
	from := max(now-int64(over), w.begin)
	if now <= from {
		return 0
	}
	if w.o.Sent == nil {
		n := 0
		w.each(w.o.Horizon, now, func(e *entry) {
			if e.sent > from && e.sent <= now {
				n++
			}
		})
		return float64(n) / (float64(now-from) / 1e9)
	}
	sent := w.o.Sent()
	w.mu.Lock()
	defer w.mu.Unlock()
	ref := w.rates[0]
	for _, m := range w.rates { // the mark nearest to the window's beginning
		if m.at < now && abs(m.at-from) <= abs(ref.at-from) {
			ref = m
		}
	}
	if now-w.rates[len(w.rates)-1].at >= int64(50*time.Millisecond) {
		w.rates = append(w.rates, rateMark{now, sent})
		for len(w.rates) > 1 && w.rates[1].at < now-int64(w.o.Horizon) {
			w.rates = w.rates[1:]
		}
	}
	if now <= ref.at {
		return 0
	}
	return float64(sent-ref.sent) / (float64(now-ref.at) / 1e9)
}

func abs(v int64) int64 { return max(v, -v) }

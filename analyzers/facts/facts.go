// Package facts computes once what all analyzers share: the phases, fault
// windows, ledgers, failure episodes and instance lives of a run.
//
// # Order
//
// Events give phases, fault windows and lives. One scan of the traces tells, for each request,
// whether it was cold and which instance served it ([Resolver]), and how instances started. One scan of the
// requests then finds the episodes of the service ([Detector]) and the users' recovery from each fault
// ([Trail]), from which follow the washouts and, last, the ledgers.
//
// # When a request speaks
//
// A served request stands at the instant it was due: whoever came then was
// served. A failed request that got nothing stands at its due too, however long it took until the user knew: a request that
// hung for thirty seconds says that the service was down when it came, not thirty seconds later, when others are long
// served again. An answer that was cut stands at its last sign of progress. A failed request
// that was in flight when a fault was applied stands at that instant, or the fault would seem to
// hurt before it came. See [Stand].
//
// # Requests that were sent again
//
// Episodes, ledgers and recovery count attempts, which are what the target saw: retries must not hide failures. [AsUser] gives the
// request as its user saw it, for what is about users: latency, goodput and what was shed.
//
// # What is an episode
//
// An episode of the service begins with the first failure of a run of 3 in a row, or of the last 8
// judged requests of which at least half failed, if these 8 came within 10 s. It ends with the first success of
// 5 in a row. Two that lie less than a second (or two probe periods) apart are one. So a single failure is an
// error, not an outage, a half-broken pair of instances is an outage, and a lone success in the
// middle of one does not split it. Throttling, our own cap and requests still open at the end judge nothing. No judged request for 10 s (or
// five mean gaps of the slowest phase) is unknown time: it is neither up nor down, and it ends what it interrupts as censored.
// How much the count depends on these numbers is reported beside it.
//
// The canary finds episodes too, by a rule of its own, since it is rare: two failures in a row begin one, two good answers end it. Where
// it overlaps with one that the load shows, they are one; where the load saw nothing, as when answers come quickly but say the wrong thing,
// it is one all the same, of the cause wrong_content.
//
// Where a run holds no requests, counters of them or looks at the service find its episodes: see counted.go and looked.go.
//
// An episode of an instance begins when the fault was applied, or at the first sign that it left
// routing or died without having been asked to, and ends when it or its replacement is ready, or when the autoscaler no longer wants it.
//
// An instance may also fail without a sign of its own: see hidden.go.
//
// # Ledgers
//
// Injected: from a fault's arming to the end of its washout, that is until user recovery plus two probe
// periods, at most 30 s after it was reverted. Overload: phases of the role stress. Everything else is natural;
// warm-up and idle phases too, since a user who comes then is a user: only latency is not judged there. Planned
// concerns lives and episodes of instances (scale-in, recycling, shutdown) and the requests of forced cold starts, and has no segments.
//
// Faults may overlap. A stretch of time, and with it an episode or a request in the tables of outcomes, belongs to the earliest fault whose window or washout
// holds it, so that no ledger counts it twice. What users felt is told apart only where it can be: faults in force at once each show what was felt of
// all of them, and say so ([Users]).
package facts

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// A Source is a run as it lies on disk. Blocks are borrowed until the function returns, which may set Cold and Instance of
// the requests in them. An error from the function ends the scan and is returned.
type Source interface {
	Manifest() *assay.Manifest
	Events() ([]assay.Event, error)
	Requests(ctx context.Context, block func([]assay.Request) error) error // in order of Due
	Traces(ctx context.Context, block func([]assay.Trace) error) error     // in any order; Request is nil where no request asked for the trace
	Metrics() (assay.Metrics, error)                                       // nil when the run has none
}

const (
	second     = int64(1e9)
	maxWashout = 30 * second
)

// Compute returns the facts of a run.
func Compute(ctx context.Context, src Source) (*assay.Facts, error) {
	f, _, err := ComputeResolved(ctx, src)
	return f, err
}

// ComputeResolved is Compute for a caller that will scan the requests again: the resolver fills in cold state and instance.
func ComputeResolved(ctx context.Context, src Source) (*assay.Facts, *Resolver, error) {
	events, err := src.Events()
	if err != nil {
		return nil, nil, fmt.Errorf("read events: %w", err)
	}
	metrics, err := src.Metrics()
	if err != nil {
		return nil, nil, fmt.Errorf("open metrics: %w", err)
	}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b assay.Event) int { return cmp.Compare(a.Time, b.Time) })
	m := src.Manifest()
	f := &assay.Facts{Manifest: m, Events: events, Metrics: metrics}

	res := newResolver()
	starts, seen := map[string]*start{}, sighting{}
	err = src.Traces(ctx, func(block []assay.Trace) error {
		for i := range block {
			t := &block[i]
			f.Spans += len(t.Spans)
			if t.Request != nil {
				if len(t.Spans) > 0 {
					f.Traced++
				}
				res.learn(t)
				if !t.Request.Canary {
					f.Inits = learnInits(f.Inits, t)
					seen.see(t)
				}
				continue
			}
			learnStart(starts, t)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read traces: %w", err)
	}

	f.Lives = lives(m, events, starts)
	if slices.SortStableFunc(f.Inits, func(a, b assay.Life) int { return cmp.Compare(a.Created, b.Created) }); len(f.Lives) > 0 {
		f.Inits = nil // what tells of lives tells of these starts
	}
	res.watch(f)
	f.Faults = faults(m, events, f.Lives)
	f.Phases = phases(events)
	instances := newInstanceScan(f)
	detector := NewDetector(RulesOf(m, f.Phases), f.Faults)
	trails := NewTrails(f)
	canaries := newCanaries(m, f.Faults)
	chains := newChains(m)
	var arrivals arrivalCount
	var first, last int64
	err = src.Requests(ctx, func(block []assay.Request) error {
		for i := range block {
			r := &block[i]
			res.Resolve(r)
			f.Requests++
			if r.Due != 0 && (first == 0 || r.Due < first) {
				first = r.Due
			}
			last = max(last, r.Due, r.End)
			instances.add(r)
			if r.Canary {
				canaries.add(r)
				continue
			}
			arrivals.add(r.Due)
			chains.add(r)
			if r.Forced {
				continue
			}
			detector.Add(r)
			trails.Add(r)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read requests: %w", err)
	}
	f.Retried = chains.found
	if telltale(f.Phases) {
		f.Levels = arrivals.levels()
	}
	watched(f, first, last)
	fleets, looks, every, err := learnScales(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	instances.finish()
	if err := learnLoads(ctx, f); err != nil {
		return nil, nil, err
	}
	told := len(f.Lives) > 0 // by events and spans
	if err := instances.learnResets(ctx); err != nil {
		return nil, nil, err
	}
	if err := instances.learnPods(ctx, told); err != nil {
		return nil, nil, err
	}

	if len(f.Lives) == 0 {
		f.Lives, f.Inits = seen.lives(f.Inits)
	}

	var counted []assay.Episode
	if f.Counted, counted, err = learnCounted(ctx, f); err != nil {
		return nil, nil, err
	}
	var looked []assay.Episode
	if f.Probed, looked, err = learnProbed(ctx, f); err != nil {
		return nil, nil, err
	}
	for i := range f.Faults {
		w := &f.Faults[i]
		w.Washout = washout(f, w, trails.Users(f, i))
	}
	f.Segments = segments(f)
	for i := range f.Lives {
		f.Lives[i].Ledger = exitLedger(f, &f.Lives[i])
	}
	service := canaries.join(detector.Finish(f.End), f.End)
	service = slices.Concat(service, counted, looked)
	for i := range service {
		service[i].Ledger, service[i].Fault = f.At(service[i].Begin)
	}
	failures := instanceEpisodes(f, instances)
	if len(f.Lives) == 0 {
		failures = append(failures, lostPods(f, fleets, looks, every)...)
	}
	sightings := Sightings(ctx, f)
	blame(failures, sightings)
	f.Signals = append(f.Signals, clusterSignals(f, failures)...)
	f.Episodes = slices.Concat(service, watchedOnly(f, failures), gpuEpisodes(f, sightings))
	slices.SortStableFunc(f.Episodes, func(a, b assay.Episode) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(b.Subject, a.Subject), cmp.Compare(a.Instance, b.Instance))
	})
	return f, res, nil
}

// watched sets the first and last instants watched: those of the load, its answers and the faults.
func watched(f *assay.Facts, first, last int64) {
	f.Begin, f.End = first, last
	earliest := func(t int64) {
		if t != 0 && (f.Begin == 0 || t < f.Begin) {
			f.Begin = t
		}
	}
	for i := range f.Phases {
		p := &f.Phases[i]
		earliest(p.Begin)
		if p.End == 0 {
			p.End = max(p.Begin, last, f.Manifest.End.At)
		}
		f.End = max(f.End, p.End)
	}
	for _, e := range f.Events {
		if e.Kind == assay.EventLoadEnd {
			f.End = max(f.End, e.Time)
		}
	}
	for i := range f.Faults {
		w := &f.Faults[i]
		earliest(w.Armed)
		earliest(w.Applied)
		f.End = max(f.End, w.Applied, w.Reverted, w.Clear)
	}
	for i := range f.Events {
		if f.Begin == 0 && f.Events[i].Kind != assay.EventWarning { // which an import gives at its end
			f.Begin = f.Events[i].Time
		}
	}
	if f.Requests == 0 && len(f.Phases) == 0 { // nothing but what the platform told
		f.End = max(f.End, f.Manifest.End.At)
		for i := range f.Events {
			f.End = max(f.End, f.Events[i].Time)
		}
	}
	f.End = max(f.End, f.Begin)
}

// Probe returns the resolution with which the platform's own watch sees an instance: its probe period, or 250 ms where it is not known.
func Probe(m *assay.Manifest) int64 {
	if m.Probe > 0 {
		return m.Probe
	}
	return second / 4
}

package loadgen

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

const (
	// lag is how late a send may be before the backlog is held to the pace.
	lag = 5 * time.Millisecond

	// haste is how many times faster than planned a backlog may go out.
	haste = 4

	// Requests that are due within a short time of one another go out together, at the instant of the last of them: to wake for each costs
	// more processor time than to send it. That time grows with the rate: 50 µs at
	// 1,000/s, and 500 µs at 10,000/s and more, which is half of the least lateness by which a run is found invalid.
	togetherPer = 50 * time.Nanosecond // for each request per second
	maxTogether = 500 * time.Microsecond

	// maxEmitting bounds the records that wait in an emit that blocks, which it must not.
	maxEmitting = 4096
)

// A stretch is a phase, or a step of a search, with its requests.
type stretch struct {
	phase    *Phase
	name     string
	begin    int64
	length   int64
	rate     float64
	deadline time.Duration
	peak     float64 // rate that a backlog is held to a multiple of; 0: rate
	id       uint64  // of the request before the first
	plan     []planned
	feed     *feed // instead of a plan
	step     *step // nil outside a search
	number   int   // of the step
	planned  int   // requests; 0 where that is decided as it goes
}

// next returns request i, counted from 0 and asked for in order; false when there are no more.
func (s *stretch) next(i int) (planned, bool) {
	switch {
	case s.feed != nil:
		return s.feed.next()
	case i < len(s.plan):
		return s.plan[i], true
	}
	return planned{}, false
}

// together returns when request i, due at an instant of the phase, goes out: with those that are due soon after it, as far as they are known.
func (s *stretch) together(i int, due int64) int64 {
	next := s.plan[min(i+1, len(s.plan)):]
	if s.feed != nil {
		next = s.feed.block[s.feed.used:]
	}
	limit := due + int64(min(time.Duration(s.rate)*togetherPer, maxTogether))
	for j := range next {
		if next[j].due > limit {
			break
		}
		due = next[j].due
	}
	return due
}

// A job is one request for a worker, or the first of a session. It is at most 128 bytes, beyond which the closures that take it would put it on the heap.
type job struct {
	s        *stretch
	id       uint64
	due      int64
	r        planned
	own      uint64 // names the words that are its own; the turns of a session share them
	session  uint64 // number of the session in its phase
	attempt  int32
	reserved bool // the ids after id are those of the session's later turns
	loose    bool // it has no schedule
	forced   bool // its cold start was
	man      bool // it could be launched, if there were a connection
}

// brief reports whether the request can be made and sent without delay for those that come after it: see flight.
func (j *job) brief() bool { return j.r.turns <= 1 && j.r.in <= 512 }

// lead returns how long before its due instant a worker gets a request whose prompt takes long to make, in ns.
func (r *planned) lead() int64 {
	const short, per = 4096, 20 // tokens, and ns for each: twice what it takes
	if r.in < short || r.text > 0 {
		return 0
	}
	return int64(time.Millisecond) + per*int64(r.in)
}

// capReached is the error of a request that was refused.
const capReached = "in-flight cap reached"

// pace holds a backlog to a bounded rate.
type pace struct{ next int64 }

// from returns when a request due at due may go, now being the time: at once, unless the sends are behind.
func (p *pace) from(due, now int64, rate float64) int64 {
	if now-due < int64(lag) || rate <= 0 {
		p.next = 0
		return due
	}
	at := max(now, p.next)
	p.next = at + int64(float64(time.Second)/(haste*rate))
	return at
}

// enter records that a stretch begins.
func (g *Generator) enter(s *stretch) {
	role := string(s.phase.Role)
	attrs := map[string]string{"role": role, "rate": strconv.FormatFloat(s.rate, 'g', -1, 64)}
	if s.step != nil {
		attrs["of"], attrs["step"] = s.phase.Name, strconv.Itoa(s.number)
		if t := tightest(s.step.limits); !math.IsInf(t, 1) {
			attrs["tightest"] = strconv.FormatFloat(t, 'g', -1, 64)
		}
	}
	if n := max(s.planned, len(s.plan)); n > 0 && s.phase.Session == nil {
		attrs["planned"] = strconv.Itoa(n)
	}
	switch s.phase.Arrivals.(type) {
	case Lasting, requester:
		attrs["varies"] = "true" // as the trace does
	}
	if s.phase.Closed != nil {
		attrs["closed"] = strconv.Itoa(s.phase.Closed.N)
	}
	g.event(&assay.Event{Time: s.begin, Kind: assay.EventPhaseBegin, Phase: s.name, Attrs: attrs})
	g.on.Store(s)
	g.phase.Store(&Active{Name: s.name, Role: role, Begin: s.begin, End: s.begin + s.length, Rate: s.rate})
}

// leave records that a stretch ended.
func (g *Generator) leave(s *stretch, end int64) {
	g.phase.Store(nil)
	attrs := map[string]string{"role": string(s.phase.Role)}
	if s.step != nil {
		attrs["of"], attrs["step"] = s.phase.Name, strconv.Itoa(s.number)
	}
	g.event(&assay.Event{Time: end, Kind: assay.EventPhaseEnd, Phase: s.name, Attrs: attrs})
}

// send plays one stretch and returns its end: as planned, or now if it was cut short.
func (g *Generator) send(s *stretch, wait Wait) int64 {
	end := s.begin + s.length
	g.enter(s)
	now := g.cfg.Clock.Now
	cut := false
	id := s.id
	for i := 0; ; i++ {
		r, ok := s.next(i)
		if !ok {
			break
		}
		due := s.begin + r.due
		at := due - r.lead()
		if at == due && due > now() {
			at = s.begin + s.together(i, r.due)
		}
		if g.over(s, at, wait) {
			break
		}
		if t := now(); t-due >= int64(lag) {
			if at := g.behind.from(due, t, max(s.rate, s.peak)); at > t {
				wait(g.halted, at)
			}
		}
		if cut = g.stopping() || s.step != nil && s.step.over(g.inFlight.Load()) || !g.allowed(); cut {
			break
		}
		s.phase.own(&r, id-s.id+1)
		g.dispatch(job{s: s, id: id + 1, due: due, r: r, own: id + 1, session: id - s.id + 1, reserved: s.feed != nil})
		id++
		if s.feed != nil && r.turns > 1 {
			id += uint64(r.turns - 1)
		}
	}
	if !cut {
		g.over(s, end, wait)
		end = s.end()
		cut = g.stopping()
	}
	if cut {
		end = max(s.begin, min(end, now()))
	}
	g.leave(s, end)
	return end
}

// allowed asks the budget and the gate.
func (g *Generator) allowed() bool {
	if g.cfg.MaxRequests > 0 && g.sent.Load() >= int64(g.cfg.MaxRequests) {
		g.stop("budget", fmt.Sprintf("%d requests were sent, all that the budget allows", g.cfg.MaxRequests))
		return false
	}
	if g.cfg.Gate != nil {
		if err := g.cfg.Gate(); err != nil {
			g.stop(err.Error(), "")
			return false
		}
	}
	return true
}

// dispatch hands one request to a worker, or refuses it; it never waits. Only the pacing goroutine calls it.
func (g *Generator) dispatch(j job) {
	if j.s.step != nil {
		j.s.step.enter()
	}
	late := g.cfg.Clock.Now() - j.due
	free := g.reserve()
	if !free || late > int64(j.s.deadline) {
		why := capReached
		if free {
			why = fmt.Sprintf("generator was %.1f s late", float64(late)/1e9)
			g.inFlight.Add(-1)
		}
		g.refused.Add(1)
		one := j // what a closure takes by value must not change
		g.workers.Go(func() { g.refuse(one, why) })
		return
	}
	if !g.spend(j.r.in, j.r.out) {
		g.inFlight.Add(-1)
		if j.s.step != nil {
			j.s.step.forgo()
		}
		return
	}
	if j.man = j.brief(); j.man && g.able.Load() && g.launch(j) {
		return
	}
	select {
	case g.jobs <- j:
	default:
		one := j
		g.workers.Go(func() { g.work(one) })
	}
}

// launch sends a request from the pacing goroutine, if that takes no waiting: see flight. It reports whether it did.
func (g *Generator) launch(j job) bool {
	w, _ := g.spare.Get().(*worker)
	if w == nil {
		w = g.worker()
		w.land = func() { w.landed(g) }
	}
	w.ready(g, j)
	w.job = j
	w.flight = flight{Context: g.flight, deadline: time.Now().Add(j.s.deadline), launch: true, poll: g.poll, land: w.land}
	g.workers.Add(1)
	g.cfg.Client.Do(&w.flight, &w.call, &w.r)
	if w.flight.aloft {
		return true
	}
	g.workers.Done()
	g.spare.Put(w)
	return false
}

// landed records a request that was launched. It may run on the pacing goroutine: what takes time gets a goroutine of its own.
func (w *worker) landed(g *Generator) {
	w.ended(g, w.job)
	if _, again := g.cfg.Retry.after(&w.r); again {
		go w.close(g)
		return
	}
	w.close(g)
}

// close repeats the request that w launched where the plan says so, and gives w back.
func (w *worker) close(g *Generator) {
	w.again(g, w.job)
	g.spare.Put(w)
	g.workers.Done()
}

// reserve takes a place among the requests in flight; false when there is none.
func (g *Generator) reserve() bool {
	if g.inFlight.Add(1) <= int64(g.cfg.Cap) {
		return true
	}
	g.inFlight.Add(-1)
	return false
}

// pause returns at the instant until, or soon after the load was stopped. Any goroutine may call it.
func (g *Generator) pause(until int64) { g.sleep(g.halted, until) }

func (g *Generator) sleep(stop <-chan struct{}, until int64) {
	if g.cfg.Wait != nil {
		g.cfg.Wait(stop, until)
		return
	}
	const near = 2 * time.Millisecond
	now := g.cfg.Clock.Now
	if d := time.Duration(until - now()); d > near {
		t := time.NewTimer(d - near)
		select {
		case <-t.C:
		case <-stop:
			t.Stop()
			return
		}
	}
	nap(now, until)
}

// refuse records a request that was not sent.
func (g *Generator) refuse(j job, why string) {
	var r assay.Request
	g.prepare(&r, j)
	r.Outcome, r.Error, r.End = assay.RefusedByCap, why, g.cfg.Clock.Now()
	if j.s.step != nil {
		j.s.step.end(&r)
	}
	g.record(&r)
}

// prepare fills in what is known before the send, keeping the buffers of an earlier request.
func (g *Generator) prepare(r *assay.Request, j job) {
	*r = assay.Request{ID: j.id, Attempt: j.attempt, Phase: j.s.name, Class: j.s.phase.class(&j.r), User: userName(j.r.user), Due: j.due, TokensIn: j.r.in, TokensAsked: j.r.out,
		NoSchedule: j.loose, Forced: j.forced, Arrivals: r.Arrivals[:0], Counts: r.Counts[:0]}
	r.TraceID, r.SpanID = identify(g.sched.seed, j.id^uint64(j.attempt)<<48)
}

// worker is what a worker keeps from one request to the next.
type worker struct {
	r       assay.Request
	call    assay.Call
	job     job // that was launched
	land    func()
	flight  flight // of a request that was launched: the pacing goroutine reads it after the launch
	waited  flight // of one that this worker waits for
	prompt  []byte
	headers [][2]string // the trace, then the run, then those of the class
	common  int         // headers that all requests have
}

func (g *Generator) worker() *worker {
	w := &worker{headers: [][2]string{{"traceparent"}}}
	if g.cfg.RunID != "" {
		w.headers = append(w.headers, [2]string{RunHeader, g.cfg.RunID})
	}
	w.common = len(w.headers)
	return w
}

// work does one job after another until there are no more.
func (g *Generator) work(j job) {
	w := g.worker()
	for ok := true; ok; j, ok = <-g.jobs {
		w.do(g, j)
	}
}

// do sends a request, and those that follow it in its session. It reports whether all succeeded.
func (w *worker) do(g *Generator, j job) bool {
	w.send(g, j)
	return g.follow(w, j)
}

// ready makes w.r and w.call those of a job.
func (w *worker) ready(g *Generator, j job) {
	g.prepare(&w.r, j)
	w.prompt = j.s.phase.appendText(w.prompt[:0], &j.r, g.sched.seed, j.own)
	w.headers[0][1] = traceparent(w.r.TraceID, w.r.SpanID)
	w.headers = w.headers[:w.common]
	if j.r.class > 0 {
		w.headers = append(w.headers, j.s.phase.Mix[j.r.class-1].Headers...)
	}
	w.call = assay.Call{Model: g.cfg.Model, Prompt: string(w.prompt), MaxTokens: int(j.r.out), Stream: g.cfg.Stream, Headers: w.headers, Seed: g.sched.seed ^ j.id}
}

// try sends one attempt of a request and records it.
func (w *worker) try(g *Generator, j job) {
	w.ready(g, j)
	if early := j.due - g.cfg.Clock.Now(); early > 0 && j.r.lead() > 0 {
		g.sleep(nil, j.due) // a stop does not make it go early: it counts as sent
	}
	ctx, cancel := context.WithTimeout(g.flight, j.s.deadline)
	w.waited = flight{Context: ctx, man: j.man, poll: g.poll}
	g.cfg.Client.Do(&w.waited, &w.call, &w.r)
	cancel()
	if j.man && w.waited.able {
		g.able.Store(true)
	}
	w.ended(g, j)
}

// ended records a request that was sent.
func (w *worker) ended(g *Generator, j job) {
	if w.r.End == 0 {
		w.r.End = g.cfg.Clock.Now()
	}
	g.inFlight.Add(-1)
	g.settled(&w.r, j.r.in, j.r.out)
	if w.r.Sent != 0 && !w.r.NoSchedule {
		g.lateness.add(w.r.Sent - w.r.Due)
	}
	g.record(&w.r)
}

// record shows the request to the observer and emits it.
func (g *Generator) record(r *assay.Request) {
	g.done.Add(1)
	arrivals, counts := r.Arrivals, r.Counts
	if len(arrivals) == 0 {
		r.Arrivals = nil
	}
	if len(counts) == 0 {
		r.Counts = nil
	}
	if g.cfg.Observe != nil {
		g.cfg.Observe(r)
	}
	if g.emitting.Add(1) > maxEmitting || g.emit(r) != nil {
		g.lost.Add(1)
	}
	g.emitting.Add(-1)
	r.Arrivals, r.Counts = arrivals, counts // the buffers stay with the worker
}

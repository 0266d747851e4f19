package facts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// An instanceScan gathers what the requests tell about instances.
type instanceScan struct {
	f      *assay.Facts
	index  map[string][]int      // of the lives of each instance, in order
	failed map[string]*failures  // requests of each instance, and under "" those of which it is not told
	ready  []*assay.Life         // those that were ready, by when
	good   map[*assay.Life]int64 // last good answer
	warmed map[*assay.Life]bool  // those that gave a good answer to a request that was not cold
	idle   *idleness
	resets []suspect // of the series of instances
	pods   []podFailure

	places   map[string]*place   // see place
	placed   int                 // lives that are in places
	scales   []scaling           // in order
	decided  []reason            // decisions of the platform
	makers   map[string]owner    // what makes instances, by its name
	asked    map[string][]reason // what each instance was asked to do
	coarsest int64               // resolution of these
}

func newInstanceScan(f *assay.Facts) *instanceScan {
	s := &instanceScan{f: f, index: map[string][]int{}, failed: map[string]*failures{}, good: map[*assay.Life]int64{}, warmed: map[*assay.Life]bool{}, idle: newIdleness()}
	for i := range f.Lives {
		id := f.Lives[i].Instance
		s.index[id] = append(s.index[id], i)
		if f.Lives[i].Ready != 0 {
			s.ready = append(s.ready, &f.Lives[i])
		}
	}
	slices.SortStableFunc(s.ready, func(a, b *assay.Life) int { return cmp.Compare(a.Ready, b.Ready) })
	return s
}

// at returns the life that an instance had at t: the last that began by then, else its first. Nil: it has none.
func (s *instanceScan) at(instance string, t int64) *assay.Life {
	return lifeAt(s.f.Lives, s.index[instance], t)
}

// lifeAt is at for the lives of one id, in order.
func lifeAt(lives []assay.Life, of []int, t int64) *assay.Life {
	if len(of) == 0 {
		return nil
	}
	i := len(of) - 1
	for i > 0 && firstOf(&lives[of[i]]) > t {
		i--
	}
	return &lives[of[i]]
}

// answered is the instant at which a request shows that its instance worked: its first token, or else its end.
func answered(r *assay.Request) int64 { return cmp.Or(r.FirstToken, r.End, r.Due) }

func (s *instanceScan) add(r *assay.Request) {
	s.idle.add(r)
	if s.f.Manifest.Failed(r.Outcome) {
		of := s.failed[r.Instance]
		if of == nil && len(s.failed) < mostFailures {
			of = &failures{}
			s.failed[r.Instance] = of
		}
		if of != nil {
			of.add(failure{Stand(s.f.Faults, r), r.Due, r.End})
		}
	}
	if r.Instance == "" {
		if l := s.awaited(r); l != nil {
			hold(l, r)
		}
		return
	}
	l := s.at(r.Instance, max(r.Due, r.FirstByte, r.FirstToken))
	if l == nil {
		return
	}
	if r.Outcome == assay.OK {
		l.Served++
		s.good[l] = max(s.good[l], answered(r))
		if at := answered(r); l.Ready == 0 && (l.Worked == 0 || at < l.Worked) {
			l.Worked = at
		}
	}
	if r.FirstToken != 0 && (l.First == 0 || r.FirstToken < l.First) {
		l.First = r.FirstToken
	}
	switch {
	case r.Cold == assay.ColdYes && !s.warmed[l]:
		hold(l, r)
	case r.Cold == assay.ColdNo && r.Outcome == assay.OK:
		s.warmed[l] = true
	}
}

// hold counts a request that paid for the start of an instance: it waited for it, or was among the first that it served, with which it became warm. Only what waited can have
// triggered it.
func hold(l *assay.Life, r *assay.Request) {
	l.Held++
	l.Forced = l.Forced || r.Forced
	if (l.Trigger == 0 || r.Due < l.Trigger) && (l.Ready == 0 || r.Due <= l.Ready) {
		l.Trigger = r.Due
	}
}

// awaited is the life whose start a cold request waited for that does not say who served it: the first to be ready while it waited. Nil: none.
func (s *instanceScan) awaited(r *assay.Request) *assay.Life {
	if r.Cold != assay.ColdYes {
		return nil
	}
	i, _ := slices.BinarySearchFunc(s.ready, r.Due, func(l *assay.Life, t int64) int { return cmp.Compare(l.Ready, t) })
	if i < len(s.ready) && s.ready[i].Ready <= answered(r)+s.ready[i].Coarse {
		return s.ready[i]
	}
	return nil
}

func (s *instanceScan) finish() {
	for _, of := range s.failed {
		slices.SortFunc(of.of, func(a, b failure) int { return cmp.Compare(a.at, b.at) })
	}
	s.reasons()
}

func (s *instanceScan) lost(e *assay.Episode) int {
	n := 0
	for _, x := range s.failed[e.Instance].around(e.Begin, e.EndHi) {
		if x.at >= e.Begin && x.at <= e.EndHi || x.due < e.Begin && x.end >= e.Begin {
			n++
		}
	}
	return n
}

// instanceEpisodes returns one episode for each stretch in which an instance was down without
// having been asked to: one for each kill and hang, one for each crash, each loss of readiness.
func instanceEpisodes(f *assay.Facts, s *instanceScan) []assay.Episode {
	var out []assay.Episode
	used := map[string]bool{} // replacements
	claimed := map[string][]assay.Episode{}
	emit := func(e assay.Episode) {
		e.Subject = assay.InstanceOf
		e.Lost = s.lost(&e)
		s.stillDown(&e)
		out = append(out, e)
		claimed[e.Instance] = append(claimed[e.Instance], e)
	}
	for i := range f.Faults {
		w := &f.Faults[i]
		l := s.at(w.Target, w.Applied)
		if l == nil || w.Applied == 0 || w.Void != "" {
			continue
		}
		certain := w.Kind == "kill" || w.Kind == "hang"
		sign := firstSign(f, l, w)
		if !certain && sign == 0 {
			continue
		}
		e := assay.Episode{Ledger: assay.Injected, Instance: l.Instance, Fault: w.ID, Cause: w.Kind, BeginLo: w.Applied, Begin: w.Applied}
		if !certain {
			e.BeginLo, e.Begin = max(w.Applied, sign-Probe(f.Manifest)), sign
		}
		if sign == 0 && w.Kind == "hang" {
			// The platform never noticed: it was down for as long as the fault held.
			e.End, e.EndHi = max(w.Applied, w.Reverted), max(w.Applied, w.Reverted, w.Clear)
			e.RightCensored = w.Reverted == 0
			if e.RightCensored {
				e.EndHi = f.End
			}
			emit(e)
			continue
		}
		s.ending(l, &e, used)
		emit(e)
	}
	for i := range f.Lives {
		l := &f.Lives[i]
		for _, u := range l.Unready {
			if l.Draining != 0 && l.Draining <= u.Begin {
				continue
			}
			if inside(claimed[l.Instance], u.Begin) {
				continue
			}
			e := assay.Episode{Instance: l.Instance, Cause: u.Name, Begin: u.Begin, BeginLo: u.Begin - cmp.Or(u.Resolution, Probe(f.Manifest))}
			s.ending(l, &e, used)
			attribute(f, &e)
			if e.Ledger == assay.Natural && u.End == l.Exited {
				s.died(l, &e)
			}
			emit(e)
		}
		if l.Exited != 0 && !planned(l.Exit) && !inside(claimed[l.Instance], l.Exited) {
			j := s.judgeExit(l)
			e := assay.Episode{Instance: l.Instance, Cause: j.cause, Begin: l.Exited, BeginLo: l.Exited, Evidence: j.evidence}
			if l.Ready == 0 && l.Worked == 0 && l.Exit != exitReload {
				e.Cause = "start failed: " + e.Cause
			}
			s.ending(l, &e, used)
			if l.Exit == exitUnseen || l.Exit == exitReload {
				e.Begin = s.unseenSince(l)
				e.BeginLo = e.Begin
			}
			attribute(f, &e)
			switch {
			case e.Ledger == assay.Injected:
				e.Evidence = nil // the fault is
			case j.planned == "":
				e.Confidence = j.confidence
			default:
				l.Ledger, e.Ledger, e.Fault, e.Confidence = assay.Planned, assay.Planned, "", ""
				e.Evidence = append(e.Evidence, "explained: "+j.planned)
			}
			emit(e)
		}
	}
	for _, e := range s.hiddenCold() {
		if !inside(claimed[e.Instance], e.Begin) {
			emit(e)
		}
	}
	n := len(out) // each that is counted outside of them is one of its own
	for i := range s.pods {
		s.join(out[:n], &s.pods[i], emit)
	}
	for _, p := range s.resets {
		s.corroborate(out, p, emit)
	}
	s.learnRestarts(&out, emit)
	s.learnVague()
	return out
}

// died gives the episode of an instance that left routing and then ended the cause of that end, where it is told: it says more than a probe that failed.
func (s *instanceScan) died(l *assay.Life, e *assay.Episode) {
	if planned(l.Exit) || l.Exit == "" || l.Exit == exitUnknown || l.Exit == exitUnseen {
		return
	}
	j := s.judgeExit(l)
	if j.planned != "" {
		return
	}
	e.Evidence = append(e.Evidence, fmt.Sprintf("out of routing %.3g s before it ended: %s", float64(l.Exited-e.Begin)/1e9, e.Cause))
	e.Evidence = append(e.Evidence, j.evidence...)
	e.Cause, e.Confidence = j.cause, j.confidence
}

func inside(es []assay.Episode, t int64) bool {
	for i := range es {
		begin := es[i].BeginLo
		if es[i].Fault != "" {
			begin -= second // a fault works a little before the injector can say so
		}
		if begin <= t && (t <= es[i].EndHi || es[i].RightCensored) {
			return true
		}
	}
	return false
}

// attribute gives an episode that no fault claims its ledger.
func attribute(f *assay.Facts, e *assay.Episode) {
	e.Ledger = assay.Natural
	if w := faultOn(f, e.Instance, e.Begin); w != nil {
		e.Ledger, e.Fault = assay.Injected, w.ID
		return
	}
	if l, id := f.At(e.Begin); l != assay.Natural {
		e.Ledger, e.Fault = l, id
	}
}

// firstSign returns the first instant, after the fault came into force, at which the instance left routing or died, or 0.
func firstSign(f *assay.Facts, l *assay.Life, w *assay.FaultWindow) int64 {
	var first int64
	note := func(t int64) {
		if t != 0 && t >= from(w) && t <= max(w.Washout, closed(w)) && (first == 0 || t < first) {
			first = t
		}
	}
	for _, u := range l.Unready {
		note(u.Begin)
	}
	note(l.Exited)
	return first
}

// replacedWithin is how long after an end an instance may be created in place of it.
const replacedWithin = 3600 * second

// ending finds when the instance, or one that replaced it, was ready, or when it was no longer wanted.
func (s *instanceScan) ending(l *assay.Life, e *assay.Episode, used map[string]bool) {
	f := s.f
	at := int64(0)
	var resolution int64
	better := func(t, r int64) bool {
		if t > e.Begin && (at == 0 || t < at) {
			at, resolution = t, r
			return true
		}
		return false
	}
	// Itself: the end of the unready stretch that holds the beginning, if it did not end by its death.
	for _, u := range l.Unready {
		if u.End > e.Begin && u.End != l.Exited {
			better(u.End, u.Resolution)
			break
		}
	}
	by := ""
	for pass := range 4 {
		of := s.place("")
		if pass == 0 {
			of = s.place(slotOf(l.Instance))
		}
		for _, n := range of.lives[of.from(e.Begin-Probe(f.Manifest)):] {
			if pass > 0 && (at != 0 && firstOf(n) > at || firstOf(n) > e.Begin+replacedWithin) {
				break
			}
			if n == l || pass > 0 && used[n.Instance] || n.Created == 0 {
				continue
			}
			// First itself, started again; then those that say so; a platform that gives no such reason replaces by whatever it creates next.
			up := n.Ready
			if pass == 0 {
				up = back(l, n)
			}
			if up == 0 || (pass == 0) != (n.Instance == l.Instance) || pass == 1 && n.Reason != "replace" || pass == 2 && n.Reason == "scale_out" {
				continue
			}
			if better(up, 0) || pass == 0 && up == e.Begin { // started anew at the instant of an end that nobody saw
				at, by = up, n.Instance
			}
			break
		}
		if by != "" {
			break
		}
	}
	if t := s.unwanted(l, e.Begin); t != 0 && (at == 0 || t < at) {
		// Nobody waits for it any more: down, but not for want of recovery.
		e.End, e.EndHi = t, t
		return
	}
	if at == 0 {
		e.End, e.EndHi, e.RightCensored = max(e.Begin, f.End), max(e.Begin, f.End), true
		return
	}
	if by != "" {
		used[by] = true
	}
	if resolution == 0 {
		resolution = Probe(f.Manifest)
	}
	e.End, e.EndHi = max(e.Begin, at-resolution), at
}

// back is when an instance was up in the life n after l: ready, or else at its first good answer, or where nothing but loads is told when its model was loaded.
func back(l, n *assay.Life) int64 {
	if at := cmp.Or(n.Ready, n.Worked); at != 0 || l.Exit != exitReload {
		return at
	}
	return lastPhase(n)
}

// unwanted returns the first instant after t at which the autoscaler wanted no more
// instances than were in routing without l, or 0.
func (s *instanceScan) unwanted(l *assay.Life, t int64) int64 {
	i, _ := slices.BinarySearchFunc(s.scales, t+1, func(c scaling, t int64) int { return cmp.Compare(c.at, t) })
	if i == len(s.scales) {
		return 0
	}
	alive := t // it may have died a moment before the injector could say so
	if l.Exited != 0 {
		alive = min(alive, l.Exited)
	}
	for _, u := range l.Unready {
		if u.Begin > t-second {
			alive = min(alive, u.Begin)
		}
	}
	before := routed(s.f.Lives, alive-1)
	for _, c := range s.scales[i:] {
		if c.desired >= before {
			continue
		}
		n := routed(s.f.Lives, c.at)
		if InRouting(l, c.at) {
			n--
		}
		if c.desired <= n {
			return c.at
		}
	}
	return 0
}

// Capacity returns when as many instances were in routing again as when the fault came into force, or as many as
// the autoscaler still wanted if that became fewer; not when they are lost again while the fault is in force. found is false if that was not seen; the instant is then the last one known not to be so.
// dropped tells whether the fault took any instance out of routing at all. What is lost once the next fault strikes is not told from what that one took: it ends the look.
func Capacity(f *assay.Facts, w *assay.FaultWindow) (at, resolution int64, found, dropped bool) {
	type change struct {
		at, resolution int64
		desired        int // of the autoscaler; -1 if the change is none of its
	}
	var changes []change
	want := w.Healthy
	latest := closed(w) + maxWashout // a loss that begins later is not this fault's
	end := f.End
	if n := len(f.Events); n > 0 {
		end = max(end, f.Events[n-1].Time)
	}
	struck := int64(math.MaxInt64) // by the next fault
	if j := nextFault(f.Faults, w); j >= 0 {
		struck = from(&f.Faults[j])
		end = min(end, struck)
	}
	for i := range f.Events {
		e := &f.Events[i]
		if e.Time < from(w) {
			continue
		}
		if e.Time >= struck {
			break
		}
		if e.Attrs["reason"] == exitShutdown && e.Instance != "" {
			end = min(end, e.Time) // the platform is being taken down
			break
		}
		switch e.Kind {
		case assay.EventInstanceReady, assay.EventInstanceUnready, assay.EventInstanceEjected, assay.EventInstanceExited, assay.EventInstanceDraining, assay.EventScale, assay.EventStop:
			c := change{e.Time, e.Resolution, -1}
			if n, err := strconv.Atoi(e.Attrs["desired"]); err == nil && e.Kind == assay.EventScale {
				c.desired = n
			}
			changes = append(changes, c)
		}
	}
	last := w.Applied
	var back change // when they were there again, so far
	for _, c := range changes {
		if back.at != 0 && c.at > closed(w) {
			break
		}
		if c.desired >= 0 {
			want = min(want, c.desired)
		}
		n := routed(f.Lives, c.at)
		if n < want {
			if !dropped && c.at > latest {
				break
			}
			dropped = true
			last = max(last, c.at)
			back = change{}
			continue
		}
		if dropped && back.at == 0 {
			back = c
		}
	}
	if back.at != 0 {
		return max(back.at, w.Applied), cmp.Or(back.resolution, Probe(f.Manifest)), true, true
	}
	if !dropped {
		return w.Applied, 0, true, false
	}
	return max(last, end), 0, false, true
}

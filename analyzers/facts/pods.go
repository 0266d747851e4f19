package facts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// What is counted of pods
//
// kube-state-metrics counts how often a container was started again and says why it ended last; cAdvisor counts the processes that were killed for
// their memory. Each that is counted is a failure of the instance, between the look that did not show it and the one that does. Those that fall into one stretch in which the pod
// was not ready are one failure: it was down once. A counter that falls is another pod of that name, and what was counted before the first look has no instant.

// A podFailure is a restart, or a kill for memory, that was counted of a pod.
type podFailure struct {
	suspect
	confidence assay.Confidence
	evidence   []string
	how        string // it ended, in short
	orderly    bool   // it ended by itself with status 0
}

// mostRestarts bounds the failures that one growth of a counter makes.
const mostRestarts = 64

// learnPods reads what is told of pods. Where other instances are known, pods of other names are none.
func (s *instanceScan) learnPods(ctx context.Context, told bool) error {
	f := s.f
	if f.Metrics == nil || f.End <= f.Begin {
		return nil
	}
	state, kubelet := profile.For("kubernetes"), profile.For("cadvisor")
	r := &podReader{f: f, ctx: ctx, step: max(second, (f.End-f.Begin)/resetPoints)}
	restarts, ooms, ready := r.read(state, profile.Restarts), r.read(kubelet, profile.OOMs), r.read(state, profile.PodReady)
	if r.err != nil || len(restarts)+len(ooms)+len(ready) == 0 {
		return r.err
	}
	all := slices.Concat(restarts, ready)
	if len(s.index) == 0 { // nothing else told of instances
		for _, p := range all {
			s.seen(p.pod, p.Times[0])
		}
	}
	if id := s.alone(slices.Concat(all, ooms)); id != "" {
		for _, of := range [][]podSeries{restarts, ooms, ready} {
			for i := range of {
				of[i].pod = id
			}
		}
	}
	mine := func(p podSeries) bool { return s.index[p.pod] == nil }
	restarts, ooms, ready = slices.DeleteFunc(restarts, mine), slices.DeleteFunc(ooms, mine), slices.DeleteFunc(ready, mine)
	if !told {
		for _, p := range ready {
			s.follow(p)
		}
		for _, p := range slices.DeleteFunc(r.read(state, profile.Evicted), mine) {
			s.evict(p)
		}
	}
	if len(ready) > 0 {
		signal := assay.Signal{Probe: "readiness", By: "kube_pod_status_ready"}
		for i := range ready {
			readySignal(&signal, &ready[i], f.End)
		}
		f.Signals = append(f.Signals, signal)
	}
	killed, started := grown(ooms), grown(restarts)
	var ends []podSeries
	if len(restarts) > 0 {
		ends = r.read(state, profile.ExitedAt)
		f.Signals = append(f.Signals, liveSignal(restarts, ends, r.read(state, profile.StartedAt), f.Manifest.Epoch))
	}
	if len(started) > 0 {
		reasons, codes := r.read(state, profile.ExitReason), r.read(state, profile.ExitCode)
		for i := range started {
			s.pods = append(s.pods, failureOf(&started[i], killed, reasons, codes, ends, f.Manifest.Epoch))
		}
	}
	for i := range killed {
		if k := &killed[i]; !k.used {
			s.pods = append(s.pods, podFailure{suspect: suspect{id: k.pod, lo: k.lo, hi: k.hi, end: k.hi, cause: "oom"}, confidence: assay.ConfidenceHigh,
				evidence: []string{"cAdvisor counted a process that was killed for its memory"}})
		}
	}
	slices.SortStableFunc(s.pods, func(a, b podFailure) int { return cmp.Compare(a.hi, b.hi) })
	return r.err
}

// alone returns the one instance that is known, where its series call it by its address and one pod is told of: it is that pod. Else "".
func (s *instanceScan) alone(pods []podSeries) (id string) {
	if len(s.index) != 1 || slices.ContainsFunc(pods, func(p podSeries) bool { return p.pod != pods[0].pod }) {
		return ""
	}
	for id = range s.index {
	}
	if _, port, err := net.SplitHostPort(id); err != nil || port == "" {
		return ""
	}
	return id
}

// A podSeries is a series of a container, or of a whole pod.
type podSeries struct {
	assay.Series
	pod, container string // pod: the instance that it is
	name           string // of the pod, as the series has it
	every          int64  // how far apart its looks are: what shows at one happened since the one before
}

// at returns the value at the first look in [from, to], and whether there is one.
func (p *podSeries) at(from, to int64) (float64, bool) {
	i, _ := slices.BinarySearch(p.Times, from)
	for ; i < len(p.Times) && p.Times[i] <= to; i++ {
		if v := float64(p.Values[i]); !math.IsNaN(v) {
			return v, true
		}
	}
	return 0, false
}

// A podReader reads series by their quantity; the first error stays.
type podReader struct {
	f    *assay.Facts
	ctx  context.Context
	step int64
	err  error
}

func (r *podReader) read(p *profile.Profile, q profile.Quantity) []podSeries {
	if r.err != nil {
		return nil
	}
	series, every, err := lookedAt(r.ctx, r.f, p, q, r.step)
	r.err = err
	var out []podSeries
	for _, x := range series {
		s := podSeries{Series: x, name: labelOf(x.Labels, p.Label("pod")...), container: labelOf(x.Labels, p.Label("container")...), every: every}
		s.pod = s.name
		if s.pod != "" && len(x.Times) > 0 {
			out = append(out, s)
		}
	}
	return joined(p, out)
}

// A growth is one more of what was counted.
type growth struct {
	pod, name, container string
	lo, hi               int64
	used                 bool
}

// grown returns each growth by one of counters.
func grown(series []podSeries) []growth {
	var out []growth
	for _, p := range series {
		was, at := math.NaN(), int64(0)
		for i, t := range p.Times {
			v := float64(p.Values[i])
			if math.IsNaN(v) {
				continue
			}
			for n := was; n < v && n < was+mostRestarts && len(out) < mostIdle; n++ {
				out = append(out, growth{pod: p.pod, name: p.name, container: p.container, lo: at - p.every, hi: t})
			}
			was, at = v, t
		}
	}
	return out
}

// failureOf says what a restart was by what is told of the container's end.
func failureOf(g *growth, killed []growth, reasons, codes, ends []podSeries, epoch int64) podFailure {
	p := podFailure{suspect: suspect{id: g.pod, lo: g.lo, hi: g.hi, end: g.hi, cause: "restart"}, confidence: assay.ConfidenceLow}
	until := g.hi + max(2*(g.hi-g.lo), second) // the reason may come with the next look
	own := func(x *podSeries) bool { return x.name == g.name && x.container == g.container }
	reason := ""
	for i := range reasons {
		if v, ok := reasons[i].at(g.hi, until); own(&reasons[i]) && ok && v == 1 {
			reason = labelOf(reasons[i].Labels, "reason")
			break
		}
	}
	code, known := 0, false
	for i := range codes {
		if v, ok := codes[i].at(g.hi, until); own(&codes[i]) && ok {
			code, known = int(v), true
			break
		}
	}
	for i := range ends {
		if v, ok := ends[i].at(g.hi, until); own(&ends[i]) && ok {
			if t := int64(v*1e9) - epoch; t > p.lo && t <= p.hi {
				p.lo, p.hi = t-second, t // it tells whole seconds
			}
			break
		}
	}
	oom := reason == "OOMKilled"
	text := "kube-state-metrics counted a restart"
	if g.container != "" {
		text += " of the container " + g.container
	}
	if reason != "" {
		text += ", which ended last for " + reason
	}
	if known {
		text += " with the exit status " + strconv.Itoa(code)
	}
	p.evidence = []string{text}
	p.orderly = known && code == 0 && reason != "OOMKilled"
	if known {
		p.how = fmt.Sprintf("exit status %d", code)
	}
	p.how = strings.Trim(reason+", "+p.how, ", ")
	for i := range killed {
		if k := &killed[i]; !k.used && k.pod == g.pod && (k.container == "" || g.container == "" || k.container == g.container) && k.lo <= g.hi && k.hi >= g.lo {
			k.used, oom, p.orderly = true, true, false
			p.evidence = append(p.evidence, "cAdvisor counted a process that was killed for its memory")
			break
		}
	}
	switch {
	case oom:
		p.cause, p.confidence = "oom", assay.ConfidenceHigh
	case known && code != 0 && code != 143 && code != 130, !known && (reason == "Error" || reason == "ContainerCannotRun"):
		p.cause, p.confidence = "crash", assay.ConfidenceHigh
	}
	return p
}

// follow takes from a pod's readiness when an instance that nothing else tells of was ready. One that is not ready when its series ends was taken away.
func (s *instanceScan) follow(p podSeries) {
	l := &s.f.Lives[s.index[p.pod][0]]
	l.Ready = 0
	was := int64(0)
	for i, t := range p.Times {
		n := len(l.Unready)
		open := n > 0 && l.Unready[n-1].End == 0
		v := float64(p.Values[i])
		switch {
		case math.IsNaN(v):
			continue
		case v == 1 && l.Ready == 0:
			l.Ready = t
		case v == 1 && open:
			l.Unready[n-1].End = t
		case v == 0 && l.Ready != 0 && !open && n < mostIdle:
			l.Unready = append(l.Unready, assay.Interval{Name: notReady, Begin: t, Resolution: t - was + p.every})
		}
		was = t
	}
	if was+explainWithin+p.every < s.f.End {
		l.Draining = was
		if n := len(l.Unready); n > 0 && l.Unready[n-1].End == 0 {
			l.Draining = l.Unready[n-1].Begin
		}
	}
}

// evict ends the life of a pod at its eviction.
func (s *instanceScan) evict(p podSeries) {
	l := &s.f.Lives[s.index[p.pod][0]]
	for i, t := range p.Times {
		if p.Values[i] == 1 && l.Exited == 0 {
			l.Exited, l.Exit, l.Draining = t, "evicted", 0
			l.Unready = slices.DeleteFunc(l.Unready, func(u assay.Interval) bool { return u.End == 0 })
		}
	}
}

// join adds what was counted of a pod to the episode that it belongs to, or makes one of it.
func (s *instanceScan) join(out []assay.Episode, p *podFailure, emit func(assay.Episode)) {
	for i := range out {
		e := &out[i]
		if e.Instance != p.id || e.BeginLo > p.hi+second || e.EndHi+second < p.lo {
			continue
		}
		if e.Ledger == assay.Natural {
			if p.confidence == assay.ConfidenceHigh && slices.Contains(vague, e.Cause) {
				e.Cause, e.Confidence = p.cause, p.confidence
			} else if e.Cause == notReady && p.how != "" {
				e.Cause += ", restarted after " + p.how
			}
			for _, text := range p.evidence {
				if !slices.Contains(e.Evidence, text) {
					e.Evidence = append(e.Evidence, text)
				}
			}
		}
		return
	}
	if s.told(p.id, p.lo, p.hi) {
		return // an end that was planned
	}
	e := assay.Episode{Instance: p.id, Cause: p.cause, BeginLo: p.lo, Begin: p.hi, End: p.hi, EndHi: p.hi, Confidence: p.confidence, Evidence: p.evidence}
	if n := s.lostNear(p.id, p.lo, p.hi); n > 0 {
		e.Evidence = append(e.Evidence, fmt.Sprintf("%d requests were lost with it", n))
		if e.Confidence == assay.ConfidenceLow {
			e.Confidence = assay.ConfidenceMedium
		}
	}
	why := s.explained(p.id, p.hi)
	if why == "" && p.orderly && e.Confidence == assay.ConfidenceLow {
		e.Cause, why = assay.UnexplainedRestart, endedByItself
	}
	if why != "" && p.confidence != assay.ConfidenceHigh {
		e.Ledger, e.Confidence = assay.Planned, ""
		e.Evidence = append(e.Evidence, "explained: "+why)
	} else {
		if p.confidence != assay.ConfidenceHigh {
			e.Evidence = append(e.Evidence, "no scaling, rollout, recycling or idleness explains it")
		}
		attribute(s.f, &e)
	}
	emit(e)
}

// notReady is the cause of an episode of which nothing but a pod's readiness tells.
const notReady = "not ready"

// vague are the causes that say no more than that an instance was down.
var vague = []string{notReady, "restart", "exit", assay.EventInstanceUnready}

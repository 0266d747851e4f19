package kubernetes

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// A pod is what is known of one.
type pod struct {
	id        string // UID, or namespace and name
	namespace string
	name      string
	node      string
	maker     string // key of what made it
	workload  string
	labels    map[string]string
	container string // that serves

	created    int64
	deleted    int64 // when its deletion was asked for
	deadline   int64 // until when it may take
	stopping   int64 // when its containers were told to stop, as an event has it
	disruption string
	disrupted  string // in words

	runs    map[int64]*serviceRun // of the serving container, by how many there were before
	counted bool                  // those that nobody saw were told of
	ready   []stretch             // in routing, as far as is known, in order
	exited  int64                 // for good
	seen    int64                 // when it was seen last, as far as stamps tell
	list    int                   // that it was seen in last; 0: none
	missed  bool                  // its end is known by its absence alone
	heard   bool                  // nothing but events tell of it
}

// A stretch is [begin, end); end 0: still.
type stretch struct{ begin, end int64 }

func (p *pod) readyAt(t int64) bool {
	return slices.ContainsFunc(p.ready, func(s stretch) bool { return s.begin <= t && (s.end == 0 || t < s.end) })
}

func (p *pod) readyBefore(t int64) bool { return len(p.ready) > 0 && p.ready[0].begin < t }

func (p *pod) exitedBefore(t int64) bool { return p.exited != 0 && p.exited < t }

// alive reports whether the pod was there at t and not asked to go.
func (p *pod) alive(t int64) bool {
	return p.created <= t && (p.exited == 0 || t < p.exited) && (p.deleted == 0 || t < p.deleted)
}

func (d *Decoder) takePod(s *Selection, o *Object, gone bool) string {
	if !s.pod(&o.Metadata) {
		return "a pod that is not selected"
	}
	spec, status := part[podSpec](o.Spec), part[podStatus](o.Status)
	if slices.ContainsFunc(status.Containers, func(c containerStatus) bool { return c.Restarts < 0 }) {
		return "a pod with a negative count of restarts"
	}
	p := d.podOf(&o.Metadata)
	p.seen, p.list = d.now, d.list
	p.node = cmp.Or(spec.Node, p.node)
	p.container = cmp.Or(serving(s, o, &spec, &status), p.container)
	d.tell(p, "created", assay.Event{Time: p.created, Resolution: second, Kind: assay.EventInstanceCreated})
	if at := ns(o.Metadata.Deleted); at != 0 {
		p.deadline, p.deleted = at, at-o.Metadata.Grace*second
	}
	d.disruption(p, &status)
	d.start(p, &status)
	if i := slices.IndexFunc(status.Containers, func(c containerStatus) bool { return c.Name == p.container }); i >= 0 {
		d.container(p, &status, &status.Containers[i])
	}
	d.readiness(p, &status)
	if p.deleted != 0 && p.exited == 0 {
		d.tell(p, "draining", assay.Event{Time: p.deleted, Resolution: second, Kind: assay.EventInstanceDraining, Attrs: reasoned(p.disruption)})
		p.out(p.deleted)
	}
	if status.Phase == "Failed" && p.exited == 0 && p.disruption != "" {
		d.end(p, cmp.Or(find(status.Conditions, "DisruptionTarget").since(), find(status.Conditions, "Ready").since(), d.now), second, nil)
	}
	if gone && p.exited == 0 {
		switch {
		case d.Live:
			d.end(p, d.now, max(second, d.Gap), nil)
		case p.deadline != 0:
			d.end(p, p.deadline, max(second, p.deadline-p.deleted), nil)
		default:
			d.end(p, d.now, second, nil)
		}
	}
	return ""
}

func (d *Decoder) podOf(m *Metadata) *pod {
	name := m.Namespace + "/" + m.Name
	id := cmp.Or(m.UID, name)
	p := d.pods[id]
	if p == nil {
		p = &pod{id: id, namespace: m.Namespace, name: m.Name}
		d.pods[id] = p
	}
	d.named[name] = p
	p.heard = false
	p.created, p.labels = ns(m.Created), m.Labels
	p.maker, p.workload = origin(m)
	return p
}

// belongs adds what the pod is of, and where it runs, as far as that is known.
func (p *pod) belongs(attrs map[string]string) map[string]string {
	for _, a := range [][2]string{{"workload", p.workload}, {"revision", p.maker[strings.LastIndexByte(p.maker, '/')+1:]}, {"node", p.node}} {
		if a[1] != "" {
			attrs = with(attrs, a[0], a[1])
		}
	}
	return attrs
}

// origin returns the key of what made a pod and the name of its workload.
func origin(m *Metadata) (maker, workload string) {
	if r := m.Labels["serving.knative.dev/revision"]; r != "" {
		return key("Revision", m.Namespace, r), cmp.Or(m.Labels["serving.knative.dev/service"], m.Labels["serving.knative.dev/configuration"], r)
	}
	o := m.owner()
	switch {
	case o.Kind == "ReplicaSet":
		return key(o.Kind, m.Namespace, o.Name), base(o.Name, m.Labels["pod-template-hash"])
	case o.Kind == "StatefulSet":
		return key(o.Kind, m.Namespace, o.Name+"@"+m.Labels["controller-revision-hash"]), o.Name
	case o.Name != "":
		return key(o.Kind, m.Namespace, o.Name), o.Name
	}
	return "", ""
}

// base is the name of the Deployment that a ReplicaSet is of.
func base(set, hash string) string {
	if hash != "" {
		if b, ok := strings.CutSuffix(set, "-"+hash); ok {
			return b
		}
	}
	if i := strings.LastIndexByte(set, '-'); i > 0 {
		return set[:i]
	}
	return set
}

func key(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

// sidecars are containers that serve no model.
var sidecars = []string{"queue-proxy", "istio-proxy", "linkerd-proxy", "envoy", "kube-rbac-proxy", "agent", "modelcar", "oauth-proxy", "vault-agent"}

// serving returns the name of the container that serves, "" where nothing tells.
func serving(s *Selection, o *Object, spec *podSpec, status *podStatus) string {
	var names []string
	for _, c := range spec.Containers {
		names = append(names, c.Name)
	}
	if names == nil {
		for _, c := range status.Containers {
			names = append(names, c.Name)
		}
	}
	for _, want := range []string{s.Container, o.Metadata.Annotations["kubectl.kubernetes.io/default-container"], "kserve-container", "user-container"} {
		if want != "" && slices.Contains(names, want) {
			return want
		}
	}
	for _, n := range names {
		if !slices.Contains(sidecars, n) {
			return n
		}
	}
	if len(names) > 0 {
		return names[0]
	}
	return ""
}

// disruptions are the reasons of the condition DisruptionTarget and of a pod's status.
var disruptions = map[string]string{
	"PreemptionByScheduler": "preempted", "Preempting": "preempted", "Preempted": "preempted",
	"EvictionByEvictionAPI": "evicted", "TerminationByKubelet": "evicted", "Evicted": "evicted",
	"DeletionByTaintManager": "node", "DeletionByPodGC": "node", "NodeLost": "node", "NodeShutdown": "node", "Terminated": "node", "Shutdown": "node",
	"UnexpectedAdmissionError": "node", "OutOfcpu": "node", "OutOfmemory": "node", "OutOfpods": "node", "NodeAffinity": "node",
}

// disruption learns whether the cluster took the pod away.
func (d *Decoder) disruption(p *pod, status *podStatus) {
	if c := find(status.Conditions, "DisruptionTarget"); c.is("True") && disruptions[c.Reason] != "" {
		p.disruption, p.disrupted = disruptions[c.Reason], short(c.Reason+": "+c.Message)
	}
	if why := disruptions[status.Reason]; why != "" {
		p.disruption, p.disrupted = why, short(status.Reason+": "+status.Message)
	}
}

func reasoned(reason string) map[string]string {
	if reason == "" {
		return nil
	}
	return map[string]string{"reason": reason}
}

// loads tells the names of init containers that load a model.
var loads = regexp.MustCompile(`(?i)storage-init|model|weight|download|fetch|hugging|\bhf\b`)

// start tells the phases up to the serving container's start.
func (d *Decoder) start(p *pod, status *podStatus) {
	if c := find(status.Conditions, "PodScheduled"); c.is("True") {
		d.phase(p, "schedule", p.created, c.since(), second)
	}
	for i := range status.Init {
		for _, t := range []*terminated{status.Init[i].State.Terminated, status.Init[i].Last.Terminated} {
			if t == nil || ns(t.Started) == 0 {
				continue
			}
			name := "runtime_start"
			if loads.MatchString(status.Init[i].Name) {
				name = "weights_fetch"
			}
			d.phase(p, name, ns(t.Started), ns(t.Finished), second, "container", status.Init[i].Name)
			if t.ExitCode != 0 {
				d.tell(p, fmt.Sprintf("init %s %d", status.Init[i].Name, ns(t.Finished)), assay.Event{Time: ns(t.Finished), Resolution: second, Kind: assay.EventAnnotation,
					Text:  short(fmt.Sprintf("init container %s failed: %s, status %d", status.Init[i].Name, t.Reason, t.ExitCode)),
					Attrs: map[string]string{"reason": "init_failed", "code": strconv.Itoa(t.ExitCode)}})
			}
		}
	}
}

// phase tells a phase of a start. Pairs are further attributes.
func (d *Decoder) phase(p *pod, name string, begin, end, resolution int64, pairs ...string) {
	if begin == 0 || end == 0 || end < begin {
		return
	}
	attrs := map[string]string{"phase": name, "start_ns": strconv.FormatInt(begin, 10), "end_ns": strconv.FormatInt(end, 10), "source": source}
	for i := 0; i+1 < len(pairs); i += 2 {
		attrs[pairs[i]] = pairs[i+1]
	}
	d.tell(p, fmt.Sprintf("phase %s %d %v", name, begin, pairs), assay.Event{Time: end, Resolution: resolution, Kind: assay.EventInstancePhase, Attrs: attrs})
}

// container tells the lives of the serving container, as far as its status does.
func (d *Decoder) container(p *pod, status *podStatus, c *containerStatus) {
	ready := find(status.Conditions, "Ready")
	var began int64 // of the one that runs
	if r := c.State.Running; r != nil {
		began = ns(r.Started)
	}
	d.runs(p, c)
	lives := []*terminated{c.Last.Terminated, c.State.Terminated}
	var last int64
	for _, t := range lives {
		if t == nil || ns(t.Finished) == 0 {
			continue
		}
		from, to := ns(t.Started), ns(t.Finished)
		d.started(p, status, last, from, c.Restarts == 0)
		if ready != nil {
			d.wasReady(p, ready, from, to, began)
		}
		last = to
		over := t == c.State.Terminated || c.State.Running == nil // and not started again
		if over && p.deleted != 0 && to+second >= p.deleted || status.Phase == "Failed" && p.disruption != "" {
			d.end(p, to, second, t) // what it ends with no longer matters
			continue
		}
		d.exit(p, t)
	}
	if began != 0 {
		d.started(p, status, last, began, c.Restarts == 0)
	}
	if w := c.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" && w.Reason != "" {
		at := max(find(status.Conditions, "ContainersReady").since(), last)
		if d.Live {
			at = d.now
		}
		d.tell(p, fmt.Sprintf("waiting %s %d", w.Reason, last), assay.Event{Time: at, Resolution: second, Kind: assay.EventAnnotation,
			Text: short(w.Reason + ": " + w.Message), Attrs: map[string]string{"reason": w.Reason}})
	}
	if began != 0 && ready.is("True") && ready.since() < began && c.Ready { // started again so quickly that readiness was not lost
		d.isReady(p, began, second, true)
	}
}

// started tells that the serving container was started, after its predecessor's end or as the pod's first.
func (d *Decoder) started(p *pod, status *podStatus, after, at int64, first bool) {
	if at == 0 {
		return
	}
	if after != 0 {
		d.tell(p, fmt.Sprintf("restart %d", after), assay.Event{Time: after, Resolution: second, Kind: assay.EventInstanceCreated, Attrs: map[string]string{"reason": "restart"}})
		d.phase(p, "schedule", after, at, second, "why", "back-off")
	} else if first {
		from := max(find(status.Conditions, "Initialized").since(), find(status.Conditions, "PodScheduled").since(), p.created)
		if from <= at {
			d.phase(p, "runtime_start", from, at, second)
		}
	}
	d.tell(p, fmt.Sprintf("started %d", at), assay.Event{Time: at, Resolution: second, Kind: assay.EventInstanceStarted})
}

// exit tells that the serving container ended without having been asked to.
func (d *Decoder) exit(p *pod, t *terminated) {
	at := ns(t.Finished)
	key := fmt.Sprintf("exit %d", at)
	if d.told[p.id+" "+key] {
		return
	}
	p.out(at)
	reason, text := ending(t)
	d.tell(p, key, assay.Event{Time: at, Resolution: second, Kind: assay.EventInstanceExited, Text: text, Attrs: outcome(t, reason)})
}

// ending says why a container that nobody asked to went.
func ending(t *terminated) (reason, text string) {
	switch {
	case t.Reason == "OOMKilled":
		return "oom", "killed for more memory than its limit"
	case t.Reason == "ContainerStatusUnknown":
		return "node", "its node lost it"
	case t.ExitCode == 0:
		return "unknown", "ended by itself with status 0"
	}
	text = fmt.Sprintf("ended with status %d", t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" {
		text = t.Reason + ": " + text
	}
	return "crash", text
}

// outcome are the attributes of an exit.
func outcome(t *terminated, reason string) map[string]string {
	out := map[string]string{}
	if reason != "" {
		out["reason"] = reason
	}
	if t == nil {
		return out
	}
	out["code"] = strconv.Itoa(t.ExitCode)
	if s := cmp.Or(t.Signal, t.ExitCode-128); s > 0 && s < 65 {
		out["signal"] = strconv.Itoa(s)
	}
	if t.Reason != "" {
		out["container_reason"] = t.Reason
	}
	return out
}

// end tells that the pod is gone for good, for the reason of its disruption or for one that its neighbours tell.
func (d *Decoder) end(p *pod, at, resolution int64, t *terminated) {
	if p.exited != 0 || at == 0 {
		return
	}
	p.exited = at
	p.out(at)
	d.tell(p, "end", assay.Event{Time: at, Resolution: resolution, Kind: assay.EventInstanceExited, Text: p.disrupted, Attrs: outcome(t, p.disruption)})
}

// out ends the pod's time in routing.
func (p *pod) out(at int64) {
	if n := len(p.ready); n > 0 && p.ready[n-1].end == 0 && p.ready[n-1].begin <= at {
		p.ready[n-1].end = at
	}
}

// readiness tells what the condition Ready says.
func (d *Decoder) readiness(p *pod, status *podStatus) {
	c := find(status.Conditions, "Ready")
	at := c.since()
	if at == 0 {
		return
	}
	var began int64
	for _, x := range status.Containers {
		if x.Name == p.container && x.State.Running != nil {
			began = ns(x.State.Running.Started)
		}
	}
	switch {
	case c.is("True"):
		if at >= began {
			d.isReady(p, at, second, false)
			d.phase(p, "readiness", began, at, second)
		}
	case p.deleted != 0 && at >= p.deleted:
		p.out(at)
	default:
		if began != 0 && at > began {
			d.wasReady(p, nil, began, at, 0)
		}
		if len(p.ready) == 0 || p.ready[0].begin > at {
			return
		}
		p.out(at)
		text := short(cmp.Or(c.Message, c.Reason))
		d.tell(p, fmt.Sprintf("unready %d", at), assay.Event{Time: at, Resolution: second, Kind: assay.EventInstanceUnready, Text: text})
		d.tell(p, fmt.Sprintf("probe readiness false %d", at), assay.Event{Time: at, Resolution: second, Kind: assay.EventInstanceProbe, Text: text,
			Attrs: map[string]string{"probe": "readiness", "ok": "false"}})
	}
}

// isReady tells that the pod came into routing. Inferred: that it was is known, and not when exactly.
func (d *Decoder) isReady(p *pod, at, resolution int64, inferred bool) {
	key := fmt.Sprintf("ready %d", at)
	if d.told[p.id+" "+key] {
		return
	}
	p.out(at)
	p.ready = append(p.ready, stretch{begin: at})
	slices.SortFunc(p.ready, func(a, b stretch) int { return cmp.Compare(a.begin, b.begin) })
	e := assay.Event{Time: at, Resolution: resolution, Kind: assay.EventInstanceReady}
	if inferred {
		e.Attrs = map[string]string{"inferred": "true"}
	} else {
		d.tell(p, fmt.Sprintf("probe readiness true %d", at), assay.Event{Time: at, Resolution: resolution, Kind: assay.EventInstanceProbe,
			Attrs: map[string]string{"probe": "readiness", "ok": "true"}})
	}
	d.tell(p, key, e)
}

// wasReady infers that a container which ran from one instant to another was ready in between, where nothing tells when that was: readiness was lost
// after it started, or it ran for longer than the one after it took to get ready.
func (d *Decoder) wasReady(p *pod, c *condition, from, to, began int64) {
	if from == 0 || slices.ContainsFunc(p.ready, func(s stretch) bool { return from <= s.begin && s.begin <= to }) {
		return
	}
	switch since := c.since(); {
	case c == nil:
		d.isReady(p, to, to-from, true)
	case c.is("True") && from <= since && since <= to:
		d.isReady(p, since, second, false)
	case c.is("True") && began != 0 && since >= began && to-from > since-began:
		d.isReady(p, from+since-began, since-began+second, true)
		p.out(to)
	case c.is("False") && since > from && since <= to+10*second:
		at := min(since, to)
		d.isReady(p, at, at-from, true)
	}
}

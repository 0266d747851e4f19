package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/assay-dev/assay"
)

const (
	second    = int64(time.Second)
	source    = "kubernetes"
	maxEvents = 1_000_000 // that wait
	maxTold   = 4_000_000 // of a whole run

	maxWaiting = 100_000 // events about pods that are not known yet
)

// A Selection says which pods are instances, and which of their containers serves. The zero value is all pods of all namespaces.
type Selection struct {
	Namespace string
	Labels    labels.Selector
	Container string
}

func (s *Selection) pod(m *Metadata) bool {
	return (s.Namespace == "" || m.Namespace == s.Namespace) && (s.Labels == nil || s.Labels.Matches(labels.Set(m.Labels)))
}

// all reports whether every pod is an instance.
func (s *Selection) all() bool { return s.Labels == nil || s.Labels.Empty() }

// A Decoder makes events of the objects of a cluster, each of which it may see many times. The zero value is ready. It stamps events in Unix
// nanoseconds.
type Decoder struct {
	// From is the instant, in Unix ns, before which nothing is to be told but what still holds at it. 0: all is told.
	From int64

	// Live is set where what is read is how things are when it is read.
	Live bool

	// Gap is how long, in ns, what is read next may have been so before it was seen, where Live is set.
	Gap int64

	// Lost counts events that were not made since there were more than are kept.
	Lost int64

	pods    map[string]*pod      // by UID, or namespace and name
	named   map[string]*pod      // the latest by namespace and name
	makers  map[string]*maker    // ReplicaSets, Revisions and the like, by namespace, kind and name
	desired map[string]int       // pods that each workload is to have, as it was seen last
	sizes   map[string]int       // the same, as it was handed out last
	nodes   map[string]*node     // by name
	told    map[string]bool      // keys of events that were made
	pending []pending            // not handed out yet
	scales  map[string][]rescale // of each workload, in the order in which they were learned
	kills   map[string][]int64   // Unix ns: when a failed probe had a container of a pod killed, by namespace and name
	taken   map[string]taking    // by namespace and name: pods of which an event tells that the cluster took them away
	pulls   map[string][]int64   // Unix ns: when pulls began, by pod and container
	resizes []resize             // by autoscalers, in the order in which they were learned
	targets map[string]string    // what a HorizontalPodAutoscaler scales
	later   []waiting            // events about pods that are not known yet
	settled bool                 // all was read
	hidden  int64                // restarts that were told of without an instant
	now     int64                // Unix ns: of what is being read, or as late as is known
	list    int                  // that is being read; 0: none
	stamped bool                 // it is known when what is being read was taken
}

// A waiting event is about a pod that may still come.
type waiting struct {
	selection *Selection
	record    Record
	created   *time.Time
}

// A resize is what a HorizontalPodAutoscaler did.
type resize struct {
	autoscaler string
	at         int64
	n          int
	reason     string
}

// A taking is why the cluster took a pod away.
type taking struct{ reason, text string }

// A pending event waits for what its neighbours may tell.
type pending struct {
	assay.Event
	pod   *pod
	heard int64 // Unix ns
}

// A rescale is a change of the number of pods that a maker or a workload is to have. from is -1 where it is not known.
type rescale struct {
	at       int64
	maker    string // name; "" for the workload as a whole
	from, to int
	heard    bool // of an event of its maker
}

// A maker makes pods of one version of a workload: a ReplicaSet, a Revision, a StatefulSet.
type maker struct {
	name     string
	workload string
	created  int64
	revision int64
	replicas int // wanted; -1 where that is not known
	gone     int64
	mine     bool // its pods are selected, by its template
}

func (d *Decoder) init() {
	if d.pods == nil {
		d.pods, d.named, d.makers, d.desired = map[string]*pod{}, map[string]*pod{}, map[string]*maker{}, map[string]int{}
		d.sizes = map[string]int{}
		d.nodes, d.told, d.scales = map[string]*node{}, map[string]bool{}, map[string][]rescale{}
		d.kills, d.taken = map[string][]int64{}, map[string]taking{}
		d.pulls, d.targets = map[string][]int64{}, map[string]string{}
	}
}

// Take reads an object, as it is or, where gone is set, was when it was deleted. At is when that was seen, in Unix ns; 0 where only the object's own
// stamps tell. The reason is why it says nothing of instances, empty where it does.
func (d *Decoder) Take(s *Selection, o *Object, gone bool, at int64) (reason string) {
	d.init()
	d.stamped = at != 0 && !d.Live
	if d.now = max(d.now, at); at == 0 {
		d.now = max(d.now, newest(o))
	}
	if s.Namespace != "" && o.Metadata.Namespace != "" && o.Metadata.Namespace != s.Namespace {
		return "of another namespace"
	}
	switch o.Kind {
	case "Pod":
		return d.takePod(s, o, gone)
	case "Event":
		return d.takeEvent(s, o)
	case "ReplicaSet", "StatefulSet":
		return d.takeMaker(s, o, gone)
	case "Deployment":
		return d.takeDeployment(s, o, gone)
	case "HorizontalPodAutoscaler":
		return d.takeAutoscaler(o)
	case "Node":
		return d.takeNode(o)
	case "Revision":
		return d.takeRevision(s, o, gone)
	case "PodAutoscaler":
		return d.takePodAutoscaler(s, o)
	case "Service", "Configuration", "Route":
		return d.takeKnative(o)
	case "InferenceService":
		return d.takeModel(o)
	}
	return "of a kind that says nothing of instances"
}

// newest returns the latest stamp in an object, as far as a quick look tells.
func newest(o *Object) int64 {
	at := max(ns(o.Metadata.Created), ns(o.EventTime), ns(o.Last), ns(o.OldLast))
	if o.Series != nil {
		at = max(at, ns(o.Series.Last))
	}
	for _, c := range part[struct{ Conditions []condition }](o.Status).Conditions {
		at = max(at, ns(c.Since))
	}
	return at
}

// tell makes an event, once for each key. A nil pod is none.
func (d *Decoder) tell(p *pod, key string, e assay.Event) {
	if e.Time <= 0 {
		return
	}
	id := ""
	if p != nil {
		id, e.Instance = p.id, p.name
	}
	key = id + " " + key
	if d.told[key] {
		return
	}
	if len(d.pending) >= maxEvents || len(d.told) >= maxTold {
		d.Lost++
		return
	}
	d.told[key] = true
	e.Source = source
	e.Resolution = max(e.Resolution, 1)
	d.pending = append(d.pending, pending{e, p, d.now})
}

// Full reports whether there were more events than a decoder keeps.
func (d *Decoder) Full() bool { return len(d.pending) >= maxEvents || d.Lost > 0 }

// Flush hands out, in order of time, the events that were learned by the instant heard (Unix ns), each with what is known of its reason. Where emit fails,
// the event that it did not take and those after it come again.
func (d *Decoder) Flush(heard int64, emit func(assay.Record) error) error {
	d.settle()
	d.restarts()
	var now, later []pending
	for _, p := range d.pending {
		if p.heard <= heard {
			now = append(now, p)
		} else {
			later = append(later, p)
		}
	}
	d.pending = later
	slices.SortStableFunc(now, func(a, b pending) int { return cmp.Compare(a.Time, b.Time) })
	first := int64(0) // of an instance
	for i := range now {
		if now[i].pod != nil {
			first = now[i].Time
			break
		}
	}
	for i := range now {
		p := &now[i]
		d.sum(p)
		if !d.Live && p.pod == nil && first != 0 && p.Time < first {
			continue // of instances that are long gone
		}
		if !d.holds(p) {
			continue
		}
		d.explain(p)
		if err := emit(&p.Event); err != nil {
			d.pending = append(now[i:], later...)
			return err
		}
	}
	return nil
}

// holds reports whether an event is to be told; one from before the beginning is told as of it, if it still held.
func (d *Decoder) holds(p *pending) bool {
	if d.From == 0 || p.Time >= d.From {
		return true
	}
	if p.Kind != assay.EventInstanceReady && p.Time+min(p.Resolution, second) > d.From { // whole seconds are cut: it may have been later
		p.Time = d.From
		return true
	}
	if p.pod == nil {
		return false
	}
	switch p.Kind {
	case assay.EventInstanceReady:
		if !p.pod.readyAt(d.From) && !p.pod.readyAt(d.From-second) {
			return false
		}
		if key := p.pod.id + " holds"; !d.told[key] {
			d.told[key] = true
			p.Time, p.Resolution = d.From, 0
			return true
		}
		return false
	case assay.EventInstanceCreated, assay.EventInstanceStarted, assay.EventInstancePhase:
		return !p.pod.readyBefore(d.From) && !p.pod.exitedBefore(d.From) // still starting
	}
	return false
}

// explain fills in what an event's neighbours tell of it.
func (d *Decoder) explain(p *pending) {
	switch p.Kind {
	case assay.EventInstanceCreated:
		if p.Attrs["reason"] == "" {
			if why := d.whyCreated(p.pod); why != "" {
				p.Attrs = with(p.Attrs, "reason", why)
			}
		}
		p.Attrs = p.pod.belongs(p.Attrs)
	case assay.EventInstanceStarted:
		p.Attrs = p.pod.belongs(p.Attrs)
	case assay.EventInstanceDraining, assay.EventInstanceExited:
		d.killed(p)
		if p.Attrs["reason"] == "" {
			why, text := d.whyGone(p.pod, p.Time)
			p.Attrs = with(p.Attrs, "reason", why)
			p.Text = cmp.Or(p.Text, text)
		}
	case assay.EventScale:
		n := 0
		for _, x := range d.pods {
			if x.readyAt(p.Time) {
				n++
			}
		}
		p.Attrs = with(p.Attrs, "ready", strconv.Itoa(n))
	}
}

// killed corrects the reason of an exit that a failed probe brought about.
func (d *Decoder) killed(p *pending) {
	if why := p.Attrs["reason"]; why != "crash" && why != "unknown" {
		return
	}
	for _, at := range d.kills[p.pod.namespace+"/"+p.pod.name] {
		if at <= p.Time+2*second && p.Time <= at+killing {
			p.Attrs, p.Text = with(p.Attrs, "reason", "crash"), "killed by the platform since its probe failed"
		}
	}
}

// killing is how long it may take from the decision to kill a container to its end, by the default of Kubernetes and a bit.
const killing = 35 * second

func with(attrs map[string]string, name, value string) map[string]string {
	attrs = maps.Clone(attrs)
	if attrs == nil {
		attrs = map[string]string{}
	}
	attrs[name] = value
	return attrs
}

// sum fills in what all workloads together are to have, from events in order of time.
func (d *Decoder) sum(p *pending) {
	if p.Kind != assay.EventScale {
		return
	}
	if n, err := strconv.Atoi(p.Attrs["workload_desired"]); err == nil {
		d.sizes[p.Attrs["workload"]] = n
		all := 0
		for _, x := range d.sizes {
			all += x
		}
		p.Attrs = with(p.Attrs, "desired", strconv.Itoa(all))
	}
}

// wants tells that a workload is to have n pods from an instant on. All workloads together are the target.
func (d *Decoder) wants(workload string, n int, at int64, reason string) {
	old, known := d.desired[workload]
	d.desired[workload] = n
	if known && old == n {
		return
	}
	from := -1
	if known {
		from = old
	}
	d.scales[workload] = append(d.scales[workload], rescale{at: at, from: from, to: n})
	attrs := map[string]string{"workload": workload, "workload_desired": strconv.Itoa(n)}
	if reason != "" {
		attrs["reason"] = short(reason)
	}
	d.tell(nil, fmt.Sprintf("scale %s %d %d", workload, at, n), assay.Event{Time: at, Resolution: second, Kind: assay.EventScale, Attrs: attrs})
}

// short makes one line of a text from a cluster that people may read: no credentials of URLs, at most 200 bytes.
func short(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if at := strings.Index(w, "://"); at >= 0 {
			if user := strings.LastIndexByte(w, '@'); user > at {
				w = w[:at+3] + w[user+1:]
			}
			w, _, _ = strings.Cut(w, "?")
			words[i] = w
		}
	}
	text = strings.Join(words, " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:197], "") + "..."
	}
	return text
}

// labelsOf makes labels of what stands in an object.
func labelsOf(m map[string]string) labels.Set { return m }

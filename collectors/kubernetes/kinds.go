package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Kinds are the recordings of a cluster.
var Kinds = []input.Kind{{
	Name: "kubernetes", Things: "objects",
	Help:   "Objects of a Kubernetes cluster as kubectl get -o json or -o yaml prints them, of one instant or watched (-w): pods, events, nodes, deployments, replicasets and those of Knative and KServe.",
	Proven: collectors.Documents, By: "the API's documentation and types; the same decoder runs against a real API server, whose objects our tests write",
	Options: []input.Option{
		{Name: "namespace", Help: "namespace of the pods that are instances; all where none is given"},
		{Name: "selector", Help: "label selector of the pods that are instances, commas written as +; all where none is given"},
		{Name: "container", Help: "container that serves the model"},
		{Name: "at", Help: "instant at which a dump was taken; without it nothing is known of the time after its latest stamp"},
	},
	Is: is, Read: read, Finish: finish,
}}

// is tells objects of Kubernetes from other JSON and YAML.
func is(_ string, head []byte) bool {
	t := bytes.TrimSpace(head)
	if bytes.HasPrefix(t, []byte("{")) {
		has := func(s string) bool { return bytes.Contains(t, []byte(s)) }
		return has(`"apiVersion"`) && (has(`"items"`) || has(`"metadata"`)) || has(`"type"`) && has(`"object"`) && has(`"metadata"`)
	}
	t = bytes.TrimPrefix(t, []byte("---\n"))
	return bytes.HasPrefix(t, []byte("apiVersion: ")) && !bytes.HasPrefix(t, []byte("apiVersion: assay/"))
}

// A recording is what the inputs share.
type recording struct {
	Decoder
	objects int
	lists   int // that were read in all inputs
}

// many refuses more pods than can be held against one another.
func (r *recording) many(in *input.Input) error {
	if len(r.pods) > maxPods {
		return fmt.Errorf("%s: more than %d pods: want fewer by namespace= and selector=", in.Path, maxPods)
	}
	return nil
}

// read reads one input into the shared decoder. Its events are made when all are read.
func read(ctx context.Context, in *input.Input, _ func(assay.Record) error) error {
	r, _ := in.State.(*recording)
	if r == nil {
		r = &recording{}
		r.From = in.From
		in.State = r
	}
	s := &Selection{Namespace: in.Option("namespace"), Container: in.Option("container")}
	var err error
	if text := in.Option("selector"); text != "" {
		if s.Labels, err = labels.Parse(strings.ReplaceAll(text, "+", ",")); err != nil {
			return fmt.Errorf("%s: selector: %w", in.Path, err)
		}
	}
	var at int64
	if text := in.Option("at"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("%s: at %q: want an instant such as 2026-11-25T12:00:00Z", in.Path, text)
		}
		at = t.UnixNano()
	}
	l := &snapshot{recording: r, selection: s, in: in, at: at}
	take := func(o *Object, verb string, list int) error {
		if r.objects++; r.objects > maxObjects {
			return fmt.Errorf("%s: more than %d objects", in.Path, maxObjects)
		}
		if r.objects%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.many(in); err != nil {
			return err
		}
		return l.take(o, verb, list)
	}
	bad := func(err error) {
		switch {
		case errors.Is(err, errCut):
			in.Tally.Reject("cut short", 1)
		case errors.Is(err, errNoObject):
			in.Tally.Reject("without a kind or a name", 1)
		default:
			in.Tally.Reject("that are no objects", 1)
		}
	}
	head, err := in.Peek()
	if err != nil {
		return err
	}
	if bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		err = readJSON(in.File, take, bad)
	} else {
		err = readYAML(in.File, take, bad)
	}
	if err != nil {
		return err
	}
	l.end()
	if err := r.many(in); err != nil {
		return err
	}
	if r.Full() {
		return fmt.Errorf("%s: more than %d events", in.Path, maxEvents)
	}
	return nil
}

// order is in which the kinds of one dump are read, which stands for one instant: what explains others comes first.
var order = map[string]int{"Node": 1, "Deployment": 2, "ReplicaSet": 3, "StatefulSet": 3, "Revision": 3, "PodAutoscaler": 4, "HorizontalPodAutoscaler": 4, "Pod": 5, "Event": 6}

// A snapshot is a dump while it is read: its objects are taken up when it ends, since they are all of one instant.
type snapshot struct {
	*recording
	selection *Selection
	in        *input.Input
	at        int64
	of        int // number of the list within the input
	objects   []*Object
}

func (l *snapshot) take(o *Object, verb string, list int) error {
	switch verb {
	case "BOOKMARK", "ERROR":
		l.in.Tally.Reject("that tell of the watch alone", 1)
		return nil
	}
	if list != l.of {
		l.end()
		l.of = list
	}
	if list == 0 {
		l.one(o, verb == "DELETED")
		return nil
	}
	l.objects = append(l.objects, o)
	return nil
}

func (l *snapshot) one(o *Object, gone bool) {
	if reason := l.Take(l.selection, o, gone, l.at); reason != "" {
		l.in.Tally.Reject(reason, 1)
		return
	}
	l.in.Tally.Keep(1)
}

// end takes up the list that was read.
func (l *snapshot) end() {
	if len(l.objects) > 0 {
		l.lists++
		l.list = l.lists
		slices.SortStableFunc(l.objects, func(a, b *Object) int { return cmpOrder(a.Kind, b.Kind) })
		taken := l.at
		for _, o := range l.objects {
			if l.at == 0 {
				taken = max(taken, newest(o))
			}
		}
		for _, o := range l.objects {
			l.one(o, false)
		}
		l.missing(l.list, taken)
	}
	l.objects, l.list, l.of = nil, 0, 0
}

func cmpOrder(a, b string) int {
	x, y := order[a], order[b]
	if x == 0 {
		x = 7
	}
	if y == 0 {
		y = 7
	}
	return x - y
}

// missing ends the pods that an earlier dump holds and this one does not. One that shares no workload with them tells nothing of them.
func (d *Decoder) missing(list int, taken int64) {
	here := map[string]bool{} // namespaces and workloads of which this dump tells
	for _, p := range d.pods {
		if p.list == list {
			here[p.namespace+"/"+p.workload] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.pods)) {
		p := d.pods[id]
		if p.list == 0 || p.list == list || p.exited != 0 || p.heard || !here[p.namespace+"/"+p.workload] {
			continue
		}
		at, resolution := taken, max(second, taken-p.seen)
		if p.deadline != 0 && p.deadline <= taken {
			at, resolution = p.deadline, max(second, p.deadline-p.deleted)
		}
		p.missed = p.deleted == 0
		d.end(p, at, resolution, nil)
	}
}

// finish emits the events of all inputs.
func finish(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	r, _ := in.State.(*recording)
	in.State = nil
	if r == nil {
		return nil
	}
	r.restarts()
	if r.hidden > 0 {
		in.Tally.Note("%d restarts have no instant of their own: a pod tells of its last exit alone, and they count as between what is known before and after", r.hidden)
	}
	if r.now != 0 && len(r.pods) > 0 {
		r.tell(nil, "seen", assay.Event{Time: r.now, Resolution: second, Kind: assay.EventAnnotation, Text: "the latest that is known of the cluster"})
	}
	return r.Flush(1<<62, emit)
}

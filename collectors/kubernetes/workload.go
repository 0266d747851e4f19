package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

type workloadSpec struct {
	Replicas *int `json:"replicas"`
	Template struct {
		Metadata Metadata `json:"metadata"`
	} `json:"template"`
}

// takeMaker reads a ReplicaSet or a StatefulSet.
func (d *Decoder) takeMaker(s *Selection, o *Object, gone bool) string {
	spec := part[workloadSpec](o.Spec)
	m := &o.Metadata
	name, workload := m.Name, m.Name
	revision := int64(0)
	if o.Kind == "ReplicaSet" {
		workload = cmp.Or(m.owner().Name, base(m.Name, m.Labels["pod-template-hash"]))
		revision, _ = strconv.ParseInt(m.Annotations["deployment.kubernetes.io/revision"], 10, 64)
	} else {
		st := part[struct {
			Update  string `json:"updateRevision"`
			Current string `json:"currentRevision"`
		}](o.Status)
		name = m.Name + "@" + st.Update
		revision = int64(len(d.makers)) // the later it is met the newer it is
		if st.Current != st.Update {
			d.maker(key(o.Kind, m.Namespace, m.Name+"@"+st.Current), &maker{name: m.Name + "@" + st.Current, workload: workload, created: ns(m.Created), revision: revision - 1, replicas: -1})
		}
	}
	if t := spec.Template.Metadata; !s.all() && !s.Labels.Matches(labelsOf(t.Labels)) {
		return "of pods that are not selected"
	}
	k := key(o.Kind, m.Namespace, name)
	old, known := d.makers[k]
	now := &maker{name: name, workload: workload, created: ns(m.Created), revision: revision, replicas: -1}
	if known && o.Kind == "StatefulSet" {
		now.revision = old.revision
	}
	if spec.Replicas != nil {
		now.replicas = *spec.Replicas
	}
	if gone || m.Deleted != nil {
		now.gone = cmp.Or(ns(m.Deleted), d.now)
	}
	if known && now.replicas >= 0 && old.replicas >= 0 && now.replicas != old.replicas {
		d.scales[workload] = append(d.scales[workload], rescale{at: d.now, maker: name, from: old.replicas, to: now.replicas})
	}
	d.maker(k, now)
	if o.Kind == "StatefulSet" && d.timed() && now.replicas >= 0 {
		d.wants(workload, now.replicas, d.now, "")
	}
	if o.Kind == "ReplicaSet" && revision > 1 {
		d.rollout(workload, strconv.FormatInt(revision, 10), now.created)
	}
	return ""
}

// maker takes up what makes pods of one version.
func (d *Decoder) maker(k string, m *maker) { d.makers[k] = m }

// rollout tells that a new version of a workload began.
func (d *Decoder) rollout(workload, revision string, at int64) {
	d.tell(nil, fmt.Sprintf("rollout %s %s", workload, revision), assay.Event{Time: at, Resolution: second, Kind: assay.EventRollout,
		Text: "version " + revision + " of " + workload, Attrs: map[string]string{"workload": workload, "revision": revision}})
}

// timed reports whether the present of what is read is known: it is watched, or it says when it was taken.
func (d *Decoder) timed() bool { return d.Live || d.stamped }

func (d *Decoder) takeDeployment(s *Selection, o *Object, gone bool) string {
	spec := part[workloadSpec](o.Spec)
	if !s.all() && !s.Labels.Matches(labelsOf(spec.Template.Metadata.Labels)) {
		return "of pods that are not selected"
	}
	m := &o.Metadata
	if gone {
		for _, x := range d.makers {
			if x.workload == m.Name && x.gone == 0 {
				x.gone = cmp.Or(ns(m.Deleted), d.now)
			}
		}
		return ""
	}
	if spec.Replicas != nil && d.timed() {
		d.wants(m.Name, *spec.Replicas, d.now, "")
	}
	status := part[struct{ Conditions []condition }](o.Status)
	for _, t := range []struct{ kind, bad string }{{"Progressing", "False"}, {"ReplicaFailure", "True"}} {
		if c := find(status.Conditions, t.kind); c.is(t.bad) {
			d.note("deployment "+m.Name, c)
		}
	}
	return ""
}

// note tells what a condition says of something that is no instance, once for each time that it came to be so.
func (d *Decoder) note(what string, c *condition) {
	d.tell(nil, fmt.Sprintf("note %s %s %d", what, c.Type, c.since()), assay.Event{Time: c.since(), Resolution: second, Kind: assay.EventAnnotation,
		Text: short(what + ": " + c.Type + " is " + c.Status + ": " + cmp.Or(c.Reason, "no reason") + ": " + c.Message), Attrs: map[string]string{"reason": cmp.Or(c.Reason, c.Type)}})
}

// takeAutoscaler reads when a HorizontalPodAutoscaler scaled last.
func (d *Decoder) takeAutoscaler(o *Object) string {
	name := o.Metadata.Name
	spec := part[struct {
		Target struct{ Kind, Name string } `json:"scaleTargetRef"`
	}](o.Spec)
	d.targets[name] = spec.Target.Name
	status := part[struct {
		Desired    *int        `json:"desiredReplicas"`
		Last       *time.Time  `json:"lastScaleTime"`
		Conditions []condition `json:"conditions"`
	}](o.Status)
	if status.Desired != nil && ns(status.Last) != 0 {
		d.resizes = append(d.resizes, resize{name, ns(status.Last), *status.Desired, ""})
	}
	if c := find(status.Conditions, "ScalingActive"); c.is("False") {
		d.note("autoscaler "+name, c)
	}
	return ""
}

// settle makes what can be made only when all was read: events about pods that came later, and the numbers of replicas that events tell.
func (d *Decoder) settle() {
	d.init()
	later := d.later
	d.later, d.settled = nil, true
	for i := range later {
		w := &later[i]
		first, last, resolution, count := w.record.times(w.created)
		d.podEvent(w.selection, &w.record, w.created, w.record.about(), first, last, resolution, count)
	}
	d.settled = false
	if d.Live { // the workloads themselves tell
		d.resizes = nil
		return
	}
	d.stopped()
	told := map[string]bool{} // workloads of which an autoscaler tells
	slices.SortStableFunc(d.resizes, func(a, b resize) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.reason, a.reason)) })
	for _, r := range d.resizes {
		workload := cmp.Or(d.targets[r.autoscaler], r.autoscaler)
		if told[workload] = true; d.ours("", workload) {
			d.wants(workload, r.n, r.at, r.reason)
		}
	}
	d.resizes = nil
	for _, workload := range slices.Sorted(maps.Keys(d.scales)) {
		scales := slices.Clone(d.scales[workload])
		slices.SortStableFunc(scales, func(a, b rescale) int { return cmp.Compare(a.at, b.at) })
		d.scales[workload] = scales
		if told[workload] || !d.ours("", workload) {
			continue
		}
		size := map[string]int{}
		for _, r := range scales {
			if !r.heard {
				continue
			}
			rollout := false
			for set, n := range size {
				rollout = rollout || set != r.maker && n > 0
			}
			if size[r.maker] = r.to; !rollout {
				d.wants(workload, r.to, r.at, "")
			}
		}
	}
}

// grace is the time that a pod has to stop, by the default of Kubernetes.
const grace = 30 * second

// stopped tells when pods went of which only an event does. One that was missing from a dump went between that event and the end of its grace.
func (d *Decoder) stopped() {
	for i := range d.pending {
		p := &d.pending[i]
		if p.Kind != assay.EventInstanceExited || !p.pod.missed || p.pod.stopping == 0 || p.pod.exited != p.Time {
			continue
		}
		at := p.pod.stopping + grace
		if p.Time > p.pod.stopping {
			at = min(at, p.Time)
		}
		p.Time, p.Resolution, p.pod.exited = at, at-p.pod.stopping, at
	}
	for _, id := range slices.Sorted(maps.Keys(d.pods)) {
		p := d.pods[id]
		if p.stopping == 0 || p.deleted != 0 || p.exited == 0 && !p.heard {
			continue
		}
		p.deleted = p.stopping
		d.tell(p, "draining", assay.Event{Time: p.stopping, Resolution: second, Kind: assay.EventInstanceDraining})
		for i := range p.ready {
			if p.ready[i].end == 0 || p.ready[i].end > p.stopping {
				p.ready[i].end = p.stopping
			}
		}
		d.end(p, p.stopping+grace, grace, nil)
	}
}

// ours reports whether a workload makes instances, as far as is known: one that makes none yet may.
func (d *Decoder) ours(namespace, workload string) bool {
	if len(d.pods) == 0 {
		return true
	}
	for _, p := range d.pods {
		if p.workload == workload && (namespace == "" || p.namespace == namespace) {
			return true
		}
	}
	for _, m := range d.makers {
		if m.workload == workload {
			return true
		}
	}
	return false
}

package kubernetes

import (
	"cmp"
	"strconv"
)

// takeRevision reads a Revision of Knative: one version of a service.
func (d *Decoder) takeRevision(s *Selection, o *Object, gone bool) string {
	m := &o.Metadata
	workload := knativeWorkload(m)
	k := key("Revision", m.Namespace, m.Name)
	old := d.makers[k]
	now := &maker{name: m.Name, workload: workload, created: ns(m.Created), replicas: -1}
	now.revision, _ = strconv.ParseInt(m.Labels["serving.knative.dev/configurationGeneration"], 10, 64)
	now.revision = cmp.Or(now.revision, ns(m.Created))
	if old != nil {
		now.replicas = old.replicas
	}
	if gone || m.Deleted != nil {
		now.gone = cmp.Or(ns(m.Deleted), d.now)
	}
	if !s.all() && !s.Labels.Matches(labelsOf(revisionLabels(m))) && !d.ours(m.Namespace, workload) {
		return "of pods that are not selected"
	}
	d.maker(k, now)
	if now.revision > 1 {
		d.rollout(workload, m.Name, now.created)
	}
	status := part[struct{ Conditions []condition }](o.Status)
	for _, kind := range []string{"ResourcesAvailable", "ContainerHealthy", "Ready"} {
		if c := find(status.Conditions, kind); c.is("False") && c.Reason != "NoTraffic" {
			d.note("revision "+m.Name, c)
		}
	}
	return ""
}

// takePodAutoscaler reads what the autoscaler of Knative wants for a revision.
func (d *Decoder) takePodAutoscaler(s *Selection, o *Object) string {
	m := &o.Metadata
	workload := knativeWorkload(m)
	if !s.all() && !s.Labels.Matches(labelsOf(revisionLabels(m))) && !d.ours(m.Namespace, workload) {
		return "of pods that are not selected"
	}
	status := part[struct {
		Desired    *int `json:"desiredScale"`
		Conditions []condition
	}](o.Status)
	active := find(status.Conditions, "Active")
	if n := status.Desired; n != nil && *n >= 0 { // -1 until it knows
		switch {
		case d.timed():
			d.wantsOf(workload, m.Name, *n, d.now)
		case *n == 0 && active.is("False") && d.scales[workload] == nil: // that has an instant, and what other revisions are to have is not known
			d.scales[workload] = []rescale{{at: active.since(), maker: m.Name, from: 1}}
		}
	}
	return ""
}

// wantsOf tells that a revision of a workload is to have n pods.
func (d *Decoder) wantsOf(workload, revision string, n int, at int64) {
	if m := d.makers[revisionKey(d, revision)]; m != nil {
		m.replicas = n
	}
	old, known := d.desired[workload+"/"+revision]
	d.wants(workload+"/"+revision, n, at, "")
	if known && old != n {
		d.scales[workload] = append(d.scales[workload], rescale{at: at, maker: revision, from: old, to: n})
	}
}

func revisionKey(d *Decoder, revision string) string {
	for k, m := range d.makers {
		if m.name == revision && sameKind(k, "Revision/") {
			return k
		}
	}
	return ""
}

// takeKnative reads whether a service of Knative is as it should be.
func (d *Decoder) takeKnative(o *Object) string {
	status := part[struct{ Conditions []condition }](o.Status)
	c := find(status.Conditions, "Ready")
	if c == nil {
		return "of a kind that says nothing of instances"
	}
	if c.is("False") && d.ours(o.Metadata.Namespace, o.Metadata.Name) {
		d.note("service "+o.Metadata.Name, c)
	}
	return ""
}

func knativeWorkload(m *Metadata) string {
	return cmp.Or(m.Labels["serving.knative.dev/service"], m.Labels["serving.knative.dev/configuration"], m.Name)
}

// revisionLabels are those that the pods of a revision have.
func revisionLabels(m *Metadata) map[string]string {
	out := map[string]string{"app": m.Name, "serving.knative.dev/revision": m.Name}
	for k, v := range m.Labels {
		out[k] = v
	}
	return out
}

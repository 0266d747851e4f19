package kubernetes

import (
	"slices"
	"strconv"
	"strings"
)

// How far apart what belongs together may be.
const (
	settle   = 2 * second       // clocks and whole seconds
	reacting = 120 * second     // from the decision to remove a pod to the request
	rolling  = 15 * 60 * second // from a new version to the last of its first pods: the default progress deadline and a bit
	replaced = 60 * second      // from a pod's deletion to the one that replaces it
)

// whyGone tells why a pod whose deletion was asked for, or that is gone, went.
func (d *Decoder) whyGone(p *pod, at int64) (reason, text string) {
	if p.disruption != "" {
		return p.disruption, p.disrupted
	}
	if t, ok := d.taken[p.namespace+"/"+p.name]; ok {
		return t.reason, t.text
	}
	if p.deleted != 0 {
		at = p.deleted
	}
	if n := d.nodes[p.node]; n != nil && n.down(at) {
		return "node", "node " + p.node + " was not ready"
	}
	m := d.makers[p.maker]
	if m != nil && m.gone != 0 && m.gone <= at+settle && !d.newer(p, at) {
		return "shutdown", "what made it was deleted"
	}
	if d.newer(p, at) {
		return "rollout", ""
	}
	if d.lowered(p, at) {
		return "scale_in", ""
	}
	for _, q := range d.pods { // a maker that is content without it wanted one fewer
		if q != p && q.maker == p.maker && q.created >= at-settle && q.created <= at+replaced {
			return "recycle", "deleted by request, and replaced"
		}
	}
	if m != nil && m.replicas >= 0 {
		n := 0
		for _, q := range d.pods {
			if q != p && q.maker == p.maker && q.alive(d.now) {
				n++
			}
		}
		if n >= m.replicas {
			return "scale_in", ""
		}
	}
	return "recycle", "deleted by request"
}

// newer reports whether a newer version of a pod's workload was there at t.
func (d *Decoder) newer(p *pod, t int64) bool {
	if p.workload == "" {
		return false
	}
	if m := d.makers[p.maker]; m != nil {
		for k, o := range d.makers {
			if k != p.maker && o.workload == m.workload && sameKind(k, p.maker) && o.revision > m.revision && o.created <= t+settle && (o.gone == 0 || o.gone > t) {
				return true
			}
		}
		return false
	}
	var mine, others int64 // creation of the latest pod of each
	for _, q := range d.pods {
		if q.workload != p.workload || q.namespace != p.namespace || q.created > t+settle {
			continue
		}
		if q.maker == p.maker {
			mine = max(mine, q.created)
		} else {
			others = max(others, q.created)
		}
	}
	return others > mine
}

func sameKind(a, b string) bool {
	a, _, _ = strings.Cut(a, "/")
	b, _, _ = strings.Cut(b, "/")
	return a == b
}

// lowered reports whether fewer pods were wanted shortly before t.
func (d *Decoder) lowered(p *pod, t int64) bool {
	for _, r := range d.scales[p.workload] {
		if mine := r.maker == "" || strings.HasSuffix(p.maker, "/"+r.maker); mine && r.at >= t-reacting && r.at <= t+settle && (r.from > r.to || r.to == 0) {
			return true
		}
	}
	if kind, _, _ := strings.Cut(p.maker, "/"); kind == "StatefulSet" {
		m := d.makers[p.maker]
		i := strings.LastIndexByte(p.name, '-')
		n, err := strconv.Atoi(p.name[i+1:])
		return m != nil && err == nil && m.replicas >= 0 && n >= m.replicas
	}
	return false
}

// whyCreated tells why a pod was made, empty where nothing does.
func (d *Decoder) whyCreated(p *pod) string {
	if p.workload == "" {
		return ""
	}
	if m := d.makers[p.maker]; m != nil && m.revision > 1 && m.created <= p.created+settle && p.created-m.created <= rolling && d.older(p, m) {
		return "rollout"
	}
	for _, q := range d.pods {
		gone := q.deleted
		if gone == 0 {
			gone = q.exited
		}
		if q == p || q.maker != p.maker || gone == 0 || gone > p.created+settle || p.created-gone > replaced {
			continue
		}
		if why, _ := d.whyGone(q, gone); why != "scale_in" && why != "rollout" {
			return "replace"
		}
	}
	scales := d.scales[p.workload]
	for i := len(scales) - 1; i >= 0; i-- {
		r := scales[i]
		if r.at > p.created+settle || r.at < p.created-10*second || r.from < 0 || r.to <= r.from {
			continue
		}
		if r.from == 0 {
			return "scale_from_zero"
		}
		return "scale_out"
	}
	return ""
}

// older reports whether an older version of a pod's workload had pods when it was made. One of which nothing is known may have had some.
func (d *Decoder) older(p *pod, m *maker) bool {
	known := false
	for k, o := range d.makers {
		if k == p.maker || o.workload != m.workload || o.revision >= m.revision {
			continue
		}
		pods := d.podsOf(k)
		if slices.ContainsFunc(pods, func(q *pod) bool { return q.alive(p.created) }) {
			return true
		}
		known = known || len(pods) > 0
	}
	return !known
}

func (d *Decoder) podsOf(maker string) []*pod {
	var out []*pod
	for _, q := range d.pods {
		if q.maker == maker {
			out = append(out, q)
		}
	}
	return out
}

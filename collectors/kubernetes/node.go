package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// A node is a machine of the cluster, as far as its readiness goes.
type node struct{ unready []stretch }

func (n *node) down(t int64) bool {
	return slices.ContainsFunc(n.unready, func(s stretch) bool { return s.begin <= t && (s.end == 0 || t < s.end) })
}

// takeNode reads what a machine says of itself.
func (d *Decoder) takeNode(o *Object) string {
	name := o.Metadata.Name
	n := d.nodes[name]
	if n == nil {
		n = &node{}
		d.nodes[name] = n
	}
	status := part[struct{ Conditions []condition }](o.Status)
	for i := range status.Conditions {
		c := &status.Conditions[i]
		at, last := c.since(), len(n.unready)-1
		switch {
		case c.Type == "Ready" && c.Status != "True":
			if last < 0 || n.unready[last].end != 0 {
				n.unready = append(n.unready, stretch{begin: at})
			}
			d.machine(name, "unready", at, cmp.Or(c.Reason, c.Status)+": "+c.Message)
		case c.Type == "Ready" && last >= 0 && n.unready[last].end == 0:
			n.unready[last].end = at
			d.machine(name, "ready", at, "")
		case c.Type != "Ready" && c.Status == "True":
			d.machine(name, "pressure", at, c.Type+": "+c.Message)
		}
	}
	spec := part[struct {
		Taints []struct {
			Key    string     `json:"key"`
			Effect string     `json:"effect"`
			Added  *time.Time `json:"timeAdded"`
		} `json:"taints"`
	}](o.Spec)
	for _, t := range spec.Taints {
		d.machine(name, "tainted", ns(t.Added), t.Key+" "+t.Effect)
	}
	return ""
}

// machine tells of a change of a machine.
func (d *Decoder) machine(name, state string, at int64, text string) {
	d.tell(nil, fmt.Sprintf("node %s %s %d %s", name, state, at, text), assay.Event{Time: at, Resolution: second, Kind: assay.EventNode, Text: short(text),
		Attrs: map[string]string{"node": name, "state": state}})
}

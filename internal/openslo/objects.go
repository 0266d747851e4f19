package openslo

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/assay-dev/assay"
)

// check decodes what is no SLO, so that a mistake in an object that nothing refers to is found too.
func (s *set) check(d *document) {
	switch d.kind {
	case "Service":
		d.spec.object("description")
	case "DataSource":
		o := d.spec.object("description", "type", "connectionDetails")
		o.need("type", "for example Prometheus")
	case "SLI":
		s.indicator(d.spec)
	case "AlertNotificationTarget":
		d.spec.object("description", "target").need("target", "for example email")
	case "AlertCondition":
		s.condition(d.spec, d.name)
	case "AlertPolicy":
		s.policy(d.spec, d.name)
	}
}

// inline takes an object that stands in place of a reference apart: the reference is key, the object has kind, metadata and spec.
func (s *set) inline(n node, key, kind string) (spec node, name string, ok bool) {
	if n.there() && n.y.Kind == yaml.ScalarNode { // as older files write it
		spec, ok = s.lookup(n, kind)
		return spec, n.text(), ok
	}
	o := n.object("apiVersion", "kind", "metadata", "spec", key)
	if by := o.get(key); by.there() {
		spec, ok = s.lookup(by, kind)
		return spec, by.text(), ok
	}
	if k := o.get("kind"); k.there() {
		k.oneOf(false, kind)
	}
	spec = o.need("spec", "the "+kind+", or "+key)
	return spec, s.metadata(o.get("metadata"), o.get("metadata").there()).get("name").text(), spec.there()
}

// policy returns the alerts of an AlertPolicy.
func (s *set) policy(n node, name string) []assay.BurnAlert {
	o := n.object("description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions", "notificationTargets")
	conditions := o.need("conditions", "a list of one AlertCondition").list()
	if len(conditions) > 1 {
		o.get("conditions").bad("has %d conditions; OpenSLO allows one", len(conditions))
	}
	var out []assay.BurnAlert
	for _, c := range conditions {
		if spec, own, ok := s.inline(c, "conditionRef", "AlertCondition"); ok {
			if a, ok := s.condition(spec, own); ok {
				if a.Name == "" {
					a.Name = name
				}
				out = append(out, a)
			}
		}
	}
	for _, t := range o.get("notificationTargets").list() {
		if spec, _, ok := s.inline(t, "targetRef", "AlertNotificationTarget"); ok {
			spec.object("description", "target")
		}
	}
	if !o.get("alertWhenBreaching").boolean() {
		if o.get("alertWhenBreaching").there() || o.get("alertWhenNoData").there() || o.get("alertWhenResolved").there() {
			s.note(n, "AlertPolicy "+name+" does not alert when it is breached: no rule is made of it")
			return nil
		}
	}
	if o.get("alertWhenNoData").boolean() {
		s.note(n, "AlertPolicy "+name+": alertWhenNoData is not put into a rule")
	}
	return out
}

func (s *set) note(n node, text string) {
	s.out.Notes = append(s.out.Notes, fmt.Sprintf("%s:%d: %s", n.r.file, n.y.Line, text))
}

// condition returns the alert of an AlertCondition.
func (s *set) condition(n node, name string) (assay.BurnAlert, bool) {
	o := n.object("description", "severity", "condition")
	a := assay.BurnAlert{Name: name, Severity: o.need("severity", "for example page").text()}
	c := o.need("condition", "with kind, threshold, lookbackWindow and alertAfter").object("kind", "op", "threshold", "lookbackWindow", "alertAfter")
	if !c.there() {
		return a, false
	}
	c.get("kind").oneOf(true, "burnrate")
	c.get("op").oneOf(false, "gt", "gte")
	a.Rate = c.need("threshold", "the burn rate above which it alerts").number()
	a.Over = int64(c.need("lookbackWindow", "over which the burn rate is taken, for example 1h").duration())
	a.After = int64(c.get("alertAfter").duration())
	if c.get("threshold").there() && !(a.Rate > 0) {
		c.get("threshold").bad("%g is out of range; more than 0", a.Rate)
	}
	if c.get("lookbackWindow").there() && a.Over == 0 {
		c.get("lookbackWindow").bad("want more than 0")
	}
	return a, a.Rate > 0 && a.Over > 0
}

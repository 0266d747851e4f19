package analyzers

import (
	"github.com/assay-dev/assay"
)

// Causes of what is spent of a budget. A fault of the plan is "fault" and its kind.
const (
	causeOverload = "overload"         // load beyond the limit, on purpose
	causePlanned  = "planned"          // cold starts that the plan forced
	causeInstance = "instance failure" // the instance that served it failed, or an instance did when it failed
	causeCold     = "cold start"       // it waited for one, or was told that the model is loading
	causeAway     = "turned away"      // 429: the target shed it
	causeNetwork  = "network"          // no connection, or one that broke, while no instance failed
	unexplained   = "unexplained"
)

// causes tells what a bad request is to be put down to. An outcome alone is a symptom: an answer of status 500, or none in time, is unexplained
// unless something else was seen.
type causes struct {
	f        *assay.Facts
	failures []assay.Episode // of instances, natural
	kinds    map[string]string
}

func newCauses(f *assay.Facts) causes {
	c := causes{f: f, kinds: map[string]string{}}
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.InstanceOf && e.Ledger == assay.Natural {
			c.failures = append(c.failures, *e)
		}
	}
	for i := range f.Faults {
		c.kinds[f.Faults[i].ID] = f.Faults[i].Kind
	}
	return c
}

// ledger returns the cause that a ledger is by itself, or "".
func (c *causes) ledger(l assay.Ledger, fault string) string {
	switch l {
	case assay.Injected:
		return "fault " + c.kinds[fault]
	case assay.Overload:
		return causeOverload
	case assay.Planned:
		return causePlanned
	}
	return ""
}

func (c *causes) of(r *assay.Request, l assay.Ledger, fault string) string {
	if cause := c.ledger(l, fault); cause != "" {
		return cause
	}
	for i := range c.failures {
		e := &c.failures[i]
		if r.Due <= max(e.End, e.EndHi) && e.BeginLo <= max(r.Due, r.End) && (r.Instance == "" || r.Instance == e.Instance) {
			return causeInstance
		}
	}
	switch {
	case r.Cold == assay.ColdYes || r.Outcome == assay.Loading:
		return causeCold
	case r.Outcome == assay.Throttled:
		return causeAway
	}
	switch r.Outcome {
	case assay.Refused, assay.Reset, assay.CutFIN, assay.CutRST, assay.Unresolved:
		return causeNetwork
	}
	return unexplained
}

package analyzers

import (
	"strconv"

	"github.com/assay-dev/assay"
)

// Alerts reports whether the alerts that the faults should raise would have woken someone, and when.
type Alerts struct{}

// Describe returns the metrics.
func (Alerts) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "alert/delay", Unit: assay.Seconds, Better: "lower", Help: "From the first fault until an alert that the plan expects fired, silenced or not, by alert; of one that did not fire, what is known is that it would have taken longer."}}
}

// Begin starts a pass that needs no requests.
func (Alerts) Begin(f *assay.Facts) assay.Pass { return alertsPass{f} }

type alertsPass struct{ f *assay.Facts }

func (alertsPass) Requests([]assay.Request) {}

func (p alertsPass) Finish(r *assay.Report) error {
	first := int64(0)
	for i := range p.f.Faults {
		if at := p.f.Faults[i].Applied; at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	ended := map[string]*assay.Event{} // by alert: that it fired, or that it did not
	var names []string
	for i := range p.f.Events {
		e := &p.f.Events[i]
		if e.Kind != assay.EventAlert {
			continue
		}
		switch name := e.Attrs["alert"]; e.Attrs["state"] {
		case "watched":
			names = append(names, name)
		case "firing", "quiet":
			if ended[name] == nil {
				ended[name] = e
			}
		}
	}
	for _, name := range names {
		f := assay.Finding{Metric: "alert/delay", Labels: map[string]string{"alert": name}, Quantity: p.delay(first, ended[name])}
		if e := ended[name]; e != nil {
			f.Evidence = []string{e.Text}
		}
		r.Findings = append(r.Findings, f)
	}
	return nil
}

// delay is how long after the first fault the alert fired.
func (p alertsPass) delay(first int64, e *assay.Event) assay.Quantity {
	const of = "alerts"
	none := func(why string) assay.Quantity { return assay.NotMeasured(assay.Seconds, why) }
	switch {
	case first == 0:
		return none("no fault was applied")
	case e == nil:
		return none("the run ended before its alerts were looked at")
	case e.Time < first && e.Attrs["state"] == "firing":
		return none("it fired before the first fault")
	case e.Time < first:
		return none("nobody could tell what fired: " + e.Attrs["error"])
	case e.Attrs["state"] != "firing":
		return atLeast(e.Time-first, 1, of, "first fault to the last look, at which it did not fire")
	}
	gap, _ := strconv.ParseInt(e.Attrs["gap_ns"], 10, 64)
	res := p.f.Manifest.Resolution
	return stretch(e.Time-first, max(0, e.Time-first-gap), e.Time-first+res, 1, of, "first fault to the first look at which it fired; interval back to the look before")
}

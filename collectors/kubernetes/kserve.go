package kubernetes

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

// modelStatus is what an InferenceService of KServe says of its model.
type modelStatus struct {
	Transition string `json:"transitionStatus"`
	States     struct {
		Active string `json:"activeModelState"`
		Target string `json:"targetModelState"`
	} `json:"states"`
	Copies struct {
		Failed int  `json:"failedCopies"`
		Total  *int `json:"totalCopies"`
	} `json:"copies"`
	Failure *struct {
		Location string     `json:"location"`
		Reason   string     `json:"reason"`
		Message  string     `json:"message"`
		Time     *time.Time `json:"time"`
		ExitCode *int       `json:"exitCode"`
	} `json:"lastFailureInfo"`
}

// takeModel reads an InferenceService.
func (d *Decoder) takeModel(o *Object) string {
	name := o.Metadata.Name
	status := part[struct {
		Conditions []condition `json:"conditions"`
		Model      modelStatus `json:"modelStatus"`
	}](o.Status)
	for i := range status.Conditions {
		c := &status.Conditions[i]
		switch {
		case c.Type == "Stopped":
			if c.is("True") {
				d.note("model "+name, c)
			}
		case c.is("False"):
			d.note("model "+name, c)
		}
	}
	s := &status.Model
	if s.Transition == "" && s.States.Active == "" && s.States.Target == "" {
		return ""
	}
	at := d.now
	if !d.timed() {
		at = max(find(status.Conditions, "PredictorReady").since(), find(status.Conditions, "Ready").since())
	}
	attrs := map[string]string{"model": name, "state": cmp.Or(s.States.Active, s.States.Target)}
	if s.States.Target != "" && s.States.Target != s.States.Active {
		attrs["target"] = s.States.Target
	}
	if s.Transition != "" {
		attrs["transition"] = s.Transition
	}
	if s.Copies.Failed > 0 {
		attrs["failed_copies"] = strconv.Itoa(s.Copies.Failed)
	}
	if s.Copies.Total != nil {
		attrs["copies"] = strconv.Itoa(*s.Copies.Total)
	}
	var text string
	if f := s.Failure; f != nil {
		text = short(f.Reason + ": " + f.Message)
		attrs["failure"] = f.Reason
		if f.ExitCode != nil {
			attrs["code"] = strconv.Itoa(*f.ExitCode)
		}
		if s.States.Target == "FailedToLoad" || s.Transition == "BlockedByFailedLoad" {
			at = cmp.Or(ns(f.Time), at)
		}
	}
	d.tell(nil, fmt.Sprintf("model %s %v %s", name, attrs, text), assay.Event{Time: at, Resolution: second, Kind: assay.EventModel, Text: text, Attrs: attrs})
	return ""
}

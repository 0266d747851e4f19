package mesh

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/kube"
)

// Finalizer is set by the controller on every experiment before it injects, and taken away when all is recovered.
const Finalizer = "chaos-mesh/records"

// ForceAnnotation, with [Forced], makes the controller drop the finalizer without recovering anything.
const (
	ForceAnnotation = "chaos-mesh.chaos-mesh.org/cleanFinalizer"
	Forced          = "forced"
)

// InjectAnnotation on a namespace, with the value [Enabled], lets a cluster that filters namespaces inject there.
const (
	InjectAnnotation = "chaos-mesh.org/inject"
	Enabled          = "enabled"
)

// A Status is what the controller says of an object. Its times are the controller's.
type Status struct {
	UID       string
	Created   time.Time
	Deleted   bool   // someone has asked for its end
	Phase     string // Run, Stop, or "" before the controller has looked
	Selected  string // True, False, or "" before the controller has looked
	Injected  bool   // all that was selected
	Recovered bool   // all that was selected
	Records   int    // pods, containers, machines
	Times     int    // how often any of them was injected, all in all
	Trouble   string // of the last action that failed on any record and has not succeeded since
	Done      bool   // of a workflow: it is over
	Begun     bool   // of a Workflow or Schedule: it has been taken up
}

// ReadStatus reads the status of an object of any kind.
func ReadStatus(raw []byte) (Status, error) {
	var o struct {
		Metadata struct {
			UID               string     `json:"uid"`
			CreationTimestamp time.Time  `json:"creationTimestamp"`
			DeletionTimestamp *time.Time `json:"deletionTimestamp"`
		} `json:"metadata"`
		Status struct {
			v1alpha1.ChaosStatus `json:",inline"`
			EntryNode            *string           `json:"entryNode"`
			StartTime            *time.Time        `json:"startTime"`
			EndTime              *time.Time        `json:"endTime"`
			Active               []json.RawMessage `json:"active"`
			Time                 *time.Time        `json:"time"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return Status{}, fmt.Errorf("read the status: %w", err)
	}
	s := Status{UID: o.Metadata.UID, Created: o.Metadata.CreationTimestamp, Deleted: o.Metadata.DeletionTimestamp != nil, Phase: string(o.Status.Experiment.DesiredPhase),
		Records: len(o.Status.Experiment.Records), Done: o.Status.EndTime != nil,
		Begun: o.Status.EntryNode != nil || o.Status.StartTime != nil || len(o.Status.Active) > 0 || o.Status.Time != nil}
	for _, c := range o.Status.Conditions {
		yes := c.Status == "True"
		switch c.Type {
		case v1alpha1.ConditionSelected:
			s.Selected = string(c.Status)
		case v1alpha1.ConditionAllInjected:
			s.Injected = yes
		case v1alpha1.ConditionAllRecovered:
			s.Recovered = yes
		}
		if string(c.Type) == string(v1alpha1.WorkflowConditionAccomplished) && yes {
			s.Done = true
		}
	}
	for _, r := range o.Status.Experiment.Records {
		if r != nil {
			s.Times += r.InjectedCount
		}
	}
	s.Trouble = trouble(o.Status.Experiment.Records)
	return s, nil
}

// trouble returns the message of a record whose last action failed, the latest of them.
func trouble(records []*v1alpha1.Record) string {
	text, at := "", time.Time{}
	for _, r := range records {
		if r == nil || len(r.Events) == 0 {
			continue
		}
		e := r.Events[len(r.Events)-1]
		if e.Type != v1alpha1.TypeFailed {
			continue
		}
		when := time.Time{}
		if e.Timestamp != nil {
			when = e.Timestamp.Time
		}
		if text == "" || when.After(at) {
			text, at = fmt.Sprintf("%s of %s failed: %s", strings.ToLower(string(e.Operation)), r.Id, firstLine(e.Message)), when
		}
	}
	return text
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	r := []rune(s)
	return strings.ToValidUTF8(string(r[:min(len(r), 300)]), "")
}

// Labels that every object of ours bears.
const (
	RunLabel   = kube.RunLabel
	FaultLabel = "assay.dev/fault"
)

// ExpiryAnnotation says in RFC 3339 when the cluster ends the object by itself at the latest.
const ExpiryAnnotation = "assay.dev/ends-by"

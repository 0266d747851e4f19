package analyzers

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// A scale-in or a rollout explains the end of an instance of the same workload, and version, where both tell of which they are.
func TestWhoseDecisionItWas(t *testing.T) {
	event := func(at int64, kind, instance string, attrs ...string) assay.Event {
		e := assay.Event{Time: at * sec, Resolution: sec, Kind: kind, Source: "kubernetes", Instance: instance, Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	scale := func(at int64, workload, own, all string) assay.Event {
		return event(at, assay.EventScale, "", "desired", all, "ready", "2", "workload", workload, "workload_desired", own)
	}
	plain := func(at int64, all string) assay.Event {
		return event(at, assay.EventScale, "", "desired", all, "ready", "2")
	}
	for _, c := range []struct {
		name     string
		instance string
		of       []string // what its creation tells
		decided  []assay.Event
		planned  string // the end of the evidence; "": it is a failure
	}{
		{"of the same deployment", "llama-7d9f6c9b5-aaaaa", []string{"workload", "llama"}, []assay.Event{scale(2, "llama", "2", "5"), scale(580, "llama", "1", "4")},
			"the autoscaler wanted 1 instead of 2, of llama, of which the instance is"},
		{"of another", "llama-7d9f6c9b5-aaaaa", []string{"workload", "llama"}, []assay.Event{scale(2, "mistral", "3", "5"), scale(580, "mistral", "1", "3")}, ""},
		{"of another, while its own grew and both together shrank", "llama-7d9f6c9b5-aaaaa", []string{"workload", "llama"},
			[]assay.Event{scale(2, "mistral", "9", "9"), scale(3, "llama", "1", "10"), scale(580, "mistral", "1", "2"), scale(581, "llama", "2", "3")}, ""},
		{"of the same version", "llm-00002-deployment-6d4cf5d9b-x7k2p", []string{"workload", "llm", "revision", "llm-00002"}, []assay.Event{scale(2, "llm/llm-00002", "2", "2"), scale(580, "llm/llm-00002", "1", "1")},
			"the autoscaler wanted 1 instead of 2, of llm-00002, of which the instance is"},
		{"of another version", "llm-00002-deployment-6d4cf5d9b-x7k2p", []string{"workload", "llm", "revision", "llm-00002"}, []assay.Event{scale(2, "llm/llm-00001", "2", "2"), scale(580, "llm/llm-00001", "0", "0")}, ""},
		{"by its name of another version", "llm-00002-deployment-6d4cf5d9b-x7k2p", nil,
			[]assay.Event{scale(1, "llm/llm-00002", "2", "2"), scale(2, "llm/llm-00001", "2", "4"), scale(580, "llm/llm-00001", "0", "2")}, ""},
		{"by its name of the same", "llm-00002-deployment-6d4cf5d9b-x7k2p", nil, []assay.Event{scale(1, "llm/llm-00002", "2", "2"), scale(580, "llm/llm-00002", "1", "1")},
			"the autoscaler wanted 1 instead of 2, of llm-00002, of which the instance is"},
		{"of a workload that nothing tells", "10.0.0.7:8000", nil, []assay.Event{scale(1, "llama", "2", "2"), scale(580, "llama", "1", "1")},
			"the autoscaler wanted 1 instead of 2, of llama, and of which workload the instance is is not told"},
		{"where nobody speaks of workloads", "i-1", nil, []assay.Event{plain(1, "2"), plain(580, "1")}, "explained: the autoscaler wanted 1 instead of 2"},
		{"a rollout of the same", "llama-7d9f6c9b5-aaaaa", []string{"workload", "llama", "revision", "llama-7d9f6c9b5"},
			[]assay.Event{event(580, assay.EventRollout, "", "workload", "llama", "revision", "9")}, "a rollout, of llama, of which the instance is"},
		{"a rollout of another", "llama-7d9f6c9b5-aaaaa", []string{"workload", "llama"}, []assay.Event{event(580, assay.EventRollout, "", "workload", "mistral", "revision", "9")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 1000 * sec}}}
			run.E = append(run.E, event(1, assay.EventInstanceCreated, c.instance, c.of...), event(1, assay.EventInstanceStarted, c.instance), event(9, assay.EventInstanceReady, c.instance))
			run.E = append(run.E, c.decided...)
			// It was started anew, and nobody saw its end.
			run.E = append(run.E, event(600, assay.EventInstanceStarted, c.instance), event(620, assay.EventInstanceReady, c.instance), event(990, assay.EventAnnotation, ""))
			r := assess(t, run, "episodes")
			if len(r.Episodes) != 1 {
				t.Fatalf("%d episodes, want 1: %+v", len(r.Episodes), r.Episodes)
			}
			e := r.Episodes[0]
			last := e.Evidence[len(e.Evidence)-1]
			if want := assay.Natural; c.planned == "" && e.Ledger != want || c.planned != "" && (e.Ledger != assay.Planned || !strings.HasSuffix(last, c.planned)) {
				t.Errorf("%s, %q; want …%q", e.Ledger, e.Evidence, c.planned)
			}
		})
	}
}

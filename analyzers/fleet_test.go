package analyzers

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// What Knative's autoscaler shows of a revision over a day, once a minute, under the names of both generations: scaled out, in, and one pod of three lost for a while.
func TestFleetOfKnative(t *testing.T) {
	wanted := after(2, 100, 4, 200, 3, 900, 0, 1000, 1)
	ready := after(2, 102, 3, 103, 4, 201, 3, 400, 2, 405, 3, 901, 0, 1003, 1)
	for generation, names := range map[string][3]string{
		"OpenTelemetry": {"kn_revision_pods_desired", "kn_revision_pods_count", "{kn_service_name=llm,kn_revision_name=llm-00002,k8s_namespace_name=ml}"},
		"OpenCensus":    {"autoscaler_desired_pods", "autoscaler_actual_pods", "{service_name=llm,configuration_name=llm,revision_name=llm-00002,namespace_name=ml}"},
	} {
		t.Run(generation, func(t *testing.T) {
			r, err := Assess(t.Context(), minutes(t, 1440, told{names[0] + names[2], wanted}, told{names[1] + names[2], ready}), Options{Kinds: only("episodes", "mtbf", "availability", "scaling")})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range r.Episodes {
				got = append(got, fmt.Sprintf("%s %s %s %s..%s..%s %v", e.Ledger, e.Instance, e.Confidence, whole(float64(e.BeginLo)/60e9), whole(float64(e.Begin)/60e9), whole(float64(e.EndHi)/60e9), e.Evidence))
			}
			if d := cmp.Diff([]string{"natural llm-00002 low 399..400..405 [the ready pods of llm-00002 fell from 3 to 2 while 3 were wanted]"}, got); d != "" {
				t.Errorf("failures (-want +got):\n%s", d)
			}
			hours := (102*2 + 3 + 98*4 + 199*3 + 5*2 + 496*3 + 437.) / 60
			if q := r.Find("mtbf/instance").Quantity; q.N != 1 || math.Abs(q.Value/3600-hours) > 0.2 {
				t.Errorf("MTBF %s, want %.2f h", q, hours)
			}
			if x := r.Find("availability/ready"); !strings.Contains(x.Quantity.Reason, "it was good in all of 22 h") || !strings.HasPrefix(x.Evidence[0], "by the autoscaler's count of ready pods of 1 instance") {
				t.Errorf("ready %s, %q", x.Quantity, x.Evidence)
			}
			x := r.Find("scaling/provision")
			if q := x.Quantity; q.N != 2 || math.Abs(q.Value-180) > 13 || // looks fall between steps
				math.Abs(q.Hi-q.Value-60) > 1 || x.Evidence[0] != "2 decisions to add instances and 2 decisions to remove some" {
				t.Errorf("provision %s, %q", q, x.Evidence)
			}
		})
	}
}

// A restart that nothing names the cause of is planned where fewer pods of its revision were wanted right before, and a failure where that was another's.
func TestSeriesOfScalingExplain(t *testing.T) {
	const of = "{kn_service_name=llm,kn_revision_name=%s}"
	series := func(revision string, at func(int) float64) told {
		return told{"kn_revision_pods_desired" + fmt.Sprintf(of, revision), at}
	}
	restarts := told{"kube_pod_container_status_restarts_total{pod=llm-00002-deployment-6d4cf5d9b-x7k2p,container=user-container}", after(0, 600, 1)}
	for _, c := range []struct {
		name string
		told []told
		want assay.Ledger
		text string
	}{
		{"its own revision", []told{restarts, series("llm-00002", after(3, 600, 2)), series("llm-00001", after(3))}, assay.Planned, "the autoscaler wanted 2 instead of 3, of llm-00002, of which the instance is"},
		{"another", []told{restarts, series("llm-00002", after(3)), series("llm-00001", after(3, 600, 2))}, assay.Natural, "no scaling, rollout, recycling or idleness explains it"},
		{"its deployment", []told{{"kube_pod_container_status_restarts_total{pod=llama-7d9f6c9b5-aaaaa,container=vllm}", after(0, 600, 1)}, {"kube_deployment_spec_replicas{deployment=llama,namespace=ml}", after(3, 600, 2)}},
			assay.Planned, "the autoscaler wanted 2 instead of 3, of llama, of which the instance is"},
	} {
		r, err := Assess(t.Context(), minutes(t, 1000, c.told...), Options{Kinds: only("episodes")})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Episodes) != 1 {
			t.Errorf("%s: %+v", c.name, r.Episodes)
			continue
		}
		e := r.Episodes[0]
		if said := strings.Join(e.Evidence, "; "); e.Ledger != c.want || !strings.Contains(said, c.text) {
			t.Errorf("%s: %s, %s; want %s, …%s", c.name, e.Ledger, said, c.want, c.text)
		}
	}
}

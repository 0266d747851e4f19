package analyzers

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// A told is a series of a store that looked once a minute: its name and labels as PromQL writes them, and its value at the minute; NaN where it was not there.
type told struct {
	series string
	at     func(minute int) float64
}

// minutes makes an import of series that were looked at once a minute, as often by a clock of its own.
func minutes(t *testing.T, n int, told ...told) *store.Run {
	t.Helper()
	w, err := store.Create(filepath.Join(t.TempDir(), "run"), &assay.Manifest{ID: "1", Name: "week", Imported: true, Epoch: time.Now().Add(-100 * time.Hour).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for _, s := range told {
			v := s.at(i)
			if math.IsNaN(v) {
				continue
			}
			name, rest, _ := strings.Cut(strings.TrimSuffix(s.series, "}"), "{")
			x := assay.Sample{Name: name, Time: sec + int64(i)*60*sec + int64(i%7)*10*msec, Value: v}
			for pair := range strings.SplitSeq(rest, ",") {
				if k, v, ok := strings.Cut(pair, "="); ok {
					x.Labels = append(x.Labels, assay.Label{Name: k, Value: v})
				}
			}
			if err := w.Emit(&x); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete, At: sec + int64(n-1)*60*sec}); err != nil {
		t.Fatal(err)
	}
	run, err := store.Open(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	return run
}

// after is a value that becomes another at a minute, and so on.
func after(first float64, more ...float64) func(int) float64 {
	return func(minute int) float64 {
		v := first
		for i := 0; i+1 < len(more); i += 2 {
			if float64(minute) >= more[i] {
				v = more[i+1]
			}
		}
		return v
	}
}

func TestRestartsThatKubernetesCounted(t *testing.T) {
	const container = "{pod=a,container=vllm,instance=ksm:8080}"
	restarts := func(more ...float64) told {
		return told{"kube_pod_container_status_restarts_total" + container, after(0, more...)}
	}
	reason := func(why string) told {
		return told{"kube_pod_container_status_last_terminated_reason{pod=a,container=vllm,reason=" + why + "}", after(math.NaN(), 600, 1)}
	}
	code := func(v float64) told {
		return told{"kube_pod_container_status_last_terminated_exitcode" + container, after(math.NaN(), 600, v)}
	}
	ready := told{"kube_pod_status_ready{pod=a,condition=true}", after(1, 600, 0, 606, 1)}
	ooms := told{"container_oom_events_total{pod=a,container=vllm,instance=n1}", after(0, 600, 1)}
	engine := told{"vllm:generation_tokens_total{pod=a,instance=10.0.0.1:8000}", func(minute int) float64 { return float64(minute % 600 * 100) }}
	for _, c := range []struct {
		name     string
		told     []told
		want     []string // cause, confidence, first minute at which it may have been, minute
		evidence int      // of the first
		hours    float64  // of exposure
	}{
		{"a restart alone", []told{restarts(600, 1)}, []string{"restart low 599 600"}, 2, 16.65},
		{"two between two looks", []told{restarts(600, 2)}, []string{"restart low 599 600", "restart low 599 600"}, 2, 16.65},
		{"killed for memory", []told{restarts(600, 1), reason("OOMKilled"), code(137)}, []string{"oom high 599 600"}, 1, 16.65},
		{"killed for memory, by cAdvisor", []told{restarts(600, 1), ooms}, []string{"oom high 599 600"}, 2, 16.65},
		{"crashed", []told{restarts(600, 1), reason("Error"), code(1)}, []string{"crash high 599 600"}, 1, 16.65},
		{"ended by itself in order", []told{restarts(600, 1), reason("Completed"), code(0)}, []string{"unexplained restart  599 600"}, 2, 16.65},
		{"with the time of its end", []told{restarts(600, 1), reason("OOMKilled"), {"kube_pod_container_status_last_terminated_timestamp" + container, nil}}, []string{"oom high 599 599"}, 1, 16.65},
		{"while not ready", []told{restarts(600, 1, 603, 2), reason("OOMKilled"), ready}, []string{"oom high 599 600"}, 1, 16.55},
		{"while not ready, for what is no failure by itself", []told{restarts(603, 1), {"kube_pod_container_status_last_terminated_reason{pod=a,container=vllm,reason=Error}", after(math.NaN(), 603, 1)},
			{"kube_pod_container_status_last_terminated_exitcode" + container, after(math.NaN(), 603, 143)}, ready}, []string{"not ready, restarted after Error, exit status 143  599 600"}, 1, 16.55},
		{"not ready, without a restart", []told{restarts(), ready}, []string{"not ready  599 600"}, 0, 16.55},
		{"with a reset of its engine", []told{restarts(600, 1), reason("OOMKilled"), engine}, []string{"oom high 599 600"}, 2, 16.65},
		{"of another pod than the engine's", []told{{"kube_pod_container_status_restarts_total{pod=b,container=c}", after(0, 300, 1)}, engine}, []string{"restart low 599 600"}, 2, 16.65},
		{"of an engine that is called by its address", []told{restarts(600, 1), reason("OOMKilled"), ready, {"vllm:generation_tokens_total{instance=10.0.0.1:8000}", engine.at}}, []string{"oom high 599 600"}, 2, 16.55},
		{"counted before", []told{{"kube_pod_container_status_restarts_total" + container, after(7, 300, 0)}}, nil, 0, 16.65},
	} {
		t.Run(c.name, func(t *testing.T) {
			epoch := time.Now().Add(-100 * time.Hour).Unix()
			for i := range c.told {
				if c.told[i].at == nil {
					c.told[i].at = after(math.NaN(), 600, float64(epoch+1+599*60+10))
				}
			}
			r, err := Assess(t.Context(), minutes(t, 1000, c.told...), Options{Kinds: only("episodes", "mtbf")})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range r.Episodes {
				lo, at := float64(e.BeginLo)/60e9, float64(e.Begin)/60e9
				got = append(got, strings.Join([]string{e.Cause, string(e.Confidence), whole(lo), whole(at)}, " "))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s%+v", d, r.Episodes)
			}
			if len(r.Episodes) > 0 && len(r.Episodes[0].Evidence) != c.evidence {
				t.Errorf("evidence %q, want %d", r.Episodes[0].Evidence, c.evidence)
			}
			q := r.Find("mtbf/instance").Quantity
			hours := q.Value / 3600 * float64(len(got))
			failures := len(got)
			if failures == 1 && r.Episodes[0].Ledger == assay.Planned {
				failures = 0
			}
			if failures == 0 {
				hours = q.Lo / 3600 * math.Log(20)
			}
			if q.N != failures || math.Abs(hours-c.hours) > 0.04 {
				t.Errorf("MTBF %s of %d failures: %.2f h were watched, want %.2f h", q, q.N, hours, c.hours)
			}
		})
	}
}

func whole(v float64) string { return strings.TrimSuffix(time.Duration(math.Round(v)).String(), "ns") }

// An exporter that is replaced, or runs twice, tells of the same pod under other instances.
func TestPodsByAnotherExporter(t *testing.T) {
	series := []told{
		{"kube_pod_status_ready{namespace=d,pod=a,condition=true,", after(1, 600, 0, 606, 1)},
		{"kube_pod_container_status_restarts_total{namespace=d,pod=a,container=v,", after(0, 603, 1)},
		{"kube_pod_container_status_last_terminated_reason{namespace=d,pod=a,container=v,reason=OOMKilled,", after(math.NaN(), 603, 1)},
	}
	const never = 1e9
	by := func(from, to float64) (out []told) { // the first is looked at before to, the second since from
		for _, s := range series {
			out = append(out, told{s.series + "instance=k1}", func(m int) float64 {
				if float64(m) >= to {
					return math.NaN()
				}
				return s.at(m)
			}}, told{s.series + "instance=k2}", func(m int) float64 {
				if float64(m) < from {
					return math.NaN()
				}
				return s.at(m)
			}})
		}
		return out
	}
	for _, c := range []struct {
		name     string
		from, to float64
	}{{"one", never, never}, {"replaced before", 300, 300}, {"replaced with a gap", 302, 300}, {"replaced while it is not ready", 601, 601}, {"replaced when it was started again", 603, 603},
		{"replaced thereafter", 800, 800}, {"one beside the other", 0, never}, {"one beside the other for a while", 590, 610}} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Assess(t.Context(), minutes(t, 1000, by(c.from, c.to)...), Options{Kinds: only("episodes", "mtbf")})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Episodes) != 1 || r.Episodes[0].Cause != "oom" || whole(float64(r.Episodes[0].Begin)/60e9) != "600" || whole(float64(r.Episodes[0].EndHi)/60e9) != "606" {
				t.Errorf("episodes %+v, want one for memory in the minutes 600 to 606", r.Episodes)
			}
			if q := r.Find("mtbf/instance").Quantity; q.N != 1 || math.Abs(q.Value/60-993) > 1.5 {
				t.Errorf("MTBF %s of %d failures, want 993 min", q, q.N)
			}
		})
	}
}

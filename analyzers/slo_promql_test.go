package analyzers

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// answers is metrics that know what each query gives at an instant of the run; a query that it does not know gives nothing.
type answers map[string]func(t int64) float64

func (a answers) Range(_ context.Context, expr string, begin, end, step int64) ([]assay.Series, error) {
	if expr == "broken" {
		return nil, fmt.Errorf("no such function")
	}
	of, ok := a[expr]
	if !ok {
		return nil, nil
	}
	s := assay.Series{}
	for t := begin; t <= end; t += step {
		s.Times, s.Values = append(s.Times, t), append(s.Values, assay.Num(of(t)))
	}
	return []assay.Series{s}, nil
}

// A promise on metrics is judged on what the run recorded, at steps of five seconds here; a fault's part is told apart.
func TestSLOPromQL(t *testing.T) {
	bad := func(t int64) float64 { // of ten a second: half from 50 s to 55 s, by the fault, and a tenth from 80 s to 90 s
		switch at := t / sec; {
		case at > 50 && at <= 55:
			return 5
		case at > 80 && at <= 90:
			return 1
		}
		return 0
	}
	metrics := answers{
		"good[5s]": func(t int64) float64 { return 10 - bad(t) }, "bad[5s]": bad, "total[5s]": func(int64) float64 { return 10 },
		"success": func(t int64) float64 { return 1 - bad(t)/10 }, "failure": func(t int64) float64 { return bad(t) / 10 }, "latency": func(t int64) float64 { return bad(t) },
	}
	window := int64(30 * 24 * time.Hour)
	slo := func(name string, in assay.Indicator) assay.SLO {
		in.Engine = "promql"
		return assay.SLO{Name: name, Target: .99, Window: window, Good: in}
	}
	run := promised(
		slo("good", assay.Indicator{Good: "good[{{.window}}]", Total: "total[{{.window}}]"}), slo("bad", assay.Indicator{Bad: "bad[{{.window}}]", Total: "total[{{.window}}]"}),
		slo("success", assay.Indicator{Raw: "success"}), slo("failure", assay.Indicator{Raw: "failure", Failed: true}), slo("threshold", assay.Indicator{Query: "latency", Op: "<", Value: 1}),
		slo("absent", assay.Indicator{Bad: "nothing[{{.window}}]", Total: "none[{{.window}}]"}), slo("broken", assay.Indicator{Raw: "broken"}))
	run.Q = metrics
	type row struct {
		Burn   float64
		N      int
		Causes string
		Reason string
	}
	got := map[string]row{}
	for _, x := range sloReport(t, run) {
		r := row{Reason: x.Burn.Reason}
		if x.Burn.Known() {
			r.Burn, r.N = math.Round(x.Burn.Value*1e6)/1e6, x.Burn.N
			for _, c := range x.Causes {
				r.Causes += fmt.Sprintf("%s %.0f%%; ", c.Name, 100*c.Ratio.Value/x.Spent.Value)
			}
		}
		got[x.SLO.Name] = r
	}
	// Of nineteen whole steps one is half bad and two are bad to a tenth: 0.7 of 19, 3.68 times the budget.
	ratio := row{3.684211, 2, "fault http 71%; unexplained 29%; ", ""}
	want := map[string]row{"good": ratio, "bad": ratio, "success": ratio, "failure": ratio, "threshold": {15.789474, 2, "fault http 33%; unexplained 67%; ", ""},
		"absent": {Reason: "not measured, because the run's metrics have nothing that none[{{.window}}] gives" + ownHint},
		"broken": {Reason: "not measured, because its PromQL cannot be asked: no such function"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	x := sloReport(t, run)[0]
	if !strings.Contains(strings.Join(x.Doubts, "; "), "from the run's metrics, a look each 5s; what was bad is told by fault and overload alone") {
		t.Errorf("doubts %q", x.Doubts)
	}
}

// What many requests cost with promises on them.
func BenchmarkSLO(b *testing.B) {
	slow := assay.SLO{Name: "fast", Target: .99, Window: int64(7 * 24 * time.Hour), Good: assay.Indicator{Metric: "e2e", Max: 2e9}}
	run := promised(availability999, slow)
	f := &assay.Facts{Manifest: &run.M, Begin: 0, End: 100 * sec, Phases: []assay.Phase{{Name: "steady", Role: assay.RoleSteady, End: 100 * sec}}, Segments: []assay.Segment{{Ledger: assay.Natural, End: 100 * sec}}}
	for _, a := range []assay.Analyzer{SLOs{}, Replay{}} {
		b.Run(fmt.Sprintf("%T", a), func(b *testing.B) {
			p := a.Begin(f)
			b.ReportAllocs()
			for b.Loop() {
				p.Requests(run.R)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(run.R)), "ns/request")
		})
	}
}

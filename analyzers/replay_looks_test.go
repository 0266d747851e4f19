package analyzers

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// remembered is metrics in memory, whose run began at 0 of Unix time.
type remembered struct{ *promrules.Memory }

func (r remembered) Range(ctx context.Context, expr string, begin, end, step int64) ([]assay.Series, error) {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute})
	defer engine.Close()
	q, err := engine.NewRangeQuery(ctx, r, nil, expr, time.Unix(0, begin), time.Unix(0, end), time.Duration(step))
	if err != nil {
		return nil, err
	}
	defer q.Close()
	m, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	var out []assay.Series
	for _, s := range m {
		var x assay.Series
		for _, p := range s.Floats {
			x.Times, x.Values = append(x.Times, begin+(p.T-begin/1e6)*1e6), append(x.Values, assay.Num(p.F))
		}
		out = append(out, x)
	}
	return out, nil
}

// In a long run sums of looks give recordings on metrics as the engine does, but for what lies on the edge of a window; after a good past they give the part of a window that there is.
func TestLooksAsTheEngine(t *testing.T) {
	slo := assay.SLO{Name: "m", Target: .99, Window: int64(30 * 24 * time.Hour), Good: assay.Indicator{Engine: "promql", Bad: "sum(rate(bad_total[{{.window}}]))", Total: "sum(rate(all_total[{{.window}}]))"}}
	length := 3 * time.Hour
	f := &assay.Facts{Manifest: &assay.Manifest{SLOs: []assay.SLO{slo}}, Begin: 0, End: int64(length)}
	m := promrules.NewMemory()
	all, bad := 0.0, 0.0
	for s := int64(0); s <= int64(length/time.Second); s += 15 {
		all += 150
		if s > 3600 && s <= 4200 {
			bad += 60
		} else if s%300 == 0 {
			bad += 3
		}
		m.Add(labels.FromStrings(labels.MetricName, "all_total"), s*1000, all)
		m.Add(labels.FromStrings(labels.MetricName, "bad_total"), s*1000, bad)
	}
	f.Metrics = remembered{m}
	recorded := func(past Past, sums bool) map[time.Duration]promrules.Line {
		p := Replay{Past: past}.Begin(f).(*replayPass)
		own, _ := promrules.Generate(p.slos)
		w := promrules.Replay{Groups: withoutMeta(own), Begin: 0, End: length.Milliseconds(), Every: p.Every, Recorded: remembered{m}}
		ahead := time.Duration(0)
		if past == OwnPast {
			ahead, w.Weight = 72*time.Hour, p.weight
		}
		if sums {
			w.Known = p.known(ahead)
		}
		if _, err := w.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		out := map[time.Duration]promrules.Line{}
		for _, window := range promrules.Windows(30 * 24 * time.Hour) {
			if lines := w.Made.Lines(promrules.ErrorRecording(window)); len(lines) == 1 {
				out[window] = lines[0]
			}
		}
		return out
	}
	for _, past := range []Past{NoPast, OwnPast} {
		engine, sums := recorded(past, false), recorded(past, true)
		if len(engine) != 7 || len(sums) != 7 {
			t.Fatalf("%d and %d recordings, want 7", len(engine), len(sums))
		}
		for window, want := range engine {
			got, most, worst := sums[window], 0.0, 0.0
			for i, ms := range want.Times {
				j, is := slices.BinarySearch(got.Times, ms)
				if !is {
					continue
				}
				most, worst = math.Max(most, want.Values[i]), math.Max(worst, math.Abs(want.Values[i]-got.Values[j]))
			}
			// A burst of 40 % passes an edge of the window by at most a look of 30 s and a sample.
			if edge := 0.4 * 45 / math.Min(window.Seconds(), 3600); len(got.Times) < len(want.Times)-5 || worst > edge+.001 {
				t.Errorf("past %d, %v: %d values of %d, off by %.4f of up to %.4f, want at most %.4f", past, window, len(got.Times), len(want.Times), worst, most, edge)
			}
		}
		day := 24 * time.Hour
		if last := engine[day].Values[len(engine[day].Values)-1]; past == OwnPast && math.Abs(last-(2400+31*3+6)/(150*4*60*24.)) > .0005 || past == NoPast && last < .02 {
			t.Errorf("past %d: at the end %.5f of the day are bad", past, last)
		}
	}
}

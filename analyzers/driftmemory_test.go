package analyzers

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// memories answer queries with series of one instance each, by the name of the metric and how it is labelled.
type memories map[string]map[string]func(t float64) float64

func (m memories) Range(_ context.Context, expr string, begin, end, step int64) (out []assay.Series, _ error) {
	for _, metric := range keys(m) {
		if !strings.Contains(expr, metric+"[") {
			continue
		}
		for _, name := range keys(m[metric]) {
			s := assay.Series{Name: metric, Labels: []assay.Label{{Name: "pod", Value: name}}}
			for t := begin; t <= end; t += step {
				s.Times, s.Values = append(s.Times, t), append(s.Values, assay.Num(m[metric][name](seconds(t))))
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// hours are facts of a steady phase of so many hours, without requests.
func hours(n int64, m assay.Metrics) *assay.Facts {
	return &assay.Facts{Phases: []assay.Phase{{Name: "s", Role: assay.RoleSteady, Begin: sec, End: sec + n*3600*sec}}, Metrics: m}
}

// A leak that ends with a restart is seen within the lives, whether an event tells of the restart or memory alone.
func TestDriftOfMemoryThatIsStartedAnew(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 5))
	const rss = "process_resident_memory_bytes"
	saw := func(rate, every float64) func(float64) float64 {
		return func(t float64) float64 { return 4e9 + rate*math.Mod(t-30, every) + 2e6*rng.NormFloat64() }
	}
	for _, c := range []struct {
		name   string
		at     func(float64) float64
		events bool
		rate   float64 // By/h
		lives  string
		falls  string
	}{
		{"each 45 min", saw(1e6, 2700), false, 3.6e9, "6 lives", "5 falls of memory that no event tells of"},
		{"each 80 min", saw(2.5e5, 4800), false, 9e8, "3 lives", "2 falls of memory that no event tells of"},
		{"by events, a fall that noise hides", func(t float64) float64 { return 4e9 + 1e3*math.Mod(t, 7200) + 2e6*rng.NormFloat64() }, true, 3.6e6, "2 lives", ""},
		{"one life", saw(1e6/60, 1e9), false, 6e7, "1 life", ""},
		{"none", saw(0, 1e9), false, 0, "1 life", ""},
		{"of noise with dips", func(t float64) float64 { return 4e9 + 5e7*rng.NormFloat64() - 1e9*float64(rng.IntN(50)/49) }, false, 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := hours(4, memories{rss: {"i0": c.at}})
			if c.events {
				f.Lives = []assay.Life{{Instance: "i0", Started: sec, Exited: 7200 * sec}, {Instance: "i0", Started: 7200 * sec}}
			}
			r := drift(t, f, nil)
			g := r.Find("drift/memory/rate")
			q, text := g.Quantity, strings.Join(g.Evidence, "; ")
			if !q.Known() || q.Lo > c.rate || q.Hi < c.rate || c.rate > 0 && q.Lo <= 0 || c.rate > 0 && math.Abs(q.Value-c.rate) > 0.3*c.rate || q.Unit != assay.BytesPerHour {
				t.Fatalf("%s, want %.4g", q, c.rate)
			}
			if !strings.Contains(q.Of, c.lives) || !strings.Contains(text, c.falls) || c.falls == "" && c.lives != "" && strings.Contains(text, "fall") || q.N < 470 {
				t.Errorf("%s, %s; want %s, %s", q, text, c.lives, c.falls)
			}
			if b := r.Find("drift/memory").Quantity; math.Abs(b.Value-q.Value*3.95) > 0.06*math.Abs(b.Value)+1 || b.Unit != assay.Bytes {
				t.Errorf("%s over four hours of %s", b, q)
			}
		})
	}
}

// Where a limit is known, a leak says when it reaches it, as a projection.
func TestDriftProjectsTheLimit(t *testing.T) {
	leak := func(t float64) float64 { return 4e9 + 1e5*t }
	f := hours(2, memories{
		"container_memory_working_set_bytes": {"i0": leak, "i1": func(float64) float64 { return 1e9 }},
		"container_spec_memory_limit_bytes":  {"i0": func(float64) float64 { return 6e9 }, "i1": func(float64) float64 { return 2e9 }},
		"DCGM_FI_DEV_FB_USED":                {"i0": func(t float64) float64 { return 4e9 + 1e4*t }},
	})
	r := drift(t, f, nil)
	left := r.Find("drift/memory/left")
	want := (6e9 - leak(7200)) / 1e5
	if q := left.Quantity; math.Abs(q.Value-want) > 60 || q.Basis != assay.Assumed || !strings.HasPrefix(q.Method, "projection") || !strings.HasPrefix(left.Evidence[0], "container_spec_memory_limit_bytes 6 GB") {
		t.Errorf("left %s, %v; want %.4g s", q, left.Evidence, want)
	}
	if q := r.Find("drift/memory/rate", "of", "gpu").Quantity; !q.Known() || math.Abs(q.Value-3.6e7) > 10 {
		t.Errorf("of a card %s", q)
	}
	if q := r.Find("drift/memory/left", "of", "gpu").Quantity; q.Reason != "not measured, because no limit of the memory is known" {
		t.Errorf("left of a card %s", q)
	}
	still := drift(t, hours(2, memories{"process_resident_memory_bytes": {"i0": func(t float64) float64 { return 1e9 + math.Mod(7919*t, 997)*1e4 }}, "table_memory_limit": {"i0": func(float64) float64 { return 6e9 }}}), nil)
	if q := still.Find("drift/memory/left").Quantity; !strings.HasPrefix(q.Reason, "not estimable, because memory does not certainly grow") {
		t.Errorf("left of what does not grow: %s", q)
	}
	if still.Find("drift/memory/rate", "of", "gpu") != nil {
		t.Error("a card where there is none")
	}
}

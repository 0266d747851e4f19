package store

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

const second = int64(time.Second)

func label(pairs ...string) (ls []assay.Label) {
	for i := 0; i < len(pairs); i += 2 {
		ls = append(ls, assay.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return ls
}

// scrapeRun records scrapes of one target each 5 s for a minute: a counter of 2/s
// that is always there, an instance w-2 that vanishes after 20 s, and a scrape that fails at 40 s.
func scrapeRun(t *testing.T, w *Writer) {
	t.Helper()
	for at := int64(5); at <= 60; at += 5 {
		s := &assay.Scrape{Target: "engine", Time: at * second, Took: 3e6}
		if at == 40 {
			s.Error = "connection refused"
		} else {
			s.Samples = append(s.Samples, assay.Sample{Name: "tokens_total", Labels: label("instance", "w-1"), Value: float64(2 * at)})
			if at <= 20 {
				s.Samples = append(s.Samples, assay.Sample{Name: "tokens_total", Labels: label("instance", "w-2"), Value: 1})
			}
		}
		if err := w.Emit(s); err != nil {
			t.Fatal(err)
		}
		clear(s.Samples) // borrowed only until Emit returned
	}
	for at := int64(5); at <= 15; at += 5 { // a target that goes, which is no failure of it
		s := &assay.Scrape{Target: "old", Time: at * second, Gone: at == 15}
		if !s.Gone {
			s.Samples = []assay.Sample{{Name: "busy", Value: 1}}
		}
		if err := w.Emit(s); err != nil {
			t.Fatal(err)
		}
	}
	// Late and alone, as an intake of pushed metrics emits them.
	for _, at := range []int64{30, 10, 20} {
		if err := w.Emit(&assay.Sample{Name: "pushed", Labels: label("a", "", "b", "x"), Time: at * second, Value: float64(at)}); err != nil {
			t.Fatal(err)
		}
	}
}

// query gives a series a line: labels, then time in seconds and value of each point.
func query(t *testing.T, m assay.Metrics, expr string, begin, end, step int64) []string {
	t.Helper()
	series, err := m.Range(context.Background(), expr, begin*second, end*second, step*second)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range series {
		var b strings.Builder
		fmt.Fprintf(&b, "%s%v:", s.Name, s.Labels)
		for i := range s.Times {
			fmt.Fprintf(&b, " %g=%g", float64(s.Times[i])/1e9, float64(s.Values[i]))
		}
		out = append(out, b.String())
	}
	return out
}

func TestMetrics(t *testing.T) {
	for _, sealed := range []bool{true, false} {
		t.Run(fmt.Sprintf("sealed=%v", sealed), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			w, err := Create(dir, testManifest())
			if err != nil {
				t.Fatal(err)
			}
			scrapeRun(t, w)
			if sealed {
				err = w.Seal(assay.Ending{Status: assay.EndComplete})
			} else {
				err = w.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Stats(); got.Unrecorded != nil || got.Scrapes != 12+3 || got.Samples != 11+4+3+2 {
				t.Errorf("stats: %+v", got)
			}
			before := hashTree(t, dir)
			r := openRun(t, dir)
			m, err := r.Metrics()
			if err != nil || m == nil {
				t.Fatalf("metrics: %v, %v", m, err)
			}
			for _, q := range []struct {
				name, expr       string
				begin, end, step int64
				want             []string
			}{
				{"a series that vanishes ends at the next scrape", `tokens_total{instance="w-2"}`, 10, 40, 5,
					[]string{"tokens_total[{instance w-2}]: 10=1 15=1 20=1"}},
				{"the look-back bridges a gap between scrapes", `tokens_total{instance="w-1"}`, 11, 17, 3,
					[]string{"tokens_total[{instance w-1}]: 11=20 14=20 17=30"}},
				{"a failed scrape ends all series of the target", `tokens_total{instance="w-1"}`, 35, 50, 5,
					[]string{"tokens_total[{instance w-1}]: 35=70 45=90 50=100"}},
				{"nothing lives longer than the look-back", `tokens_total{instance="w-1"}`, 60, 90, 10,
					[]string{"tokens_total[{instance w-1}]: 60=120 70=120"}},
				{"up", `up`, 35, 45, 5, []string{"up[{target engine}]: 35=1 40=0 45=1"}},
				{"a target that is gone has no series", `{__name__=~"busy|up",target!="engine"}`, 10, 20, 5,
					[]string{"busy[]: 10=1", "up[{target old}]: 10=1"}},
				{"duration", `scrape_duration_seconds`, 60, 60, 1, []string{"scrape_duration_seconds[{target engine}]: 60=0.003"}},
				{"rate", `rate(tokens_total{instance="w-1"}[20s])`, 30, 30, 1, []string{"[{instance w-1}]: 30=2"}},
				{"late samples are there, empty labels are not", `pushed`, 10, 30, 10, []string{"pushed[{b x}]: 10=10 20=20 30=30"}},
				{"scalars", `1+1`, 1, 2, 1, []string{"[]: 1=2 2=2"}},
				{"none", `absent_metric`, 1, 2, 1, nil},
			} {
				if diff := cmp.Diff(q.want, query(t, m, q.expr, q.begin, q.end, q.step)); diff != "" {
					t.Errorf("%s: %s (-want +got):\n%s", q.name, q.expr, diff)
				}
			}
			if _, err := m.Range(context.Background(), "rate(", 0, second, second); err == nil {
				t.Error("a malformed query has no error")
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, hashTree(t, dir)); diff != "" {
				t.Errorf("reading changed the run (-before +after):\n%s", diff)
			}
		})
	}
}

func TestNoMetrics(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	if m, err := openRun(t, dir).Metrics(); m != nil || err != nil {
		t.Errorf("got %v, %v; want none", m, err)
	}
}

// TestRefusedSamples counts what the TSDB must not be given, by cause, and keeps the rest.
func TestRefusedSamples(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(2*time.Hour).UnixNano() - testEpoch
	scrape := &assay.Scrape{Target: "t", Time: second, Samples: []assay.Sample{
		{Name: "good", Value: 1},
		{Name: "ahead", Time: future, Value: 1},
		{Name: "long", Labels: label("l", strings.Repeat("x", maxLabel+1)), Value: 1},
		{Name: "good", Value: 2}, // a second value for the instant
	}}
	if err := w.Emit(scrape); err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(&assay.Scrape{Target: "t", Time: future, Samples: scrape.Samples[:1]}); err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(&assay.Sample{Name: "timeless", Value: math.Pi}); err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(&assay.Sample{Name: "many", Labels: make([]assay.Label, maxLabels+1), Time: 1}); err == nil ||
		!strings.Contains(err.Error(), "65 labels, the limit is 64") {
		t.Errorf("too many labels: got %v", err)
	}
	// A sample ahead must not have closed the door to those after it.
	if err := w.Emit(&assay.Sample{Name: "after", Time: 2 * second, Value: 7}); err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	r := openRun(t, dir)
	want := map[string]int64{"samples/future": 2, "samples/limit": 2, "samples/no_time": 1, "samples/rejected": 1}
	if diff := cmp.Diff(want, r.Manifest().End.Unrecorded); diff != "" {
		t.Errorf("unrecorded (-want +got):\n%s", diff)
	}
	m, err := r.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"after[]: 2=7", "good[]: 2=1"}, query(t, m, `{__name__=~"good|ahead|after|long"}`, 2, 2, 1)); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

// TestLongMetrics records five hours, so that sealing makes several blocks, and late samples of the first hour.
func TestLongMetrics(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	const hours = 5
	for at := int64(60); at <= hours*3600; at += 60 {
		if err := w.Emit(&assay.Scrape{Target: "t", Time: at * second, Samples: []assay.Sample{{Name: "clock", Value: float64(at)}}}); err != nil {
			t.Fatal(err)
		}
	}
	for at := int64(60); at <= 3600; at += 60 {
		if err := w.Emit(&assay.Sample{Name: "late", Time: at * second, Value: float64(at)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	r := openRun(t, dir)
	r.LookBack = time.Minute
	m, err := r.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int64{"clock": hours * 60, "late": 60} {
		series, err := m.Range(context.Background(), name, 60*second, hours*3600*second, 60*second)
		if err != nil || len(series) != 1 {
			t.Fatalf("%s: %d series, %v", name, len(series), err)
		}
		bad := 0
		for i, v := range series[0].Values {
			if float64(v) != float64(series[0].Times[i])/1e9 {
				bad++
			}
		}
		if got := int64(len(series[0].Values)); got != n || bad != 0 {
			t.Errorf("%s: %d points, %d of them wrong; want %d", name, got, bad, n)
		}
	}
	for _, d := range headDirs {
		if got, _ := filepath.Glob(filepath.Join(dir, metricsDir, d)); len(got) != 0 {
			t.Errorf("left in the sealed directory: %q", got)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool to check the blocks with")
	}
	out, err := exec.Command(promtool, "tsdb", "list", filepath.Join(dir, metricsDir)).CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") < 4 {
		t.Errorf("promtool tsdb list: %v\n%s", err, out)
	}
}

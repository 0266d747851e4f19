package loadgen

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// TestArrivalContract holds every arrival process to what Arrivals promises.
func TestArrivalContract(t *testing.T) {
	dispersion := map[string]float64{"gamma": 4, "weibull": 2.2} // of the number of arrivals; 1 where not given
	for _, kind := range ArrivalKinds {
		for _, p := range []Profile{{Rate: 100}, {Rate: 0, To: to(200)}, {Rate: 200, To: to(0)}, {Rate: 0}} {
			a := kind.New(p)
			if kind.Name == "trace" {
				a = Replay{Trace: trace.Settings{Paths: []string{"../internal/trace/testdata/azure-llm.csv"}}}
			}
			if err := a.Check(); err != nil {
				t.Fatal(err)
			}
			d := 120 * time.Second
			if kind.Name == "trace" {
				due := a.Due(nil, math.MaxInt64, stream(1, kind.Name, "arrivals"))
				d = time.Duration(due[len(due)-1] + 1)
			}
			if l, ok := a.(Lasting); ok {
				d = l.Lasts()
			}
			due := a.Due([]int64{-1}, d, stream(1, kind.Name, "arrivals"))
			if due[0] != -1 {
				t.Errorf("%s: what was in the slice is gone", kind.Name)
			}
			due = due[1:]
			for i, at := range due {
				if at < 0 || at >= int64(d) || i > 0 && at < due[i-1] {
					t.Fatalf("%s %+v: arrival %d at %d is out of order or range", kind.Name, p, i, at)
				}
			}
			want := a.Mean() * d.Seconds()
			if diff := float64(len(due)) - want; diff*diff > 16*want*max(1, dispersion[kind.Name])+1e-6 {
				t.Errorf("%s %+v: %d arrivals, want about %g", kind.Name, p, len(due), want)
			}
			s, ok := a.(Streamer)
			if !ok {
				t.Errorf("%s: is no Streamer", kind.Name)
				continue
			}
			if again := slices.Collect(s.Each(d, stream(1, kind.Name, "arrivals"))); !slices.Equal(again, due) {
				t.Errorf("%s %+v: Each and Due differ", kind.Name, p)
			}
			n := 0
			for range s.Each(d, stream(1, kind.Name, "arrivals")) { // may be left early
				if n++; n == 3 {
					break
				}
			}
		}
	}
}

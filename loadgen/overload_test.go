package loadgen

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/stat"
)

// A bottleneck is a server of known capacity: it works on one request at a time, in order of arrival, each for the same time. It
// keeps when it ended each, by trace.
type bottleneck struct {
	clock   *clock.Clock
	service time.Duration

	mu    sync.Mutex
	free  int64
	ended map[string]int64
}

func (q *bottleneck) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	trace := strings.Split(req.Header.Get("traceparent"), "-")[1]
	q.mu.Lock()
	q.free = max(q.free, q.clock.Now()) + int64(q.service)
	end := q.free
	q.mu.Unlock()
	time.Sleep(time.Duration(end - q.clock.Now()))
	q.mu.Lock()
	q.ended[trace] = q.clock.Now()
	q.mu.Unlock()
	io.WriteString(w, "done")
}

// TestOverload offers a server twice what it can do. What the records say of latency and goodput is what the server's own log says, counted from
// the planned instants; a generator that counts from the send, or sends later when answers are late, would be far off.
func TestOverload(t *testing.T) {
	length, runs := time.Second, 1
	if os.Getenv("ASSAY_FULL") != "" {
		length, runs = 5*time.Second, 3
	}
	const capacity = 100
	for run := range runs {
		clk := clock.New()
		q := &bottleneck{clock: clk, service: time.Second / capacity, ended: map[string]int64{}}
		s := httptest.NewServer(q)
		client, err := NewHTTP(Endpoint{URL: s.URL, Clock: clk})
		if err != nil {
			t.Fatal(err)
		}
		g, err := New(Config{Clock: clk, Client: client, Seed: uint64(run), Cap: 4096, Deadline: 4 * length,
			Phases: []Phase{{Name: "overload", Arrivals: Poisson{Profile{Rate: 2 * capacity}}, For: length}}})
		if err != nil {
			t.Fatal(err)
		}
		l := &tape{}
		if err := g.Run(t.Context(), l.emit); err != nil {
			t.Fatal(err)
		}
		client.Close()
		s.Close()

		slo := 0.4 * length.Seconds() // most of the load is later than that
		var reported, truth []float64
		for _, r := range l.requests {
			end, ok := q.ended[r.TraceID.String()]
			if !ok || r.Outcome != assay.OK {
				t.Fatalf("request %+v: want it answered, and in the server's log", r)
			}
			reported = append(reported, float64(r.End-r.Due)/1e9)
			truth = append(truth, float64(end-r.Due)/1e9)
		}
		if len(truth) != g.sched.fixed || len(q.ended) != g.sched.fixed {
			t.Fatalf("%d records, %d in the server's log, want %d in both", len(truth), len(q.ended), g.sched.fixed)
		}
		good := func(latencies []float64) float64 {
			n := 0
			for _, v := range latencies {
				if v <= slo {
					n++
				}
			}
			return float64(n) / length.Seconds()
		}
		slices.Sort(reported)
		slices.Sort(truth)
		for _, c := range []struct {
			what      string
			got, want float64
		}{
			{"p99 in s", stat.Quantile(reported, 0.99, stat.Type7), stat.Quantile(truth, 0.99, stat.Type7)},
			{"goodput per s", good(reported), good(truth)},
		} {
			t.Logf("%s: reported %.4f, server's log %.4f", c.what, c.got, c.want)
			if math.Abs(c.got-c.want) > 0.02*c.want {
				t.Errorf("%s: reported %.4f, want what the server's log says, %.4f, within 2 %%", c.what, c.got, c.want)
			}
		}
		if p99 := stat.Quantile(truth, 0.99, stat.Type7); p99 < 0.4*length.Seconds() {
			t.Errorf("the server's p99 is %.3f s: it was not overloaded", p99)
		}
	}
}

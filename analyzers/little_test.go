package analyzers

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// Four of ours are in flight for twenty minutes; the engine says how many it has and counts their time.
func TestLittle(t *testing.T) {
	for name, tc := range map[string]struct {
		running, waiting float64
		grown            float64 // seconds of requests counted each second
		client, engine   float64
		doubts           string
	}{
		"all fits":           {3, 1, 4, 1, 1, ""},
		"half is in front":   {2, 0, 2, 0.5, 1, ""},
		"others are served":  {6, 2, 8, 2, 1, "serves others too"},
		"the mean is wrong":  {3, 1, 2, 1, 2, "do not fit together"},
		"it counts too much": {3, 1, 8, 1, 0.5, "do not fit together"},
	} {
		t.Run(name, func(t *testing.T) {
			var looks []string
			for i := range 81 {
				looks = append(looks, fmt.Sprintf("vllm:num_requests_running %g\nvllm:num_requests_waiting %g\nvllm:e2e_request_latency_seconds_sum %g\nvllm:e2e_request_latency_seconds_count %d\n", tc.running, tc.waiting, tc.grown*15*float64(i), i))
			}
			run := exposed(t, looks...)
			m, err := run.Metrics()
			if err != nil {
				t.Fatal(err)
			}
			f := &assay.Facts{Manifest: &assay.Manifest{}, Begin: ms, End: 1_200_000*ms + ms, Metrics: m}
			p := Little{}.Begin(f)
			var block []assay.Request
			for at := int64(ms); at < f.End; at += 500 * ms { // two a second, each two seconds long
				block = append(block, assay.Request{Due: at, Sent: at, End: min(at+2000*ms, f.End), Outcome: assay.OK})
			}
			p.Requests(block)
			r := &assay.Report{}
			if err := p.Finish(r); err != nil {
				t.Fatal(err)
			}
			client, engine := r.Find("little/client", "engine", "vllm"), r.Find("little/engine", "engine", "vllm")
			if client == nil || engine == nil {
				t.Fatalf("findings %+v", r.Findings)
			}
			if q := client.Quantity; math.Abs(q.Value-tc.client) > 0.02*tc.client || q.Lo > q.Value || q.Hi < q.Value || q.Hi-q.Lo > 0.1 {
				t.Errorf("client %v, want %v", q, tc.client)
			}
			if q := engine.Quantity; math.Abs(q.Value-tc.engine) > 0.03*tc.engine {
				t.Errorf("engine %v, want %v", q, tc.engine)
			}
			if got := strings.Join(append(client.Warnings, engine.Warnings...), "; "); !strings.Contains(got, tc.doubts) || (tc.doubts == "") != (got == "") {
				t.Errorf("doubts %q, want %q", got, tc.doubts)
			}
		})
	}
}

// The jackknife of a ratio agrees with the delta method, and with nothing to read there is nothing to say.
func TestLittleTells(t *testing.T) {
	p := Little{}.Begin(&assay.Facts{Manifest: &assay.Manifest{}})
	p.Requests([]assay.Request{{Sent: 1, End: 2}})
	r := &assay.Report{}
	if err := p.Finish(r); err != nil || len(r.Findings) != 0 {
		t.Errorf("without metrics: %v, %v", r.Findings, err)
	}
	if q := ratioOf(make([]float64, 5), make([]float64, 5), ""); !strings.Contains(q.Reason, "both are known in 5 of 40 blocks") {
		t.Errorf("few blocks: %v", q)
	}
	if q := ratioOf(make([]float64, 40), make([]float64, 40), ""); !strings.Contains(q.Reason, "too few to compare") {
		t.Errorf("no load: %v", q)
	}
}

package analyzers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// TestIdleGap: what gaps with warm and cold requests after them say of the time to scale to zero.
func TestIdleGap(t *testing.T) {
	const warm, cold, unknown = assay.ColdNo, assay.ColdYes, assay.ColdUnknown
	type step struct {
		gap  float64 // s of idle before it; its answer takes half a second
		cold assay.Cold
	}
	inf := math.Inf(1)
	for name, tt := range map[string]struct {
		steps    []step
		lives    []assay.Life
		want     assay.Quantity // value, lo, hi, n
		evidence []string
		warning  string
		reason   string
	}{
		"bracket": {steps: []step{{1, warm}, {2, warm}, {4, cold}, {8, cold}}, want: assay.Quantity{Value: 3, Lo: 2, Hi: 4, N: 4},
			evidence: []string{"warm after a gap of 2 s in phase l", "cold after a gap of 4 s in phase l"}},
		"any order":       {steps: []step{{8, cold}, {2, warm}, {4, cold}, {1, warm}}, want: assay.Quantity{Value: 3, Lo: 2, Hi: 4, N: 4}},
		"it varies":       {steps: []step{{1, warm}, {3, cold}, {4, warm}, {6, cold}}, want: assay.Quantity{Value: 3.5, Lo: 1, Hi: 6, N: 4}, warning: "the time varies"},
		"never cold":      {steps: []step{{1, warm}, {5, warm}}, want: assay.Quantity{Value: math.NaN(), Lo: 5, Hi: inf, N: 2}},
		"always cold":     {steps: []step{{1, cold}, {5, cold}}, want: assay.Quantity{Value: math.NaN(), Lo: 0, Hi: 1, N: 2}},
		"some not known":  {steps: []step{{1, warm}, {3, unknown}, {4, cold}}, want: assay.Quantity{Value: 2.5, Lo: 1, Hi: 4, N: 2}, warning: "1 further gaps ended with a request of unknown cold state"},
		"crash in a gap":  {steps: []step{{1, warm}, {2, cold}, {4, cold}}, lives: []assay.Life{{Exited: 4 * sec, Ledger: assay.Natural}}, want: assay.Quantity{Value: 2.5, Lo: 1, Hi: 4, N: 2}},
		"scale-in in it":  {steps: []step{{1, warm}, {2, cold}, {4, cold}}, lives: []assay.Life{{Exited: 4 * sec, Exit: "scale_in", Ledger: assay.Planned}}, want: assay.Quantity{Value: 1.5, Lo: 1, Hi: 2, N: 3}},
		"recycled in it":  {steps: []step{{1, warm}, {2, cold}, {4, cold}}, lives: []assay.Life{{Exited: 4 * sec, Exit: "recycle", Ledger: assay.Planned}}, want: assay.Quantity{Value: 2.5, Lo: 1, Hi: 4, N: 2}},
		"made cold in it": {steps: []step{{1, warm}, {2, cold}, {4, cold}}, lives: []assay.Life{{Exited: 4 * sec, Exit: "forced_cold", Ledger: assay.Planned}}, want: assay.Quantity{Value: 2.5, Lo: 1, Hi: 4, N: 2}},
		"none known":      {steps: []step{{1, unknown}, {2, unknown}}, reason: "not estimable, because nothing told whether the requests after them were cold"},
		"no gap":          {steps: []step{{-0.1, warm}, {-0.2, cold}}, reason: "not measured, because no request came while nothing was in flight"},
	} {
		t.Run(name, func(t *testing.T) {
			list := []assay.Request{{Phase: "l", Due: sec, Sent: sec, End: sec + sec/2, Cold: cold, Outcome: assay.OK}} // nobody knows the gap before it
			for _, s := range tt.steps {
				due := list[len(list)-1].End + int64(s.gap*1e9)
				list = append(list, assay.Request{Phase: "l", Due: due, Sent: due, End: due + sec/2, Cold: s.cold, Outcome: assay.OK})
			}
			p, r := IdleGap{}.Begin(&assay.Facts{Lives: tt.lives}), &assay.Report{}
			p.Requests(list[:2])
			p.Requests(list[2:])
			if err := p.Finish(r); err != nil {
				t.Fatal(err)
			}
			f := r.Find("idle/gap")
			if f == nil || f.Quantity.Reason != tt.reason || f.Quantity.Unit != assay.Seconds {
				t.Fatalf("got %+v", f)
			}
			if tt.reason != "" {
				return
			}
			got := assay.Quantity{Value: f.Quantity.Value, Lo: f.Quantity.Lo, Hi: f.Quantity.Hi, N: f.Quantity.N}
			if d := cmp.Diff(tt.want, got, cmpopts.EquateNaNs()); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if tt.evidence != nil && !slices.Equal(f.Evidence, tt.evidence) {
				t.Errorf("evidence %q", f.Evidence)
			}
			if text := strings.Join(f.Warnings, "; "); (tt.warning == "") != (text == "") || !strings.Contains(text, tt.warning) {
				t.Errorf("warnings %q, want %q", text, tt.warning)
			}
		})
	}
	t.Run("after what was not served", func(t *testing.T) {
		at := func(begin float64, attempt int32, c assay.Cold, o assay.Outcome) assay.Request {
			due := int64(begin * 1e9)
			return assay.Request{Due: due, Sent: due, End: due + sec/2, Attempt: attempt, Cold: c, Outcome: o}
		}
		p, r := IdleGap{}.Begin(&assay.Facts{}), &assay.Report{}
		p.Requests([]assay.Request{at(1, 0, cold, assay.OK), at(2.5, 0, warm, assay.OK), at(4.2, 0, cold, assay.Timeout),
			at(4.9, 0, cold, assay.OK),  // after a timeout, of which the platform may still hold the work
			at(6.2, 1, cold, assay.OK),  // sent again
			at(9.7, 0, cold, assay.OK)}) // 3 s
		if err := p.Finish(r); err != nil {
			t.Fatal(err)
		}
		if q := r.Find("idle/gap").Quantity; q.Lo != 1 || q.Hi != 1.2 || q.N != 3 {
			t.Errorf("got %s", q)
		}
	})
	t.Run("a long run", func(t *testing.T) {
		p, r := IdleGap{}.Begin(&assay.Facts{}), &assay.Report{}
		for i := range int64(5 * maxGaps) {
			at := (i + 1) * sec
			p.Requests([]assay.Request{{Due: at, Sent: at, End: at + sec/2 + (i*7919)%(sec/4), Cold: warm, Outcome: assay.OK}})
		}
		if err := p.Finish(r); err != nil || len(p.(*gapPass).warm) > 2*maxGaps {
			t.Errorf("%v, %d gaps kept", err, len(p.(*gapPass).warm))
		}
		if q := r.Find("idle/gap").Quantity; q.N != 5*maxGaps-1 || q.Lo != 0.5 {
			t.Errorf("got %s", q)
		}
	})
}

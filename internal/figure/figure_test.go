package figure

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	whole := assay.Quantity{Value: 2, Lo: 1, Hi: 3, Confidence: 0.95, Unit: assay.Seconds, N: 9, Of: "requests", Method: "m", Basis: assay.Estimated}
	with := func(change func(q *assay.Quantity)) assay.Quantity {
		q := whole
		change(&q)
		return q
	}
	for name, c := range map[string]struct {
		q    assay.Quantity
		want string
	}{
		"whole":          {whole, ""},
		"a reason":       {assay.NotEstimable(assay.Seconds, 1, "requests", "there is one"), ""},
		"none measured":  {assay.NotMeasured(assay.Seconds, "nothing told"), ""},
		"another reason": {assay.Quantity{Reason: "lost"}, `the reason "lost" is neither of what is not estimable nor of what is not measured`},
		"no n":           {with(func(q *assay.Quantity) { q.N = 0 }), "lacks n"},
		"n of nothing":   {with(func(q *assay.Quantity) { q.Of = "" }), "lacks what n counts"},
		"no failure": {with(func(q *assay.Quantity) {
			q.Value, q.Hi, q.N, q.Of = nan, inf, 0, "failures"
		}), ""},
		"a value of no failure":       {with(func(q *assay.Quantity) { q.N, q.Of = 0, "failures" }), "lacks n"},
		"no interval":                 {with(func(q *assay.Quantity) { q.Lo, q.Hi = -inf, inf }), "lacks an interval"},
		"no confidence":               {with(func(q *assay.Quantity) { q.Confidence = 0 }), "lacks a confidence"},
		"a sure estimate":             {with(func(q *assay.Quantity) { q.Confidence = 1 }), "lacks a confidence below 1, since it is an estimate"},
		"sure, measured":              {with(func(q *assay.Quantity) { q.Confidence, q.Basis = 1, assay.Measured }), ""},
		"outside":                     {with(func(q *assay.Quantity) { q.Value = 4 }), "lacks a value inside its interval: 4 [1, 3]"},
		"no method, no basis":         {with(func(q *assay.Quantity) { q.Method, q.Basis = "", "" }), "lacks a method, a basis"},
		"follows from settings alone": {with(func(q *assay.Quantity) { q.N, q.Of, q.Basis, q.Confidence = 0, "", assay.Assumed, 1 }), ""},
	} {
		if got := Check(c.q); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// Both walks find the same figures, and the one over JSON complains of those that Check does.
func TestWalks(t *testing.T) {
	bare := assay.Quantity{Value: 1, Lo: 1, Hi: 1, Confidence: 1, Unit: assay.Ratio, N: 0, Of: "cards", Method: "m", Basis: assay.Measured}
	good := bare
	good.N = 3
	r := &assay.Report{
		Findings:    []assay.Finding{{Metric: "a/b", Labels: map[string]string{"phase": "x", "by": "time"}, Quantity: good}, {Metric: "a/b", Quantity: bare}},
		Attribution: []assay.Share{{Name: "compute", Ratio: bare}},
		Limit:       &assay.Limit{Rate: good},
	}
	var paths, kinds []string
	for _, f := range Walk(r) {
		paths, kinds = append(paths, f.Path), append(kinds, f.Kind)
	}
	if d := cmp.Diff([]string{"findings[a/b{by=time,phase=x}].quantity", "findings[a/b].quantity", "attribution[0].ratio", "limit.rate"}, paths); d != "" {
		t.Errorf("paths (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"findings[a/b{by,phase}].quantity", "findings[a/b].quantity", "attribution[].ratio", "limit.rate"}, kinds); d != "" {
		t.Errorf("kinds (-want +got):\n%s", d)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := JSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	var heads []string
	for _, s := range got {
		head, _, _ := strings.Cut(s, " (")
		heads = append(heads, head)
	}
	if d := cmp.Diff([]string{".attribution[0].ratio", ".findings[1].quantity"}, heads[:min(2, len(heads))]); d != "" {
		t.Errorf("complaints (-want +got):\n%s\nall:\n%s", d, strings.Join(got, "\n"))
	}
	if got, err := JSON([]byte(`{"value": 1, "lo": null, "hi": null, "confidence": 0, "interval": "not estimable: one value bounds nothing"}`)); err != nil || len(got) != 0 {
		t.Errorf("with a reason for the interval: %q, %v", got, err)
	}
}

package k6

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"encoding/json"
	"github.com/google/go-cmp/cmp"
	"go.k6.io/k6/v2/errext"
	"go.k6.io/k6/v2/lib"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

func TestObjective(t *testing.T) {
	for _, tt := range []struct {
		name, source string
		want         string // "" where it stays k6's own
	}{
		{"assay_ttft", "p(95)<800", "ttft/p95 0.8 s map[]"},
		{"assay_ttft{scenario:steady}", "p(99.9) <= 1500", "ttft/p99.9 1.5 s map[phase:steady]"},
		{"assay_e2e", "avg<1e3", "e2e/mean 1 s map[]"},
		{"assay_tpot", "med<20", "tpot/p50 0.02 s map[]"},
		{"assay_e2e", "max<5000", "e2e/max 5 s map[]"},
		{"assay_failed", "rate<0.01", "error_ratio 0.01 1 map[]"},
		{"assay_failed{scenario:steady}", "rate<0.01", ""}, // error_ratio has no phases
		{"assay_ttft", "p(95)>10", ""},
		{"assay_ttft", "p(100)<10", ""},
		{"assay_ttft", "rate<10", ""},
		{"assay_ttft{class:gold}", "p(95)<10", ""},
		{"assay_itl", "p(95)<10", ""},
		{"assay_requests", "count<10", ""},
		{"http_req_duration", "p(95)<10", ""},
		{"assay_ttft", "p(95)<-1", ""},
		{"assay_ttft", "nonsense", ""},
	} {
		got := ""
		if o, ok := objective(tt.name, tt.source); ok {
			got = fmt.Sprintf("%s %g %s %v", o.Metric, *o.Max, o.Unit, o.Labels)
		}
		if got != tt.want {
			t.Errorf("%s: %s: got %q, want %q", tt.name, tt.source, got, tt.want)
		}
	}
}

func FuzzObjective(f *testing.F) {
	f.Add("assay_ttft{scenario:steady}", "p(95)<800")
	f.Add("assay_failed", "rate<0.01")
	f.Fuzz(func(t *testing.T, name, source string) {
		if o, ok := objective(name, source); ok && (o.Max == nil || !(*o.Max >= 0) || math.IsInf(*o.Max, 0) || o.Metric == "") {
			t.Errorf("%q: %q: %+v", name, source, o)
		}
	})
}

func TestOutcomeOf(t *testing.T) {
	for _, tt := range []struct {
		status, code int
		failed       bool
		want         assay.Outcome
	}{
		{200, 0, false, assay.OK}, {302, 0, false, assay.OK}, {404, 1404, true, assay.ClientError}, {404, 1404, false, assay.OK}, {429, 1429, true, assay.Throttled},
		{503, 1503, true, assay.Unavailable}, {500, 1500, true, assay.ServerError}, {401, 1401, true, assay.Credential},
		{0, 1050, true, assay.Timeout}, {200, 1050, true, assay.Timeout}, {0, 1212, true, assay.Refused}, {0, 1211, true, assay.Timeout},
		{0, 1220, true, assay.Reset}, {200, 1220, true, assay.CutRST}, {200, 1000, true, assay.CutFIN}, {0, 1101, true, assay.Unresolved},
		{0, 1310, true, assay.Unresolved}, {0, 1111, true, assay.ClientError}, {0, 1000, true, assay.Reset}, {200, 1701, true, assay.BadPayload}, {200, 1640, true, assay.CutRST},
	} {
		if got := outcomeOf(tt.status, tt.code, tt.failed); got != tt.want {
			t.Errorf("status %d, code %d: got %v, want %v", tt.status, tt.code, got, tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	err := errors.New("why")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, assay.EndComplete},
		{err, assay.EndFailed},
		{errext.WithAbortReasonIfNone(err, errext.AbortedByUser), assay.EndInterrupted},
		{errext.WithAbortReasonIfNone(err, errext.AbortedByThreshold), assay.EndAborted},
		{errext.WithAbortReasonIfNone(err, errext.AbortedByScriptAbort), assay.EndAborted},
		{errext.WithAbortReasonIfNone(err, errext.AbortedByThresholdsAfterTestEnd), assay.EndComplete},
		{errext.WithAbortReasonIfNone(err, errext.AbortedByScriptError), assay.EndFailed},
		{errext.WithAbortReasonIfNone(err, errext.AbortedByOutput), assay.EndFailed},
	} {
		if got := status(tt.err); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.err, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	ms := int64(time.Millisecond)
	got := timesOf(&assay.Request{Due: 10 * ms, FirstToken: 30 * ms, Arrivals: []int64{30 * ms, 35 * ms, 60 * ms}, TokensOut: 7, End: 70 * ms})
	if want := (times{TTFT: 20, ITL: 15, TPOT: 5, E2E: 60, MaxGap: 25}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := timesOf(&assay.Request{Due: 1}); got.TTFT == got.TTFT || got.ITL == got.ITL || got.TPOT == got.TPOT || got.E2E == got.E2E || got.MaxGap == got.MaxGap {
		t.Errorf("of nothing seen: %+v, want NaN", got)
	}
}

func TestSettings(t *testing.T) {
	type inner struct{ Hidden string }
	type kind struct {
		*inner
		URL        string
		LimitField string
		On         bool
		N          int32
		Ratio      float64
		Wait       time.Duration
		Body       []byte
		Extra      json.RawMessage
		Call       func()
		private    string
	}
	fields := map[string]any{"url": "u", "limitField": "l", "on": true, "n": int64(7), "ratio": int64(2), "wait": "3s", "body": "b", "extra": map[string]any{"a": int64(1)}}
	o := &object{what: "Client", fields: fields}
	var got kind
	o.settings(&got)
	if err := o.end(); err != nil {
		t.Fatal(err)
	}
	want := kind{URL: "u", LimitField: "l", On: true, N: 7, Ratio: 2, Wait: 3 * time.Second, Body: []byte("b"), Extra: json.RawMessage(`{"a":1}`)}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(kind{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Call" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []map[string]any{{"n": int64(1) << 40}, {"n": 1.5}, {"wait": "x"}, {"body": int64(1)}, {"extra": "[]"}, {"call": "f"}, {"private": "p"}, {"hidden": "h"}, {"on": "x"}} {
		o := &object{what: "Client", fields: bad}
		o.settings(&kind{})
		if o.end() == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

// TestShare divides a process among several numbers of parts: each arrival is in exactly one.
func TestShare(t *testing.T) {
	whole := loadgen.Poisson{Profile: loadgen.Profile{Rate: 50}}
	for _, cuts := range []string{"0,1", "0,1/2,1", "0,1/3,2/3,1", "0,1/7,1/2,1"} {
		seq, err := lib.NewExecutionSegmentSequenceFromString(cuts)
		if err != nil {
			t.Fatal(err)
		}
		count, mean := map[int64]int{}, 0.0
		for i := range seq {
			et, err := lib.NewExecutionTuple(seq[i], &seq)
			if err != nil {
				t.Fatal(err)
			}
			s := &share{whole: whole, name: "s", seed: 9}
			s.start, s.stride, s.period = et.GetStripedOffsets()
			due := s.Due(nil, 10*time.Second, rand.New(rand.NewPCG(uint64(i), 1))) // a generator of its own must not matter
			for _, at := range due {
				count[at]++
			}
			mean += s.Mean()
		}
		alone := (&share{whole: whole, name: "s", seed: 9, stride: []int64{1}, period: 1}).Due(nil, 10*time.Second, nil)
		if len(count) != len(alone) || len(alone) < 400 || math.Abs(mean-50) > 1e-9 {
			t.Errorf("%s: %d arrivals at %g/s, want %d at 50/s", cuts, len(count), mean, len(alone))
		}
		for _, at := range alone {
			if count[at] != 1 {
				t.Fatalf("%s: the arrival at %d is sent %d times", cuts, at, count[at])
			}
		}
	}
}

package k6

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// config reads a scenario as k6 does.
func config(t *testing.T, text string) *arrivalsConfig {
	t.Helper()
	c, err := NewExtension().newArrivalsConfig("s", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if errs := c.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return c.(*arrivalsConfig)
}

const mooncake = `{"timestamp": 0, "input_length": 30, "output_length": 5, "hash_ids": [1]}
{"timestamp": 100, "input_length": 20, "output_length": 6, "hash_ids": [1]}
{"timestamp": 400, "input_length": 10, "output_length": 7, "hash_ids": [2]}
{"timestamp": 2000, "input_length": 40, "output_length": 8, "hash_ids": [3]}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestShare divides each process among several numbers of parts: each arrival is in exactly one, and in its place.
func TestShare(t *testing.T) {
	file := write(t, "trace.jsonl", strings.Repeat(mooncake, 1))
	for name, tt := range map[string]struct {
		settings string
		least    int
		mean     float64
	}{
		"poisson": {`"process": "poisson", "rate": 3000, "timeUnit": "1m", "duration": "10s"`, 400, 50},
		"even":    {`"process": "even", "rate": 50, "to": 100, "duration": "10s"`, 740, 75},
		"gamma":   {`"process": "gamma", "rate": 50, "cv": 3, "duration": "10s"`, 200, 50},
		"weibull": {`"process": "weibull", "rate": 50, "shape": 0.5, "duration": "10s"`, 200, 50},
		"stages":  {`"process": "stages", "even": true, "stages": [{"rate": 10, "duration": "2s"}, {"rate": 30, "duration": "4s", "ramp": "1s"}]`, 129, 130.0 / 6},
		"diurnal": {`"process": "diurnal", "rate": 50, "amplitude": 0.5, "period": "10s", "duration": "10s"`, 400, 50},
		"onoff":   {`"process": "onoff", "rate": 100, "base": 10, "on": "1s", "off": "1s", "duration": "10s"`, 450, 55},
		"ladder":  {`"process": "ladder", "gap": "1s", "factor": 2, "maxGap": "8s", "repeat": 2`, 9, 9.0 / 31},
		"trace":   {`"process": "trace", "trace": {"files": ["` + file + `"], "timeScale": 2}`, 4, 4 / 4.000000001},
		"replay":  {`"process": "replay", "trace": {"files": ["` + file + `"], "until": "1s"}`, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t, `{"executor": "assay-arrivals", "preAllocatedVUs": 9, "seed": 9, `+tt.settings+`}`)
			whole, err := newShare(c, oneOf(t, "0,1", 0))
			if err != nil {
				t.Fatal(err)
			}
			alone := whole.Due(nil, c.Duration.TimeDuration(), nil)
			if len(alone) < tt.least || math.Abs(whole.Mean()-tt.mean) > 1e-6*tt.mean {
				t.Errorf("%d arrivals at %g/s, want at least %d at %g/s", len(alone), whole.Mean(), tt.least, tt.mean)
			}
			for _, cuts := range []string{"0,1", "0,1/2,1", "0,1/3,2/3,1", "0,1/7,1/2,1"} {
				seen, mean := map[int64]int64{}, 0.0
				for i := range strings.Count(cuts, ",") {
					s, err := newShare(c, oneOf(t, cuts, i))
					if err != nil {
						t.Fatal(err)
					}
					for k, at := range s.Due(nil, c.Duration.TimeDuration(), rand.New(rand.NewPCG(uint64(i), 1))) {
						n := s.number(k)
						if _, twice := seen[n]; twice || alone[n] != at {
							t.Fatalf("%s: arrival %d is due at %d, want %d, once", cuts, n, at, alone[n])
						}
						seen[n] = at
						if s.items != nil && s.items[k].At != at {
							t.Fatalf("%s: arrival %d has the row of another", cuts, n)
						}
					}
					mean += s.Mean()
				}
				if len(seen) != len(alone) || math.Abs(mean-tt.mean) > 1e-6*tt.mean {
					t.Errorf("%s: %d arrivals at %g/s, want %d at %g/s", cuts, len(seen), mean, len(alone), tt.mean)
				}
			}
		})
	}
}

// oneOf returns the i-th part of a sequence of segments.
func oneOf(t *testing.T, cuts string, i int) *lib.ExecutionTuple {
	t.Helper()
	seq, err := lib.NewExecutionSegmentSequenceFromString(cuts)
	if err != nil {
		t.Fatal(err)
	}
	et, err := lib.NewExecutionTuple(seq[i], &seq)
	if err != nil {
		t.Fatal(err)
	}
	return et
}

// TestProcesses holds that no arrival process is missing, and that a setting of another is refused.
func TestProcesses(t *testing.T) {
	for _, k := range loadgen.ArrivalKinds {
		if _, err := processOf(k.Name); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct{ settings, want string }{
		"cv of poisson":  {`"rate": 1, "duration": "5s", "cv": 2`, "scenario s: cv: process poisson does not take it; gamma does"},
		"trace of even":  {`"process": "even", "rate": 1, "duration": "5s", "trace": {"files": ["x"]}`, "scenario s: trace: process even does not take it; trace or replay does"},
		"unknown column": {`"process": "trace", "trace": {"files": ["x"], "columns": {"stamp": "t"}}`, `json: unknown field "stamp"`},
	} {
		_, err := NewExtension().newArrivalsConfig("s", []byte(`{"executor": "assay-arrivals", "preAllocatedVUs": 1, `+tt.settings+`}`))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	for name, tt := range map[string]struct{ settings, want string }{
		"both":     {`"process": "gamma", "rate": 1, "duration": "5s", "cv": 2, "shape": 1`, "gamma has both cv and shape: want one, since shape is 1/cv²"},
		"no file":  {`"process": "trace"`, "trace: no file: want at least one path"},
		"too long": {`"process": "stages", "stages": [{"rate": 1, "duration": "2s"}], "duration": "5s"`, "duration 5s: the process lasts only 2s"},
	} {
		c, err := NewExtension().newArrivalsConfig("s", []byte(`{"executor": "assay-arrivals", "preAllocatedVUs": 1, `+tt.settings+`}`))
		if err != nil {
			t.Fatal(err)
		}
		if errs := c.Validate(); len(errs) == 0 || errs[0].Error() != tt.want {
			t.Errorf("%s: got %v, want %s", name, errs, tt.want)
		}
	}
}

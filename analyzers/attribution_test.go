package analyzers

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// constant answers every query with one value at each step.
type constant float64

func (c constant) Range(_ context.Context, _ string, begin, end, step int64) ([]assay.Series, error) {
	s := assay.Series{}
	for t := begin; t <= end; t += step {
		s.Times, s.Values = append(s.Times, t), append(s.Values, assay.Num(c))
	}
	return []assay.Series{s}, nil
}

const ms = int64(1e6)

func spanID(n uint64) (id assay.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

func span(id, parent uint64, service, name string, kind assay.SpanKind, begin, end int64, attrs ...assay.Attr) assay.Span {
	return assay.Span{SpanID: spanID(id), Parent: spanID(parent), Service: service, Name: name, Kind: kind, Start: begin * ms, End: end * ms, Attrs: attrs}
}

// request is a delivered request from due 1000 ms to end 2000 ms with the spans of a gateway and an engine.
func request(wait string) (*assay.Request, []assay.Span) {
	r := &assay.Request{ID: 1, Phase: "steady", Outcome: assay.OK, TraceID: assay.TraceID{1}, SpanID: spanID(1), Due: 1000 * ms, Sent: 1001 * ms, FirstToken: 1500 * ms, End: 2000 * ms}
	return r, []assay.Span{
		span(2, 1, "gateway", "POST /v1/chat/completions", assay.SpanServer, 1011, 1990),
		span(3, 2, "gateway", "activator.wait", assay.SpanInternal, 1011, 1211, assay.Attr{Key: "wait.reason", Value: wait}),
		span(4, 2, "gateway", "retrieval.fetch", assay.SpanClient, 1211, 1261, assay.Attr{Key: "db.system.name", Value: "v"}),
		span(5, 2, "gateway", "upstream", assay.SpanClient, 1261, 1990),
		span(6, 5, "engine", "llm_request", assay.SpanServer, 1281, 1970, assay.Attr{Key: "sandbox.accelerator.busy", Value: "0.489"}),
		span(7, 6, "engine", "queue", assay.SpanInternal, 1281, 1311, assay.Attr{Key: "wait.reason", Value: "kv_cache"}),
		span(8, 6, "engine", "prefill", assay.SpanInternal, 1311, 1411),
		span(9, 6, "engine", "decode", assay.SpanInternal, 1411, 1911),
		span(10, 6, "engine", "preempted", assay.SpanInternal, 1500, 1570),
	}
}

func someFacts(m assay.Metrics) *assay.Facts {
	return &assay.Facts{Manifest: &assay.Manifest{}, Begin: 1, End: 10_000 * ms, Metrics: m, Requests: 1, Traced: 1,
		Phases: []assay.Phase{{Name: "steady", Role: assay.RoleSteady, Begin: 1, End: 5000 * ms}, {Name: "stress/1", Of: "stress", Step: 1, Role: assay.RoleStress, Begin: 5000 * ms, End: 10_000 * ms}}}
}

func TestDecompose(t *testing.T) {
	tests := []struct {
		name, wait string
		busy       assay.Metrics
		want       map[string]float64
	}{
		// 1 ms late; 10+10 ms client edges, 20+20 ms upstream edges; 70 ms preempted and 30 ms KV wait; 530 ms of prefill and
		// decode on the path of which 0.489/0.6 was the accelerator's work.
		{"cold", "no_ready_instance", nil, map[string]float64{"cold_start": 0.2, "storage": 0.05, "network": 0.06, "memory": 0.1, "compute": 0.53 * 0.815, "unexplained": 0.06 + 0.53*0.185}},
		{"busy accelerator", "at_capacity", constant(0.95), map[string]float64{"compute": 0.2 + 0.53*0.815, "storage": 0.05, "network": 0.06, "memory": 0.1, "unexplained": 0.06 + 0.53*0.185}},
		{"idle accelerator", "at_capacity", constant(0.2), map[string]float64{"concurrency": 0.2, "compute": 0.53 * 0.815, "storage": 0.05, "network": 0.06, "memory": 0.1, "unexplained": 0.06 + 0.53*0.185}},
		{"half busy", "at_capacity", constant(0.65), map[string]float64{"concurrency": 0.1, "compute": 0.1 + 0.53*0.815, "storage": 0.05, "network": 0.06, "memory": 0.1, "unexplained": 0.06 + 0.53*0.185}},
		{"no metrics", "at_capacity", nil, map[string]float64{"compute": 0.53 * 0.815, "storage": 0.05, "network": 0.06, "memory": 0.1, "unexplained": 0.26 + 0.53*0.185}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, spans := request(tt.wait)
			p := Attribution{}.Begin(someFacts(tt.busy)).(*attribution)
			d := p.decompose(r, spans)
			got := map[string]float64{}
			for c, n := range classNames {
				if d.class[c] != 0 {
					got[n] = float64(d.class[c])
				}
			}
			// The gateway's 20 ms and the engine's 59 ms without a child, and the late ms, are unexplained: 1 + 59 = 60 ms.
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(0, 1e-5)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestDecompositionSums holds for any spans at all, in any order, overlapping, orphaned, outside the request.
func TestDecompositionSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	p := Attribution{}.Begin(someFacts(constant(0.7))).(*attribution)
	names := []string{"queue", "prefill", "decode", "preempted", "upstream", "x", "activator.wait"}
	for range 5000 {
		r := &assay.Request{Due: 1000 * ms, Sent: (900 + rng.Int64N(1300)) * ms, End: (1001 + rng.Int64N(1000)) * ms}
		var spans []assay.Span
		for i := range rng.IntN(12) {
			b := 800 + rng.Int64N(1400)
			spans = append(spans, span(uint64(i+2), uint64(rng.IntN(14)), fmt.Sprint(rng.IntN(3)), names[rng.IntN(len(names))], assay.SpanKind(rng.IntN(6)), b, b+rng.Int64N(800),
				assay.Attr{Key: "sandbox.accelerator.busy", Value: "0.3"}))
		}
		d := p.decompose(r, spans)
		if got, want := d.total(), float64(r.End-r.Due)/1e9; math.Abs(got-want) > 1e-5 {
			t.Fatalf("parts sum to %v, the request took %v", got, want)
		}
	}
}

// TestEngineWithoutChildSpans: vLLM tells its stages as attributes of one span.
func TestEngineWithoutChildSpans(t *testing.T) {
	r := &assay.Request{Due: 1000 * ms, Sent: 1000 * ms, End: 2000 * ms, Outcome: assay.OK}
	a := func(k, v string) assay.Attr { return assay.Attr{Key: "gen_ai.latency." + k, Value: v} }
	for name, tt := range map[string]struct {
		attrs []assay.Attr
		want  [classes]float32
	}{
		"stages":                 {[]assay.Attr{a("time_in_queue", "0.3"), a("time_in_model_prefill", "0.1"), a("time_in_model_decode", "0.4")}, [classes]float32{classCompute: 0.8, classNetwork: 0.2}},
		"first token and end":    {[]assay.Attr{a("time_in_queue", "0.3"), a("time_to_first_token", "0.4"), a("e2e", "0.7")}, [classes]float32{classCompute: 0.7, classNetwork: 0.2, classUnexplained: 0.1}},
		"no end":                 {[]assay.Attr{a("time_in_queue", "0.3"), a("time_to_first_token", "0.4")}, [classes]float32{classNetwork: 0.2, classUnexplained: 0.8}},
		"a token before its due": {[]assay.Attr{a("time_in_queue", "0.3"), a("time_to_first_token", "0.2"), a("e2e", "0.7")}, [classes]float32{classNetwork: 0.2, classUnexplained: 0.8}},
	} {
		spans := []assay.Span{span(2, 1, "vllm", "llm_request", assay.SpanServer, 1100, 1900, tt.attrs...)}
		d := Attribution{}.Begin(someFacts(constant(1))).(*attribution).decompose(r, spans)
		if diff := cmp.Diff(tt.want, d.class, cmpopts.EquateApprox(0, 1e-5)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// What an instance does to initialize is a cold start, whoever tells of it, and so is all that lies in it.
func TestInitializingIsAColdStart(t *testing.T) {
	cold := assay.Attr{Key: "faas.coldstart", Value: "true"}
	db := assay.Attr{Key: "db.system.name", Value: "v"}
	for name, tt := range map[string]struct {
		spans []assay.Span
		want  float32
	}{
		"X-Ray": {[]assay.Span{span(2, 0, "fn", "fn", assay.SpanServer, 1000, 2000), span(3, 2, "fn", "fn", assay.SpanServer, 1700, 2000, cold),
			span(4, 3, "fn", "Initialization", assay.SpanInternal, 1100, 1700)}, 0.6},
		"a layer":         {[]assay.Span{span(2, 0, "fn", "POST", assay.SpanServer, 1000, 2000, cold), span(3, 2, "fn", "init fn", assay.SpanUnspecified, 1000, 1900, cold), span(4, 3, "fn", "get", assay.SpanClient, 1200, 1400, db)}, 0.9},
		"the runtime":     {[]assay.Span{span(2, 0, "fn", "POST", assay.SpanServer, 1000, 2000), span(3, 2, "fn", "platform.initRuntimeDone", assay.SpanInternal, 1000, 1400, cold)}, 0.4},
		"of a warm one":   {[]assay.Span{span(2, 0, "fn", "POST", assay.SpanServer, 1000, 2000), span(3, 2, "fn", "init session", assay.SpanInternal, 1000, 1400)}, 0},
		"what is no init": {[]assay.Span{span(2, 0, "fn", "POST", assay.SpanServer, 1000, 2000, cold), span(3, 2, "fn", "initial checks", assay.SpanInternal, 1000, 1400)}, 0},
	} {
		r := &assay.Request{Due: 1000 * ms, Sent: 1000 * ms, End: 2000 * ms, Outcome: assay.OK}
		d := Attribution{}.Begin(someFacts(nil)).(*attribution).decompose(r, tt.spans)
		if got := d.class[classCold]; math.Abs(float64(got-tt.want)) > 1e-5 || math.Abs(d.total()-1) > 1e-5 {
			t.Errorf("%s: %.3f s of %.3f are cold start, want %.3f of 1", name, got, d.total(), tt.want)
		}
	}
}

func TestAttributionReport(t *testing.T) {
	f := someFacts(nil)
	p := Attribution{}.Begin(f).(*attribution)
	for i := range 100 {
		r, spans := request("no_ready_instance")
		r.ID = uint64(i + 1)
		if i >= 60 {
			r.Phase = "stress/1"
		}
		p.Requests([]assay.Request{*r})
		if i < 15 { // was not sampled
			untraced := *r
			untraced.TraceID = assay.TraceID{9, byte(i)}
			p.Requests([]assay.Request{untraced})
		}
		p.Traces([]assay.Trace{{Request: r, Spans: spans}})
	}
	report := &assay.Report{Slowest: []assay.Slow{{Request: 1}}}
	if err := p.Finish(report); err != nil {
		t.Fatal(err)
	}
	if got := report.Attribution[0].Name; got != "compute" {
		t.Errorf("first-ranked: got %s", got)
	}
	if got := report.Attribution[len(report.Attribution)-1].Name; got != "unexplained" {
		t.Errorf("last: got %s, want unexplained whatever its size", got)
	}
	sum := 0.0
	for _, s := range report.Attribution {
		sum += s.Ratio.Value
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("shares sum to %v", sum)
	}
	q := report.Find("bottleneck/cold_start").Quantity
	if q.N != 60 || math.Abs(q.Value-0.2) > 1e-6 || q.Lo > q.Value || q.Hi < q.Value {
		t.Errorf("cold start: got %v, want 0.2 over the 60 requests outside stress", q)
	}
	if f := report.Find("bottleneck/cold_start", "phase", "stress"); f == nil || f.Quantity.N != 40 {
		t.Errorf("stress: got %+v", f)
	}
	told := 1 - report.Find("bottleneck/unexplained").Quantity.Value
	if q := report.Find("trace/coverage").Quantity; q.N != 75 || math.Abs(q.Value-0.8*told) > 1e-6 || told < 0.5 {
		t.Errorf("coverage: got %v, want %.3f of the time of the 60 of 75 requests outside stress that have spans", q, told)
	}
	if len(report.Slowest[0].Shares) == 0 {
		t.Error("the slowest request has no shares")
	}
}

// Spans that no request can be joined to are told of, with what is missing.
func TestAttributionOfSpansThatNoRequestNames(t *testing.T) {
	for trace, want := range map[assay.TraceID]string{
		{}:  "not measured, because there are 9 spans, and 0 of 2 requests name a trace",
		{1}: "not measured, because there are 9 spans, and none is of the traces that 1 of 2 requests name",
	} {
		f := someFacts(nil)
		f.Spans, f.Traced = 9, 0
		p, r := Attribution{}.Begin(f), &assay.Report{}
		p.(*attribution).Requests([]assay.Request{{TraceID: trace}, {}})
		if err := p.Finish(r); err != nil {
			t.Fatal(err)
		}
		if got := r.Find("bottleneck/unexplained").Quantity.Reason; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAttributionWithoutTraces(t *testing.T) {
	report := &assay.Report{}
	if err := (Attribution{}).Begin(someFacts(nil)).Finish(report); err != nil {
		t.Fatal(err)
	}
	if q := report.Find("bottleneck/compute").Quantity; q.Known() {
		t.Errorf("got %v, want not measured", q)
	}
}

func BenchmarkDecompose(b *testing.B) {
	r, spans := request("at_capacity")
	p := Attribution{}.Begin(someFacts(constant(0.7))).(*attribution)
	b.ReportAllocs()
	for b.Loop() {
		p.decompose(r, spans)
	}
	b.ReportMetric(float64(b.N*len(spans))/b.Elapsed().Seconds(), "spans/s")
}

// A class that no request was charged with is not known to be none, nor one that took all to be all.
func TestSharesOfNoneAreBounded(t *testing.T) {
	s := &scope{}
	for i := range 100 {
		d := decomposition{due: int64(i)}
		d.class[classCompute] = 1 + float32(i%7)
		s.add(d)
	}
	got := s.shares()
	if q := got.class[classMemory]; q.Value != 0 || q.Lo != 0 || math.Abs(q.Hi-0.16843) > 1e-4 { // 1 − 0.025^(1/20)
		t.Errorf("none in 20 blocks: %s", q)
	}
	if q := got.class[classCompute]; q.Value != 1 || q.Hi != 1 || math.Abs(q.Lo-0.83157) > 1e-4 {
		t.Errorf("all of 20 blocks: %s", q)
	}
}

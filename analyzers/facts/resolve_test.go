package facts_test

import (
	"context"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

func TestResolver(t *testing.T) {
	run := hand()
	a := func(kv ...string) []assay.Attr {
		var out []assay.Attr
		for i := 0; i < len(kv); i += 2 {
			out = append(out, assay.Attr{Key: kv[i], Value: kv[i+1]})
		}
		return out
	}
	for i := range run.R {
		run.R[i].Cold, run.R[i].Instance = assay.ColdUnknown, ""
	}
	run.R[2].Attempt = 1
	run.R[2].ID = run.R[1].ID
	run.R[4].Cold = assay.ColdYes // told by the client, no trace
	run.T = []assay.Trace{
		{Request: &run.R[0], Spans: []assay.Span{
			{Name: "upstream", Kind: assay.SpanClient, Start: 5, Attrs: a("faas.instance", "w-9")},
			{Name: "POST", Kind: assay.SpanServer, Attrs: a("faas.coldstart", "true", "faas.instance", "w-1")},
		}},
		{Request: &run.R[1], Spans: []assay.Span{{Name: "POST", Kind: assay.SpanServer, Attrs: a("faas.coldstart", "false")},
			{Name: "upstream", Kind: assay.SpanClient, Start: 5, Attrs: a("faas.instance", "w-1")}, {Name: "upstream", Kind: assay.SpanClient, Start: 9, Attrs: a("faas.instance", "w-2")}}},
		{Request: &run.R[2], Spans: []assay.Span{{Name: "llm_request", Kind: assay.SpanServer, Instance: "w-2"}}},
		{Spans: []assay.Span{{Name: "cold_start", SpanID: assay.SpanID{1}, Start: 100 * ms, End: 800 * ms, Attrs: a("faas.instance", "w-7", "faas.coldstart", "true", "reason", "scale_out")},
			{Name: "weights_fetch", Parent: assay.SpanID{1}, Start: 200 * ms, End: 600 * ms}}},
	}
	f, res, err := facts.ComputeResolved(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	type got struct {
		Cold     assay.Cold
		Instance string
	}
	for i, want := range []got{{assay.ColdYes, "w-1"}, {assay.ColdNo, "w-2"}, {assay.ColdNo, "w-2"} /* it was ready */, {assay.ColdUnknown, ""}, {assay.ColdYes, ""}} {
		r := run.R[i]
		res.Resolve(&r)
		if (got{r.Cold, r.Instance}) != want {
			t.Errorf("request %d: got %v %q, want %v", i, r.Cold, r.Instance, want)
		}
	}
	if f.Spans != 8 || f.Traced != 3 {
		t.Errorf("%d spans, %d traced; want 8 and 3", f.Spans, f.Traced)
	}
	var w7 *assay.Life
	for i := range f.Lives {
		if f.Lives[i].Instance == "w-7" {
			w7 = &f.Lives[i]
		}
	}
	if w7 == nil || w7.Created != 100*ms || w7.Ready != 800*ms || len(w7.Phases) != 1 || w7.Phases[0].Name != "weights_fetch" {
		t.Errorf("life from spans: %+v", w7)
	}
}

func TestLivesCountTheirRequests(t *testing.T) {
	run := hand()
	for i := range 4 {
		run.R[i].Cold, run.R[i].Instance = assay.ColdYes, "w-1"
	}
	// Held requests came before it was ready.
	for i := range run.E {
		if run.E[i].Kind == assay.EventInstanceReady && run.E[i].Instance == "w-1" {
			run.E[i].Time = 2 * second
		}
	}
	f := compute(t, run)
	l := f.Lives[0]
	if l.Instance != "w-1" || l.Held != 4 || l.Trigger != second || l.Served != 302 || l.First != second+50*ms {
		t.Errorf("got %+v", l)
	}
}

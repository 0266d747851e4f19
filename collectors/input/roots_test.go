package input

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// spansOf is a kind whose every input holds the given spans.
func spansOf(spans ...*assay.Span) *Kind {
	return &Kind{Name: "given", Things: "spans", Read: func(_ context.Context, in *Input, emit func(assay.Record) error) error {
		in.Tally.Resolution = 1000
		for _, s := range spans {
			in.Tally.Keep(1)
			if err := emit(s); err != nil {
				return err
			}
		}
		return nil
	}}
}

// sp is a span of trace and id, from and to in ms after base; attribute pairs are names and values.
func sp(trace, id, parent byte, name string, kind assay.SpanKind, from, to int64, pairs ...string) *assay.Span {
	s := &assay.Span{TraceID: assay.TraceID{trace}, SpanID: assay.SpanID{id}, Name: name, Service: "gateway", Kind: kind, Start: base*1e9 + from*1e6, End: base*1e9 + to*1e6}
	if parent != 0 {
		s.Parent = assay.SpanID{parent}
	}
	for i := 0; i < len(pairs); i += 2 {
		s.Attrs = append(s.Attrs, assay.Attr{Key: pairs[i], Value: pairs[i+1]})
	}
	return s
}

// derived returns the requests that are made out of spans, in ms of run time after the first record.
func derived(t *testing.T, k *Kind) (out []string, set *Set) {
	t.Helper()
	set, err := Open(t.Context(), []Spec{{Kind: k, Path: file(t, "x")}, {Kind: k, Path: file(t, "x")}}, Settings{}) // each export came twice
	if err != nil {
		t.Fatal(err)
	}
	err = set.Run(t.Context(), func(r assay.Record) error {
		q, ok := r.(*assay.Request)
		if !ok {
			return nil
		}
		line := fmt.Sprintf("%d: %x %x %s %d+%d %s %d", q.ID, q.TraceID[0], q.SpanID[0], q.Phase, (q.Due-lead)/1e6, (q.End-q.Due)/1e6, q.Outcome, q.Status)
		if q.FirstToken != 0 {
			line += fmt.Sprintf(" first %d", (q.FirstToken-q.Due)/1e6)
		}
		if q.TokensIn+q.TokensOut != 0 {
			line += fmt.Sprintf(" tokens %d %d", q.TokensIn, q.TokensOut)
		}
		for _, text := range []string{q.Class, q.Instance, q.Error} {
			if text != "" {
				line += " " + text
			}
		}
		if q.Cold != assay.ColdUnknown {
			line += " " + q.Cold.String()
		}
		if !q.NoSchedule || q.Sent != q.Due {
			t.Errorf("request %d has a schedule, or was sent late", q.ID)
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, set
}

func TestRootsBecomeRequests(t *testing.T) {
	const server, client = assay.SpanServer, assay.SpanClient
	got, set := derived(t, spansOf(
		sp(1, 2, 1, "llm_request", server, 10, 90, "gen_ai.latency.time_to_first_token", "0.02", "gen_ai.usage.input_tokens", "7", "gen_ai.usage.output_tokens", "40", "gen_ai.request.model", "tiny"),
		sp(1, 1, 0, "POST /v1/completions", server, 0, 100, "http.response.status_code", "200", "faas.coldstart", "true", "k8s.pod.name", "w-1", "http.route", "/v1/completions"),
		sp(2, 1, 0, "POST /v1/completions", server, 200, 300, "http.response.status_code", "503", "error.type", "503", "http.route", "/v1/completions", "faas.coldstart", "false"),
		// Who called is not recorded. The client's span is earlier, the server's is the request.
		sp(3, 5, 4, "db", client, 390, 395), sp(3, 6, 9, "POST /v1/chat", server, 400, 450, "http.route", "/v1/chat"), sp(3, 7, 6, "deeper", server, 380, 390),
		sp(4, 1, 0, "cold_start", assay.SpanUnspecified, 400, 500), sp(5, 1, 0, "GET /health", server, 500, 501), sp(6, 1, 0, "batch", assay.SpanInternal, 500, 600), sp(6, 2, 1, "POST", client, 500, 600),
		sp(7, 1, 2, "ring", server, 600, 601), sp(7, 2, 1, "ring", server, 600, 601),
		// An agent asks twice: whose tokens are whose is not told. Its children came first.
		sp(8, 2, 1, "chat", client, 700, 710, "gen_ai.usage.input_tokens", "7", "gen_ai.response.time_to_first_chunk", "0.004"),
		sp(8, 3, 1, "chat", client, 720, 730, "gen_ai.usage.input_tokens", "9", "gen_ai.response.time_to_first_chunk", "0.005"), sp(8, 1, 0, "agent", server, 700, 740, "http.route", "/agent"),
		// Two requests share a trace; the calls of one are its own.
		sp(9, 1, 0, "a", client, 800, 810, "gen_ai.response.time_to_first_chunk", "0.002", "gen_ai.usage.output_tokens", "3"), sp(9, 2, 0, "b", client, 820, 830, "rpc.grpc.status_code", "4"),
		// A call outside of its request was stamped by another clock; one longer than its request tells nothing.
		sp(10, 1, 0, "c", server, 900, 910, "http.response.status_code", "200"), sp(10, 2, 1, "llm_request", server, 950, 960, "gen_ai.latency.time_to_first_token", "0.001"),
		sp(11, 1, 0, "d", server, 1000, 1010), sp(11, 2, 1, "llm_request", server, 950, 970, "gen_ai.latency.time_to_first_token", "0.001"),
	))
	want := []string{
		"1: 1 1 load 0+100 ok 200 first 30 tokens 7 40 /v1/completions w-1 cold",
		"2: 2 1 load 200+100 unavailable 503 /v1/completions Service Unavailable warm",
		"3: 3 6 load 400+50 ok 0 /v1/chat",
		"4: 8 1 load 700+40 ok 0 /agent",
		"5: 9 1 load 800+10 ok 0 first 2 tokens 0 3 a",
		"6: 9 2 load 820+10 timeout 4 b",
		"7: a 1 load 900+10 ok 200 first 1 c",
		"8: b 1 load 1000+10 ok 0 d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantNotes := []string{
		"no input tells of requests, so the root spans of 11 traces were taken for them: 8 requests, as the target saw them",
		"1 requests stand for a root that was not recorded: each is the earliest span of its trace whose parent is missing, servers' first",
		"1 root spans are no requests: of the kind internal",
		"1 root spans are no requests: probes and scrapes",
		"1 root spans are no requests: starts of instances",
		"1 traces have no span that can be a root: their parents form a ring",
		"1 traces hold several calls of models: their tokens and first tokens are not known as one request's",
	}
	if diff := cmp.Diff(wantNotes, set.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if set.Model != "tiny" || set.Requests != 8 || set.Resolution != 1000 {
		t.Errorf("model %q, %d requests, resolution %d", set.Model, set.Requests, set.Resolution)
	}
}

func TestRequestsOfAnInputLeaveTracesAlone(t *testing.T) {
	set, err := Open(t.Context(), []Spec{{Kind: seconds, Path: file(t, fmt.Sprint(base))}, {Kind: spansOf(sp(1, 1, 0, "a", assay.SpanServer, 0, 5)), Path: file(t, "x")}}, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := set.Run(t.Context(), func(r assay.Record) error {
		if _, ok := r.(*assay.Request); ok {
			n++
		}
		return nil
	}); err != nil || n != 2 || set.Requests != 2 || set.Notes != nil {
		t.Errorf("%d requests, told %d, notes %q: %v", n, set.Requests, set.Notes, err)
	}
}

func TestProbesAreNoRequests(t *testing.T) {
	for route, want := range map[string]bool{"GET /health": true, "/health": true, "GET /v2/health/ready": true, "GET /metrics": true, "GET /alive": false, "POST /v1/models/live": false, "GET /v1/metrics": false} {
		if got := probes(&assay.Span{Name: route}); got != want {
			t.Errorf("%s: %v, want %v", route, got, want)
		}
	}
	rpc := &assay.Span{Name: "Check", Attrs: []assay.Attr{{Key: "rpc.service", Value: "grpc.health.v1.Health"}, {Key: "rpc.method", Value: "Check"}}}
	if !probes(rpc) {
		t.Error("gRPC's health check is taken for a request")
	}
}

func TestOutcomesOfGRPC(t *testing.T) {
	var got []string
	for code := range 17 {
		got = append(got, ofGRPC(code).String())
	}
	want := "ok unfinished server_error client_error timeout client_error client_error credential throttled client_error server_error client_error client_error server_error unavailable server_error credential"
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

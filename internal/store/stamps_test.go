package store

import (
	"math"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestStampsThatCannotBeTrue: what a source tells of another century is left out and counted, and all that is recorded beside it stays.
func TestStampsThatCannotBeTrue(t *testing.T) {
	epoch := time.Now().Add(-time.Minute).UnixNano()
	unix := func(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
	phase := func(start, end string) *assay.Event {
		return &assay.Event{Time: 5e9, Kind: assay.EventInstancePhase, Instance: "i", Attrs: map[string]string{"phase": "init", "start_ns": start, "end_ns": end}}
	}
	const year = int64(365 * 24 * time.Hour)
	now := time.Now()
	good := []assay.Record{
		&assay.Event{Time: 1e9, Kind: assay.EventInstanceReady, Instance: "i"},
		&assay.Event{Time: -20 * year, Kind: assay.EventInstanceCreated, Instance: "old"}, // of a pod that has lived for long
		&assay.Event{Time: int64(30 * time.Minute), Kind: assay.EventInstanceReady, Instance: "a clock that is ahead"},
		&assay.Event{Kind: assay.EventAnnotation},
		&assay.Event{Time: 250 * year, Kind: assay.EventFaultArmed},                                                             // what must be healed is never left out
		phase(unix(now.Add(-time.Hour)), unix(now)), phase("", ""), phase("5000000", "70000000"), phase("-5000000", "70000000"), // Unix, run time
		&assay.Event{Time: 1, Kind: assay.EventTraceIntake, Attrs: map[string]string{"ahead_ns": "-5"}},
		&assay.Request{ID: 1, Due: 1e9, Sent: 1e9, End: 2e9, Outcome: assay.OK}, &assay.Request{ID: 2, Due: 2e9, Outcome: assay.RefusedByCap},
		&assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{1}, Start: -5e9, End: 2e9},
	}
	bad := []struct {
		r    assay.Record
		want string
	}{
		{&assay.Event{Time: 150 * year, Kind: assay.EventInstanceReady}, "events/future"},
		{&assay.Event{Time: math.MaxInt64, Kind: assay.EventGPUXID}, "events/future"},
		{&assay.Event{Time: -36 * year, Kind: assay.EventInstanceReady}, "events/past"},
		{&assay.Event{Time: math.MinInt64, Kind: assay.EventInstanceReady}, "events/past"},
		{&assay.Event{Time: 1e9, Resolution: -1, Kind: assay.EventInstanceReady}, "events/order"},
		{phase(unix(now), unix(now.Add(-time.Hour))), "events/order"},
		{phase("NaN", unix(now)), "events/number"},
		{phase(unix(now), unix(now.AddDate(100, 0, 0))), "events/future"},
		{phase("-9223372036854775808", unix(now)), "events/past"},
		{&assay.Event{Time: 1e9, Kind: assay.EventReadBack, Attrs: map[string]string{"last_ns": "+Inf"}}, "events/number"},
		{&assay.Request{ID: 3, Due: 5e9, End: 4e9}, "requests/order"},
		{&assay.Request{ID: 4, Due: 5e9, End: 6e9, RetryAfter: -1}, "requests/order"},
		{&assay.Request{ID: 5, Due: 5e9, End: 150 * year}, "requests/future"},
		{&assay.Request{ID: 6, Due: 5e9, End: 6e9, Arrivals: []int64{5e9, 150 * year}}, "requests/future"},
		{&assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{2}, Start: 3e9, End: 2e9}, "spans/order"},
		{&assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{3}, Start: 1e9, End: 150 * year}, "spans/future"},
		{&assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{4}, Start: -36 * year, End: 1e9}, "spans/past"},
	}
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, &assay.Manifest{Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for i, b := range bad {
		if i < len(good) {
			if err := w.Emit(good[i]); err != nil {
				t.Errorf("%+v: %v", good[i], err)
			}
		}
		if err := w.Emit(b.r); err != nil {
			t.Errorf("%+v: %v", b.r, err)
		}
		want[b.want]++
		if d := cmp.Diff(want, w.Stats().Unrecorded); d != "" {
			t.Fatalf("after %+v (-want +got):\n%s", b.r, d)
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	run, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil || len(events) != 10 {
		t.Errorf("%d events, %v", len(events), err)
	}
	requests, spans := 0, 0
	if err := run.Requests(t.Context(), func(b []assay.Request) error { requests += len(b); return nil }); err != nil || requests != 2 {
		t.Errorf("%d requests, %v", requests, err)
	}
	if err := run.Traces(t.Context(), func(b []assay.Trace) error {
		for i := range b {
			spans += len(b[i].Spans)
		}
		return nil
	}); err != nil || spans != 1 {
		t.Errorf("%d spans, %v", spans, err)
	}
	if d := cmp.Diff(want, run.Manifest().End.Unrecorded); d != "" {
		t.Errorf("the manifest (-want +got):\n%s", d)
	}
}

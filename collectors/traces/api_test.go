package traces

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

const at = int64(1_700_000_000e9)

// A store stands in for Tempo and Jaeger: it holds traces of one span each, by their start in seconds after at.
type store struct {
	t      testing.TB
	starts map[byte]int64 // by the first byte of the id
	part   byte           // trace that comes in part
	old    bool           // no /api/v2
	json   bool           // answers in JSON whatever is accepted
	token  string

	mu      sync.Mutex
	asked   []string
	arrives map[byte]int // look in which a trace is first there, and in the next with a second span
}

func (s *store) trace(id byte, spans int) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "gateway")
	ss := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range spans {
		sp := ss.AppendEmpty()
		sp.SetTraceID(pcommon.TraceID{id})
		sp.SetSpanID(pcommon.SpanID{id, byte(i) + 1})
		sp.SetKind(ptrace.SpanKindServer)
		sp.SetName("infer")
		sp.SetStartTimestamp(pcommon.Timestamp(at + s.starts[id]*1e9))
		sp.SetEndTimestamp(pcommon.Timestamp(at + s.starts[id]*1e9 + 1000))
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// has returns how many spans of a trace are there at this look.
func (s *store) has(id byte) int {
	if _, ok := s.starts[id]; !ok {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wait, late := s.arrives[id]
	if !late {
		return 1
	}
	s.arrives[id]--
	switch {
	case wait > 1:
		return 0
	case wait == 1:
		return 1
	}
	return 2
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.String())
	s.mu.Unlock()
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	number := func(name string) int64 {
		v, _ := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
		return v
	}
	within := func(from, to int64) (ids []byte) {
		for id, start := range s.starts {
			if x := at + start*1e9; x >= from && x < to {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return ids[:min(len(ids), int(number("limit")))]
	}
	jaeger := func(id byte, spans int) string {
		var list []string
		for i := range spans {
			list = append(list, fmt.Sprintf(`{"traceID":"%s","spanID":"%x","operationName":"infer","startTime":%d,"duration":1,"processID":"p"}`, pcommon.TraceID{id}, []byte{id, byte(i) + 1}, (at+s.starts[id]*1e9)/1000))
		}
		return fmt.Sprintf(`{"traceID":"%s","spans":[%s],"processes":{"p":{"serviceName":"gateway"}}}`, pcommon.TraceID{id}, strings.Join(list, ","))
	}
	path := r.URL.Path
	byID := func() byte {
		text := path[strings.LastIndexByte(path, '/')+1:]
		id, _ := strconv.ParseUint(text[:min(2, len(text))], 16, 8)
		return byte(id)
	}
	switch {
	case path == "/api/search":
		var list []string
		for _, id := range within(number("start")*1e9, number("end")*1e9) {
			list = append(list, fmt.Sprintf(`{"traceID":"%s"}`, pcommon.TraceID{id}))
		}
		fmt.Fprintf(w, `{"traces":[%s],"metrics":{}}`, strings.Join(list, ","))
	case path == "/api/services":
		fmt.Fprint(w, `{"data":["gateway","engine"],"total":2}`)
	case path == "/api/traces":
		var list []string
		for _, id := range within(number("start")*1000, number("end")*1000) {
			list = append(list, jaeger(id, 1))
		}
		fmt.Fprintf(w, `{"data":[%s],"total":0,"errors":null}`, strings.Join(list, ","))
	case strings.HasPrefix(path, "/api/v2/traces/") && !s.old:
		n := s.has(byID())
		if n == 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if s.json {
			b, _ := s.trace(byID(), n).MarshalJSON()
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"trace":%s,"status":"%s"}`, b, map[bool]string{true: "PARTIAL", false: "COMPLETE"}[byID() == s.part])
			return
		}
		b, _ := s.trace(byID(), n).MarshalProto()
		out := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
		if byID() == s.part {
			out = protowire.AppendVarint(protowire.AppendTag(out, 3, protowire.VarintType), 1)
		}
		w.Header().Set("Content-Type", "application/protobuf")
		w.Write(out)
	case strings.HasPrefix(path, "/api/traces/") && r.Header.Get("Accept") == "application/json":
		n := s.has(byID())
		if n == 0 {
			http.Error(w, `{"errors":[{"code":404,"msg":"trace not found"}]}`, http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"data":[%s]}`, jaeger(byID(), n))
	case strings.HasPrefix(path, "/api/traces/") && s.has(byID()) > 0:
		b, _ := s.trace(byID(), 1).MarshalProto()
		w.Write(b)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// fetch gets a window into a file and reads it as an input of the kind.
func fetch(t *testing.T, s *store, name string, f input.Fetching) (spans []string, notes []string, err error) {
	t.Helper()
	srv := httptest.NewServer(s)
	defer srv.Close()
	f.URL, f.From, f.To = srv.URL, at, at+100e9
	path := filepath.Join(t.TempDir(), "fetched")
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	k := kind(t, name)
	if err := k.Fetch(t.Context(), &f, to); err != nil {
		return nil, nil, err
	}
	got, tally, err := read(t, k, path)
	for _, sp := range got {
		spans = append(spans, fmt.Sprintf("%x %d", sp.TraceID[0], (sp.Start-at)/1e9))
	}
	slices.Sort(spans)
	return spans, tally.Notes(), err
}

func TestFetch(t *testing.T) {
	starts := map[byte]int64{1: 0, 2: 10, 3: 11, 4: 12, 5: 99, 6: 100, 7: 200}
	want := []string{"1 0", "2 10", "3 11", "4 12", "5 99"}
	for name, tt := range map[string]struct {
		store *store
		kind  string
		notes []string
	}{
		"tempo":           {&store{part: 3}, "tempo", []string{"1 traces came in part, as the store itself says"}},
		"tempo in JSON":   {&store{part: 3, json: true}, "tempo", []string{"1 traces came in part, as the store itself says"}},
		"tempo before v2": {&store{old: true}, "tempo", nil},
		"jaeger":          {&store{}, "jaeger", nil},
	} {
		t.Run(name, func(t *testing.T) {
			tt.store.t, tt.store.starts, tt.store.token = t, starts, "secret"
			got, notes, err := fetch(t, tt.store, tt.kind, input.Fetching{Token: "secret", Options: map[string]string{"limit": "2"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if _, _, err := fetch(t, tt.store, tt.kind, input.Fetching{Token: "wrong"}); err == nil || !strings.Contains(err.Error(), "status 401: who are you?") {
				t.Errorf("with a wrong token: %v", err)
			}
		})
	}
	// More traces of one instant than a search gives: a part, and told.
	crowd := &store{starts: map[byte]int64{1: 50, 2: 50, 3: 50}}
	got, notes, err := fetch(t, crowd, "jaeger", input.Fetching{Options: map[string]string{"limit": "2", "service": "gateway"}})
	if err != nil || len(got) != 2 || len(notes) != 1 || !strings.HasPrefix(notes[0], "1 slices of the window hold more traces") {
		t.Errorf("a crowd: %v, notes %q: %v", got, notes, err)
	}
	if _, _, err := fetch(t, crowd, "jaeger", input.Fetching{Options: map[string]string{"limit": "none"}}); err == nil || !strings.Contains(err.Error(), `limit "none": want a number from 1 to 200000`) {
		t.Errorf("a wrong limit: %v", err)
	}
}

// fixed is a run that began at the instant at.
type fixed struct{}

func (fixed) Now() int64              { return 7 }
func (fixed) FromUnix(ns int64) int64 { return ns - at + 1 }

func TestReadBackWaitsForLateTraces(t *testing.T) {
	for _, name := range []string{Tempo, Jaeger} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// 1 is there at once, 2 comes at the third look and grows, 3 never comes. 4 is another's, of the window. Tempo has a part of 5, for ever.
			s := &store{t: t, starts: map[byte]int64{1: 1, 2: 2, 4: 4, 5: 5}, arrives: map[byte]int{2: 3}, part: 5}
			unsettled := map[string]string{Tempo: "1", Jaeger: "0"}[name]
			srv := httptest.NewServer(s)
			defer srv.Close()
			b := &ReadBack{Store: name, URL: srv.URL, Query: `{ name = "cold_start" }`, Services: []string{"gateway"}, Wait: time.Second, Every: 20 * time.Millisecond,
				Asked: []assay.TraceID{{1}, {2}, {3}, {5}}, From: at, To: at + 10e9, Clock: fixed{}}
			var mu sync.Mutex
			var got []string
			var event *assay.Event
			err := b.Run(t.Context(), func(r assay.Record) error {
				mu.Lock()
				defer mu.Unlock()
				switch r := r.(type) {
				case *assay.Span:
					got = append(got, fmt.Sprintf("%x %s %d", r.TraceID[0], r.SpanID, r.Start))
				case *assay.Event:
					event = r
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if len(got) != 5 {
				t.Errorf("spans %q: want one of 1, two of 2, one of 4 and one of 5", got)
			}
			if !strings.HasPrefix(got[0], "1 ") || !strings.HasSuffix(got[0], " 1000000001") {
				t.Errorf("the first span is %q: want it in run time", got[0])
			}
			if event == nil || event.Kind != assay.EventReadBack || event.Text != "3 of 4 traces of our requests came" {
				t.Fatalf("event %+v", event)
			}
			for _, key := range []string{"last_ns", "waited_ns"} {
				if v, err := strconv.ParseInt(event.Attrs[key], 10, 64); err != nil || v <= 0 {
					t.Errorf("%s is %q", key, event.Attrs[key])
				}
				delete(event.Attrs, key)
			}
			if diff := cmp.Diff(map[string]string{"requests": "4", "asked": "4", "came": "3", "late": "1", "unsettled": unsettled}, event.Attrs); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if n, what, err := b.Look(t.Context()); err != nil || what == "" || name == Jaeger && n != 2 {
				t.Errorf("a look found %d %s: %v", n, what, err)
			}
		})
	}
}

func TestReadBackFromNobody(t *testing.T) {
	b := &ReadBack{Store: Tempo, URL: "http://127.0.0.1:1", Asked: []assay.TraceID{{1}}, Clock: fixed{}}
	if err := b.Run(context.Background(), func(assay.Record) error { return nil }); err == nil || !strings.Contains(err.Error(), "read back from http://127.0.0.1:1: GET /api/v2/traces/01") {
		t.Errorf("error %v", err)
	}
}

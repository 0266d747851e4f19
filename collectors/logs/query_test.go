package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// A shelf is what a store holds: it answers as Loki does and as Elasticsearch and OpenSearch do.
type shelf struct {
	lines    []shelved // by stamp
	most     int       // lines of an answer, however many are asked for; 0: as many
	bare     bool      // OpenSearch: nothing but the stamp orders the documents
	deaf     bool      // search_after is ignored
	failing  int       // of how many requests one fails; 0: none
	silent   int       // shards that fail
	requests int
	headers  http.Header // of the latest request
}

type shelved struct {
	at, came time.Time // its stamp, and when the store has it
	pod      string
	text     string
}

// RoundTrip answers at once, so that a bubble's time stands still meanwhile.
func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.requests++
	if s.headers = r.Header; s.failing > 0 && s.requests%s.failing == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	} else {
		s.ServeHTTP(w, r)
	}
	return w.Result(), nil
}

// there returns the lines in [from, to), in ns, that have come, with their places.
func (s *shelf) there(from, to int64) (out []int) {
	for i, l := range s.lines {
		if at := l.at.UnixNano(); at >= from && at < to && !l.came.After(time.Now()) {
			out = append(out, i)
		}
	}
	return out
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	number := func(name string) int64 { n, _ := strconv.ParseInt(r.URL.Query().Get(name), 10, 64); return n }
	var body struct {
		Size  int
		After []int64 `json:"search_after"`
		Query struct {
			Bool struct {
				Filter []struct {
					Range map[string]struct{ GTE, LT int64 }
				}
			}
		}
	}
	if r.Method == http.MethodPost && r.ContentLength > 0 {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	var found []int
	if len(body.Query.Bool.Filter) > 0 {
		window := body.Query.Bool.Filter[0].Range["@timestamp"]
		found = s.there(window.GTE*1e6, window.LT*1e6)
	}
	switch r.URL.Path {
	case "/loki/api/v1/query_range":
		found = s.there(number("start"), number("end"))
		if s.deaf {
			found = s.there(s.lines[1].at.UnixNano(), number("end"))
		}
		streams := map[string][][2]string{}
		for _, i := range found[:min(len(found), int(number("limit")), cmp.Or(s.most, len(found)))] {
			l := s.lines[i]
			streams[l.pod] = append(streams[l.pod], [2]string{strconv.FormatInt(l.at.UnixNano(), 10), l.text})
		}
		var result []any
		for pod, values := range streams {
			result = append(result, map[string]any{"stream": map[string]string{"pod": pod}, "values": values})
		}
		answer(map[string]any{"data": map[string]any{"resultType": "streams", "result": result}})
	case "/loki/api/v1/query":
		var span int64
		fmt.Sscanf(r.URL.Query().Get("query"), "sum(count_over_time({app=\"vllm\"}[%dms]))", &span)
		n := len(s.there(number("time")-span*1e6+1, number("time")+1))
		answer(map[string]any{"data": map[string]any{"result": []any{map[string]any{"value": []any{1, strconv.Itoa(n)}}}}})
	case "/logs/_pit":
		if s.bare {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer(map[string]any{"id": "p"})
	case "/logs/_search/point_in_time":
		answer(map[string]any{"pit_id": "p"})
	case "/logs/_count":
		answer(map[string]any{"count": len(found)})
	case "/_search":
		hits := []any{}
		for _, i := range found {
			l := s.lines[i]
			sort := []int64{l.at.UnixMilli(), int64(i)}
			if s.bare {
				sort = sort[:1]
			}
			if len(hits) < body.Size && (s.deaf || slices.Compare(sort, body.After) > 0) {
				hits = append(hits, map[string]any{"_index": "logs-1", "_id": strconv.Itoa(i), "sort": sort,
					"_source": map[string]any{"@timestamp": l.at.UTC().Format("2006-01-02T15:04:05.000Z"), "message": l.text, "kubernetes": map[string]any{"pod": map[string]any{"name": l.pod}}}})
			}
		}
		answer(map[string]any{"pit_id": "p", "hits": map[string]any{"hits": hits}, "_shards": map[string]int{"total": 2, "failed": s.silent}})
	default:
		answer(map[string]any{})
	}
}

// starts shelves starts of three pods in the bubble's first minute among n other lines, with bursts that bear one instant; each comes up to late after it was written.
func starts(n int, late time.Duration) (lines []shelved) {
	begin := time.Now()
	add := func(at time.Duration, pod, text string) {
		lines = append(lines, shelved{begin.Add(at), begin.Add(at + time.Duration(len(lines)%7)*late/6), pod, text})
	}
	add(-time.Second, "v-0", "vLLM API server version 0.15.1") // before the run
	for i := range 3 {
		pod := fmt.Sprintf("v-%d", i+1)
		add(time.Duration(10*i+1)*time.Second, pod, "vLLM API server version 0.15.1")
		add(time.Duration(10*i+9)*time.Second, pod, "INFO:     Application startup complete.")
	}
	for i := range n {
		add(time.Duration(i/1500+1)*1500*time.Millisecond, "v-1", fmt.Sprintf("INFO 01-01 00:00:00 [x.py:1] nothing %d", i))
	}
	slices.SortStableFunc(lines, func(a, b shelved) int { return a.at.Compare(b.at) })
	return lines
}

// watch follows the shelf for a minute and reads the rest.
func watch(t *testing.T, q *Query, s *shelf) (got []string) {
	t.Helper()
	q.by, q.URL, q.Clock, q.RunID = s, "http://me:secret@store", bubble{time.Now()}, "run-1"
	emit := func(r assay.Record) error {
		e := r.(*assay.Event)
		if e.Kind == assay.EventWarning {
			got = append(got, e.Text)
		} else if e.Kind != assay.EventInstancePhase {
			got = append(got, fmt.Sprintf("%v %s %s", time.Duration(e.Time), strings.TrimPrefix(e.Kind, "instance."), e.Instance))
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Run(ctx, emit); err != nil {
		t.Fatal(err)
	}
	if err := q.Last(t.Context(), emit); err != nil {
		t.Fatal(err)
	}
	return got
}

var threeStarts = []string{"1s started v-1", "9s ready v-1", "11s started v-2", "19s ready v-2", "21s started v-3", "29s ready v-3"}

// TestQueryReadsEachLineOnce: whatever a store's pages are, and however late lines come within the wait.
func TestQueryReadsEachLineOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		q Query
		s shelf
		n int
	}{
		"Loki":                                  {Query{Store: Loki, Query: `{app="vllm"}`, Tenant: "us", Token: "t"}, shelf{}, lokiPage + 100},
		"Loki that gives less than is asked":    {Query{Store: Loki, Query: `{app="vllm"}`}, shelf{most: 1600}, 3000},
		"Loki that fails now and then":          {Query{Store: Loki, Query: `{app="vllm"}`}, shelf{most: 1600, failing: 3}, 3000},
		"Elasticsearch":                         {Query{Store: Elasticsearch, Index: "logs"}, shelf{}, 2*page + 100},
		"Elasticsearch that fails now and then": {Query{Store: Elasticsearch, Index: "logs"}, shelf{failing: 5}, 2*page + 100},
		"OpenSearch":                            {Query{Store: Elasticsearch, Index: "logs"}, shelf{bare: true}, 2*page + 100},
		"OpenSearch that fails now and then":    {Query{Store: Elasticsearch, Index: "logs"}, shelf{bare: true, failing: 5}, 2*page + 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.s.lines = starts(tt.n, 8*time.Second)
				got := watch(t, &tt.q, &tt.s)
				if tt.s.failing > 0 { // told of once
					got = slices.DeleteFunc(got, func(s string) bool { return strings.HasSuffix(s, "503 Service Unavailable; it is asked again") })
				}
				inputtest.Compare(t, threeStarts, got)
				if tt.q.read != int64(tt.n+6) || tt.q.tally.Read() != tt.q.read || tt.q.tally.Kept != 6 {
					t.Errorf("%d lines read, tally %+v; want %d", tt.q.read, tt.q.tally, tt.n+6)
				}
				if tt.q.Tenant != "" && (tt.s.headers.Get("X-Scope-OrgID") != "us" || tt.s.headers.Get("Authorization") != "Bearer t" || tt.s.headers.Get("X-Assay-Run") != "run-1") {
					t.Errorf("headers %v", tt.s.headers)
				}
			})
		})
	}
}

// TestQueryTellsWhatItMissed: lines that came too late, none at all, a store that was never there or does not do as it is told.
func TestQueryTellsWhatItMissed(t *testing.T) {
	loki, elastic := Query{Store: Loki, Query: `{app="vllm"}`}, Query{Store: Elasticsearch, Index: "logs"}
	for name, tt := range map[string]struct {
		q    Query
		s    shelf
		late time.Duration
		n    int
		want string
	}{
		"too late for Loki":          {loki, shelf{}, 90 * time.Second, 100, "loki at http://store: the store has 75 lines of the run and 15 were read: the others came more than 10s late; want a longer wait"},
		"too late for Elasticsearch": {elastic, shelf{}, 90 * time.Second, 100, "elasticsearch at http://store: the store has 75 lines of the run and 15 were read: the others came more than 10s late; want a longer wait"},
		"down":                       {loki, shelf{failing: 1}, 0, 0, "loki at http://store: what was written from 00:00:00.000 UTC to the end was not read: GET /loki/api/v1/query_range: 503 Service Unavailable"},
		"search_after ignored":       {elastic, shelf{deaf: true}, 0, page + 100, "the server ignores search_after, so that more than 2000 documents of a window cannot be had; want a narrower query"},
		"ignored by OpenSearch":      {elastic, shelf{deaf: true, bare: true}, 0, page + 100, "the server ignores search_after, so that more than 2000 documents of a window cannot be had; want a narrower query"},
		"start ignored by Loki":      {loki, shelf{deaf: true}, 0, lokiPage + 100, "it heeds neither start nor end"},
		"a part of the shards":       {elastic, shelf{silent: 1}, 0, 0, "the search is incomplete: timed out false, 1 of 2 shards failed"},
		"a query that chooses none":  {loki, shelf{}, -1, 0, "loki at http://store: it had no line of the run that the query chooses"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tt.late >= 0 {
					tt.s.lines = starts(tt.n, tt.late)
				}
				got := watch(t, &tt.q, &tt.s)
				if !strings.Contains(strings.Join(got, "\n"), tt.want) || strings.Contains(fmt.Sprint(got), "secret") {
					t.Errorf("got %q\nwant %q", got, tt.want)
				}
			})
		})
	}
}

func TestQueryEndsWhenAskedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &Query{Store: Loki, URL: "http://store", Query: "{}", Clock: bubble{time.Now()}, by: &shelf{}, Wait: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var got []string
		emit := func(r assay.Record) error { got = append(got, r.(*assay.Event).Text); return nil }
		if err := q.Run(ctx, emit); err != nil {
			t.Fatal(err)
		}
		if err := q.Last(ctx, emit); err != nil || time.Since(q.Clock.(bubble).epoch) != time.Second {
			t.Errorf("%v after %v", err, time.Since(q.Clock.(bubble).epoch))
		}
		inputtest.Compare(t, []string{"loki at http://store: what was written from 00:00:00.000 UTC to the end was not read"}, got)
	})
}

func TestQueryLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{lines: starts(2*page, 0)}
		time.Sleep(time.Minute)
		for _, q := range []*Query{{Store: Loki, Query: `{app="vllm"}`, by: s, URL: "http://store"}, {Store: Elasticsearch, Index: "logs", by: s, URL: "http://store"}} {
			if n, known, err := q.Look(t.Context()); n != 1000 || known != 2 || err != nil {
				t.Errorf("%s: %d lines, %d known, %v", q.Store, n, known, err)
			}
		}
		if _, _, err := (&Query{Store: "splunk", URL: "http://store"}).Look(t.Context()); err == nil || !strings.Contains(err.Error(), `store of logs "splunk": want loki or elasticsearch`) {
			t.Errorf("error %v", err)
		}
	})
}

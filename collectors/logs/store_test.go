package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assay-dev/assay/collectors/input"
)

const begin = int64(1767225600) * 1e9

// TestStoreFollowsNoRedirect: a bearer token goes to the store that it was given for, and to no other port.
func TestStoreFollowsNoRedirect(t *testing.T) {
	for name, fetch := range map[string]func(context.Context, *input.Fetching, io.Writer) error{"loki": fetchLoki, "elasticsearch": fetchElastic} {
		t.Run(name, func(t *testing.T) {
			other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("another server was asked with %q", r.Header.Get("Authorization"))
			}))
			defer other.Close()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			}))
			defer srv.Close()
			err := fetch(t.Context(), &input.Fetching{URL: srv.URL + "/logs?" + map[string]string{"loki": "query", "elasticsearch": "q"}[name] + "=x", From: begin, To: begin + 1e9, Token: "secret"}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), "307") {
				t.Errorf("got %v, want the redirect to be an error", err)
			}
		})
	}
}

// document is the i-th of many lines of one pod; the first and the last are those of a start.
func document(i, n int) (at int64, text string) {
	text = "nothing"
	switch i {
	case 0:
		text = "vLLM API server version 0.15.1"
	case n - 1:
		text = "INFO:     Application startup complete."
	}
	return begin + int64(i)*1e6, text
}

// elastic is an honest stand-in: it filters by the window, sorts, pages by search_after within a point in time, and refuses what it must.
func elastic(n int, openSearch bool, pits map[string]bool) http.Handler {
	mux := http.NewServeMux()
	open := func(w http.ResponseWriter, id string) { pits["p"] = true; fmt.Fprintf(w, `{%q:"p"}`, id) }
	closed := func(w http.ResponseWriter, _ *http.Request) { delete(pits, "p"); fmt.Fprint(w, "{}") }
	if openSearch {
		mux.HandleFunc("POST /{index}/_search/point_in_time", func(w http.ResponseWriter, _ *http.Request) { open(w, "pit_id") })
		mux.HandleFunc("DELETE /_search/point_in_time", closed)
	} else {
		mux.HandleFunc("POST /{index}/_pit", func(w http.ResponseWriter, _ *http.Request) { open(w, "id") })
		mux.HandleFunc("DELETE /_pit", closed)
	}
	mux.HandleFunc("POST /_search", func(w http.ResponseWriter, r *http.Request) {
		var ask struct {
			Size  int
			PIT   struct{ ID string }
			Query struct {
				Bool struct {
					Filter []struct {
						Range map[string]struct{ GTE, LT int64 }
						Query struct{ Query string } `json:"query_string"`
					}
				}
			}
			Sort  []map[string]any
			After []int64 `json:"search_after"`
		}
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if json.NewDecoder(r.Body).Decode(&ask) != nil || !pits[ask.PIT.ID] || len(ask.Sort) != 1 || ask.Size > 10_000 || len(ask.Query.Bool.Filter) != 2 || ask.Query.Bool.Filter[1].Query.Query != "pod:v*" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		window := ask.Query.Bool.Filter[0].Range["@timestamp"]
		type hit struct {
			Index  string         `json:"_index"`
			ID     string         `json:"_id"`
			Source map[string]any `json:"_source"`
			Sort   []int64        `json:"sort"`
		}
		hits := []hit{}
		for i := range n {
			at, text := document(i, n)
			after := len(ask.After) == 0 || cmp.Compare(int64(i), ask.After[1]) > 0
			if at/1e6 >= window.GTE && at/1e6 < window.LT && after && len(hits) < ask.Size {
				hits = append(hits, hit{"logs-1", strconv.Itoa(i), map[string]any{"@timestamp": at / 1e6, "message": text, "kubernetes": map[string]any{"pod_name": "v-1"}}, []int64{at / 1e6, int64(i)}})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"pit_id": "p", "hits": map[string]any{"hits": hits}})
	})
	return mux
}

func TestElastic(t *testing.T) {
	for _, openSearch := range []bool{false, true} {
		pits := map[string]bool{}
		const n = 2*page + 5
		srv := httptest.NewServer(elastic(n, openSearch, pits))
		settings := input.Settings{From: begin, To: begin + 3600e9, Token: "secret", Temp: t.TempDir()}
		s, err := input.Open(t.Context(), []input.Spec{{Kind: &elasticKind, Path: srv.URL + "/logs-x?q=pod:v*"}}, settings)
		if err != nil {
			t.Fatal(err)
		}
		if sum := s.Summaries[0]; sum.Read != n || sum.Kept != 2 || sum.Events != 2 || sum.End-sum.Begin != (n-1)*1e6 {
			t.Errorf("summary %+v", sum)
		}
		if len(pits) != 0 {
			t.Error("the point in time was not given back")
		}
		s.Close()
		settings.Token = ""
		if _, err := input.Open(t.Context(), []input.Spec{{Kind: &elasticKind, Path: srv.URL + "/logs-x"}}, settings); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("without a token: %v", err)
		}
		if _, err := input.Open(t.Context(), []input.Spec{{Kind: &elasticKind, Path: srv.URL}}, settings); err == nil || !strings.Contains(err.Error(), "names no index") {
			t.Errorf("without an index: %v", err)
		}
		srv.Close()
	}
}

func TestLoki(t *testing.T) {
	const n = lokiPage + 10
	same := false // all lines bear one instant
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		from, _ := strconv.ParseInt(q.Get("start"), 10, 64)
		to, _ := strconv.ParseInt(q.Get("end"), 10, 64)
		limit, _ := strconv.Atoi(q.Get("limit"))
		if r.URL.Path != "/loki/api/v1/query_range" || q.Get("query") != `{app="vllm",pod="v"}` || q.Get("direction") != "forward" || limit > lokiPage {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		streams := map[string][][2]string{}
		for i := range n {
			at, text := document(i, n)
			if at -= at % 2e6; same { // two lines bear each instant
				at = begin
			}
			if at >= from && at < to && limit > 0 {
				limit--
				name := strconv.Itoa(i % 2)
				streams[name] = append(streams[name], [2]string{strconv.FormatInt(at, 10), text + " " + strconv.Itoa(i)})
			}
		}
		var result []any
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for k := range streams {
				if !yield(k) {
					return
				}
			}
		}) {
			result = append(result, map[string]any{"stream": map[string]string{"pod": "v", "part": name}, "values": streams[name]})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "streams", "result": result}})
	}))
	defer srv.Close()
	settings := input.Settings{From: begin, To: begin + 3600e9, Temp: t.TempDir()}
	path := srv.URL + `?query=%7Bapp%3D%22vllm%22%2Cpod%3D%22v%22%7D`
	s, err := input.Open(t.Context(), []input.Spec{{Kind: &lokiKind, Path: path}}, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if sum := s.Summaries[0]; sum.Read != n || sum.Kept != 2 || sum.Events != 2 {
		t.Errorf("summary %+v", sum)
	}
	same = true
	if _, err := input.Open(t.Context(), []input.Spec{{Kind: &lokiKind, Path: path}}, settings); err == nil || !strings.Contains(err.Error(), "lines bear the instant 2026-01-01T00:00:00Z") {
		t.Errorf("all at once: %v", err)
	}
	if _, err := input.Open(t.Context(), []input.Spec{{Kind: &lokiKind, Path: srv.URL}}, settings); err == nil || !strings.Contains(err.Error(), "has no query") {
		t.Errorf("without a query: %v", err)
	}
}

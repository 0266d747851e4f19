package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
)

// page is how many documents one search gives.
const page = 2000

var elasticKind = input.Kind{
	Name: "elasticsearch", Things: "lines", Proven: collectors.Documents, By: "a stand-in of the search API of Elasticsearch 8 and OpenSearch 2",
	Help: "Logs of engines in Elasticsearch or OpenSearch: http://HOST:9200/INDEX?q=QUERY for the window, or a file of what _search answered or of hits one a line.",
	Is:   isHit, Options: options, Read: readStore, Fetch: fetchElastic,
}

var hitLine = regexp.MustCompile(`^\s*\{.*"_source"\s*:`)

func isHit(_ string, head []byte) bool { return hitLine.Match(head) || searchBodyHead.Match(head) }

// fetchElastic writes the documents of a window of an index, oldest first, a line each.
func fetchElastic(ctx context.Context, f *input.Fetching, to io.Writer) error {
	at, err := ask.Queried(f.URL, "q")
	if err != nil {
		return err
	}
	index := strings.Trim(at.Path, "/")
	if index == "" {
		return fmt.Errorf("%s names no index: want http://HOST:9200/INDEX", ask.Shown(f.URL))
	}
	i := strings.LastIndexByte(index, '/') + 1
	at.Path = "/" + index[:i]
	out := json.NewEncoder(to)
	return openStore(at, f.Token).readElastic(ctx, index[i:], at.Query().Get("q"), f.From, f.To+1e6, &cursor{}, func(source json.RawMessage) error { return out.Encode(source) })
}

// chosen is the query for the documents of a window [from, to), in Unix ns to the ms.
func chosen(query string, from, to int64) map[string]any {
	filters := []any{map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": from / 1e6, "lt": to / 1e6, "format": "epoch_millis"}}}}
	if query != "" {
		filters = append(filters, map[string]any{"query_string": map[string]any{"query": query}})
	}
	return map[string]any{"bool": map[string]any{"filter": filters}}
}

// A hit is a document that a search found.
type hit struct {
	Index  string            `json:"_index"`
	ID     string            `json:"_id"`
	Source json.RawMessage   `json:"_source"`
	Sort   []json.RawMessage `json:"sort"` // raw: nanoseconds do not fit a float
}

func (h *hit) key() string { return h.Index + "/" + h.ID }

// at is the instant that the hit was sorted by, in the field's own unit, ms or ns.
func (h *hit) at() (int64, error) {
	if h.ID == "" || len(h.Sort) == 0 {
		return 0, errors.New("the answer of a search has a hit without an _id or a sort")
	}
	return strconv.ParseInt(string(h.Sort[0]), 10, 64)
}

// readElastic hands out the documents of the window [from, to) that the cursor has not passed, oldest first, page after page from one point in time. Where nothing
// but the stamp orders the documents, as in OpenSearch, a page begins at the instant at which the one before ended, since more documents may bear it.
func (s *store) readElastic(ctx context.Context, index, query string, from, to int64, c *cursor, take func(source json.RawMessage) error) error {
	pit, drop, err := pointInTime(ctx, s, index)
	if err != nil {
		return err
	}
	defer drop()
	body := map[string]any{"size": page, "pit": map[string]any{"id": pit, "keep_alive": "1m"}, "query": chosen(query, max(from, nanoseconds(c.at)), to),
		"sort": []any{map[string]any{"@timestamp": map[string]any{"order": "asc", "unmapped_type": "date"}}}, "track_total_hits": false}
	first, after := "", int64(0) // key of the first hit of the page before, stamp of its last
	for n := 0; ; {
		var a struct {
			PIT      string `json:"pit_id"`
			TimedOut bool   `json:"timed_out"`
			Shards   struct {
				Total  int `json:"total"`
				Failed int `json:"failed"`
			} `json:"_shards"`
			Hits struct {
				Hits []hit `json:"hits"`
			} `json:"hits"`
		}
		if err := s.ask(ctx, http.MethodPost, "_search", nil, body, &a); err != nil {
			return err
		}
		if a.TimedOut || a.Shards.Failed > 0 {
			return fmt.Errorf("the search is incomplete: timed out %v, %d of %d shards failed", a.TimedOut, a.Shards.Failed, a.Shards.Total)
		}
		hits := a.Hits.Hits
		fresh := 0
		for i := range hits {
			h := &hits[i]
			at, err := h.at()
			if err != nil {
				return err
			}
			if i == 0 && first != "" && (at < after || len(h.Sort) > 1 && h.key() == first) {
				return fmt.Errorf("a page begins with what was read before: the server ignores search_after, so that more than %d documents of a window cannot be had; want a narrower query", page)
			}
			if !c.fresh(at, h.key()) {
				continue
			}
			fresh++
			if err := take(h.Source); err != nil {
				return err
			}
		}
		if n += fresh; n > maxLines {
			return fmt.Errorf("more than %d documents: want a shorter window or a query, as in ?q=kubernetes.pod_name:vllm*", maxLines)
		}
		if len(hits) < page {
			return nil
		}
		last := &hits[len(hits)-1]
		if len(last.Sort) == 1 && fresh == 0 && first != "" {
			return fmt.Errorf("more than %d documents bear the instant %s: want a narrower query", page, time.Unix(0, nanoseconds(c.at)).UTC().Format(time.RFC3339Nano))
		}
		if a.PIT != "" {
			body["pit"] = map[string]any{"id": a.PIT, "keep_alive": "1m"}
		}
		first = hits[0].key()
		after, _ = last.at()
		if body["search_after"] = any(last.Sort); len(last.Sort) == 1 {
			body["search_after"] = []int64{after - 1}
		}
	}
}

// countElastic asks how many documents a window has.
func (s *store) countElastic(ctx context.Context, index, query string, from, to int64) (int64, error) {
	var a struct {
		Count int64 `json:"count"`
	}
	err := s.ask(ctx, http.MethodPost, index+"/_count", nil, map[string]any{"query": chosen(query, from, to)}, &a)
	return a.Count, err
}

// nanoseconds returns an instant of a field of dates, which are sorted by ms, or by ns in a field of finer ones.
func nanoseconds(at int64) int64 {
	if at < 1e16 {
		return at * 1e6
	}
	return at
}

// pointInTime opens a view of an index that does not change while it is read, in Elasticsearch's way or else in OpenSearch's, and returns how to give it back.
func pointInTime(ctx context.Context, s *store, index string) (id string, drop func(), err error) {
	var a struct {
		ID    string `json:"id"`
		PITID string `json:"pit_id"`
	}
	keep := url.Values{"keep_alive": {"1m"}}
	giveBack := func(path string, body any) func() {
		return func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = s.ask(ctx, http.MethodDelete, path, nil, body, nil) // it ends by itself after a minute
		}
	}
	err = s.ask(ctx, http.MethodPost, index+"/_pit", keep, nil, &a)
	if err == nil && a.ID != "" {
		return a.ID, giveBack("_pit", map[string]any{"id": a.ID}), nil
	}
	if err != nil && !refused(err, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed) {
		return "", nil, err
	}
	if err := s.ask(ctx, http.MethodPost, index+"/_search/point_in_time", keep, nil, &a); err != nil {
		return "", nil, err
	}
	return a.PITID, giveBack("_search/point_in_time", map[string]any{"pit_id": []string{a.PITID}}), nil
}

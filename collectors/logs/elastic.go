package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
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

// fetchElastic reads the window of an index, page after page from one point in time, oldest first, and writes each document's source as a line.
func fetchElastic(ctx context.Context, f *input.Fetching, to io.Writer) error {
	at, err := ask.Parse(f.URL)
	if err != nil {
		return err
	}
	index := strings.Trim(at.Path, "/")
	if index == "" {
		return fmt.Errorf("%s names no index: want http://HOST:9200/INDEX", ask.Shown(f.URL))
	}
	i := strings.LastIndexByte(index, '/') + 1
	at.Path = "/" + index[:i]
	s := openStore(at, f.Token)
	filters := []any{map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": f.From / 1e6, "lte": f.To / 1e6, "format": "epoch_millis"}}}}
	if q := at.Query().Get("q"); q != "" {
		filters = append(filters, map[string]any{"query_string": map[string]any{"query": q}})
	}
	pit, drop, err := pointInTime(ctx, s, index[i:])
	if err != nil {
		return err
	}
	defer drop()
	query := map[string]any{"size": page, "pit": map[string]any{"id": pit, "keep_alive": "1m"}, "query": map[string]any{"bool": map[string]any{"filter": filters}},
		"sort": []any{map[string]any{"@timestamp": map[string]any{"order": "asc"}}}, "track_total_hits": false}
	out := json.NewEncoder(to)
	for n := 0; ; {
		var a struct {
			PIT  string `json:"pit_id"`
			Hits struct {
				Hits []struct {
					Source json.RawMessage `json:"_source"`
					Sort   []any           `json:"sort"`
				} `json:"hits"`
			} `json:"hits"`
		}
		if err := s.ask(ctx, http.MethodPost, "_search", nil, query, &a); err != nil {
			return err
		}
		for _, h := range a.Hits.Hits {
			if err := out.Encode(h.Source); err != nil {
				return err
			}
		}
		if n += len(a.Hits.Hits); n > maxLines {
			return fmt.Errorf("more than %d documents: want a shorter window or a query, as in ?q=kubernetes.pod_name:vllm*", maxLines)
		}
		if len(a.Hits.Hits) < page {
			return nil
		}
		if a.PIT != "" {
			query["pit"] = map[string]any{"id": a.PIT, "keep_alive": "1m"}
		}
		query["search_after"] = a.Hits.Hits[len(a.Hits.Hits)-1].Sort
	}
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

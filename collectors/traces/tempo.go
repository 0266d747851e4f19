package traces

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/protofield"
)

const typeProtobuf = "application/protobuf"

// tempo reads from a Grafana Tempo.
type tempo struct {
	*api
	old atomic.Bool // it has no /api/v2
}

// fetchTempo searches the window and writes each trace that it finds as a message with its length before it.
func fetchTempo(ctx context.Context, f *input.Fetching, to io.Writer) error {
	if _, err := ask.Queried(f.URL); err != nil {
		return err
	}
	most, err := limitOf(f.Options["limit"], 1000)
	if err != nil {
		return err
	}
	t := &tempo{api: &api{url: f.URL, token: f.Token, tenant: f.Options["tenant"]}}
	return t.window(ctx, f.Options["query"], f.From, f.To, most, func(msg []byte) error { return framed(to, msg) })
}

// window hands out the traces that a query finds in a window of Unix time, and last what is to be said of them.
func (t *tempo) window(ctx context.Context, query string, from, to int64, most int, take func(msg []byte) error) error {
	seen, told := map[string]bool{}, &fetched{}
	from, to = from/1e9*1e9, (to+1e9-1)/1e9*1e9 // Tempo takes whole seconds
	err := sliced(from, to, 1e9, most, told, func(from, to int64, halves bool) (int, error) {
		ids, err := t.search(ctx, query, from, to, most)
		if err != nil || len(ids) >= most && halves {
			return len(ids), err
		}
		for _, id := range ids {
			if seen[id] {
				continue
			}
			if seen[id] = true; len(seen) > maxFetched {
				return 0, fmt.Errorf("more than %d traces: want a shorter window or a query that chooses fewer", maxFetched)
			}
			msg, partial, err := t.trace(ctx, id)
			switch {
			case err != nil:
				return 0, err
			case msg == nil:
				told.Missing++
				continue
			case partial:
				told.Partial++
			}
			told.Traces++
			if err := take(msg); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
	if err != nil {
		return err
	}
	return take(told.record())
}

// search returns the ids of traces in a window, which is widened to whole seconds.
func (t *tempo) search(ctx context.Context, query string, from, to int64, most int) ([]string, error) {
	if query == "" {
		query = "{}"
	}
	q := url.Values{"q": {query}, "limit": {strconv.Itoa(most)}, "spss": {"1"},
		"start": {strconv.FormatInt(from/1e9, 10)}, "end": {strconv.FormatInt((to+1e9-1)/1e9, 10)}}
	body, _, status, err := t.get(ctx, "/api/search", q, "application/json")
	if err != nil {
		return nil, err
	}
	if status == http.StatusNotFound {
		return nil, fmt.Errorf("GET /api/search: not found: is this the address of a Tempo?")
	}
	var answer struct {
		Traces []struct {
			ID string `json:"traceID"`
		} `json:"traces"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("GET /api/search: %w", err)
	}
	var ids []string
	for _, tr := range answer.Traces {
		if id, hashed := traceID(tr.ID); !hashed && !id.IsZero() {
			ids = append(ids, id.String())
		}
	}
	return ids, nil
}

// trace returns one trace as a message that [readOTLP] reads, nil where the store does not have it, and whether the store says that it is a part.
func (t *tempo) trace(ctx context.Context, id string) (msg []byte, partial bool, err error) {
	if !t.old.Load() {
		body, typ, status, err := t.get(ctx, "/api/v2/traces/"+id, nil, typeProtobuf)
		if err != nil {
			return nil, false, err
		}
		if status == http.StatusOK {
			return opened(body, typ)
		}
	}
	body, _, status, err := t.get(ctx, "/api/traces/"+id, nil, typeProtobuf)
	if err != nil || status == http.StatusNotFound {
		return nil, false, err
	}
	t.old.Store(true)
	return body, false, nil
}

// opened takes the trace out of an answer of v2: its first field, or its member trace, beside which a status may say that it is a part.
func opened(body []byte, contentType string) (msg []byte, partial bool, err error) {
	if strings.HasPrefix(contentType, "application/json") {
		var answer struct {
			Trace  json.RawMessage `json:"trace"`
			Status json.RawMessage `json:"status"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, false, fmt.Errorf("an answer of Tempo: %w", err)
		}
		s := string(answer.Status)
		return answer.Trace, s == `"PARTIAL"` || s == "1", nil
	}
	err = protofield.Each(body, errors.New("an answer of Tempo is no message of protobuf"), func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error {
		switch {
		case field == 1 && kind == protowire.BytesType:
			msg = value
		case field == 3 && kind == protowire.VarintType:
			partial = number == 1
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return msg, partial, nil
}

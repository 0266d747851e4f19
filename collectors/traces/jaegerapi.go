package traces

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
)

// jaegerStore reads from a Jaeger query service.
type jaegerStore struct{ *api }

// fetchJaeger writes the traces of the window, each once, as the query service gives them.
func fetchJaeger(ctx context.Context, f *input.Fetching, to io.Writer) error {
	if _, err := ask.Queried(f.URL); err != nil {
		return err
	}
	most, err := limitOf(f.Options["limit"], 1500)
	if err != nil {
		return err
	}
	j := &jaegerStore{&api{url: f.URL, token: f.Token}}
	var services []string
	if s := f.Options["service"]; s != "" {
		services = []string{s}
	}
	return j.window(ctx, services, f.From, f.To, most, func(msg []byte) error {
		_, err := to.Write(append(msg, '\n'))
		return err
	})
}

// window hands out the traces of services, of all where none is named, and last what is to be said of them.
func (j *jaegerStore) window(ctx context.Context, services []string, from, to int64, most int, take func(msg []byte) error) (err error) {
	if len(services) == 0 {
		if services, err = j.services(ctx); err != nil {
			return err
		}
	}
	seen, told := map[string]bool{}, &fetched{}
	for _, service := range services {
		err := sliced(from, to, minSlice, most, told, func(from, to int64, halves bool) (int, error) {
			found, err := j.traces(ctx, "/api/traces", url.Values{"service": {service}, "limit": {strconv.Itoa(most)},
				"start": {strconv.FormatInt(from/1000, 10)}, "end": {strconv.FormatInt(to/1000, 10)}})
			if err != nil || len(found) >= most && halves {
				return len(found), err
			}
			for _, raw := range found {
				var t struct {
					ID string `json:"traceID"`
				}
				if json.Unmarshal(raw, &t) != nil || seen[t.ID] {
					continue
				}
				if seen[t.ID] = true; len(seen) > maxFetched {
					return 0, fmt.Errorf("more than %d traces: want a shorter window or one service", maxFetched)
				}
				told.Traces++
				if err := take(raw); err != nil {
					return 0, err
				}
			}
			return len(found), nil
		})
		if err != nil {
			return err
		}
	}
	return take(told.record())
}

func (j *jaegerStore) services(ctx context.Context) ([]string, error) {
	body, _, status, err := j.get(ctx, "/api/services", nil, "application/json")
	if err != nil {
		return nil, err
	}
	if status == http.StatusNotFound {
		return nil, fmt.Errorf("GET /api/services: not found: is this the address of a Jaeger query service?")
	}
	var answer struct {
		Data []string `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("GET /api/services: %w", err)
	}
	return answer.Data, nil
}

// traces returns the traces of an answer. None where the store has none.
func (j *jaegerStore) traces(ctx context.Context, path string, q url.Values) ([]json.RawMessage, error) {
	body, _, status, err := j.get(ctx, path, q, "application/json")
	if err != nil || status == http.StatusNotFound {
		return nil, err
	}
	var answer struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	return answer.Data, nil
}

package promapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/assay-dev/assay/internal/ask"
)

// MaxPoints is how many points of a series a server gives in one answer.
const MaxPoints = 11_000

const maxRange = 32 << 20

// ErrMore says that an answer is too large: ask for less at once.
var ErrMore = ask.ErrMore

// Values returns the values of a label that any series had between two instants, sorted by the server.
func (c *Client) Values(ctx context.Context, label string, from, to time.Time) ([]string, error) {
	var out []string
	path := "/api/v1/label/" + url.PathEscape(label) + "/values?" + url.Values{"start": {unix(from)}, "end": {unix(to)}}.Encode()
	if err := c.get(ctx, path, &out); err != nil {
		return nil, fmt.Errorf("ask %s for the values of %s: %w", ask.Shown(c.URL), label, err)
	}
	return out, nil
}

// Range evaluates an expression at each step between two instants, both included, and returns the answer as it came, once it is known to be one.
func (c *Client) Range(ctx context.Context, promql string, from, to time.Time, step time.Duration) (json.RawMessage, error) {
	form := url.Values{"query": {promql}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)}}.Encode()
	status, b, err := (*ask.Server)(c).Do(ctx, http.MethodPost, "/api/v1/query_range", "application/x-www-form-urlencoded", []byte(form), maxRange)
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s: %w", ask.Shown(c.URL), promql, err)
	}
	var r result
	if err := parse(b, status, &r); err != nil {
		return nil, fmt.Errorf("ask %s for %s: %w", ask.Shown(c.URL), promql, err)
	}
	if r.Type != "matrix" {
		return nil, fmt.Errorf("ask %s for %s: the answer is a %s: want a matrix", ask.Shown(c.URL), promql, r.Type)
	}
	return b, nil
}

// unix writes an instant as Unix seconds with milliseconds.
func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
)

// lokiPage is how many lines one query gives: Loki's own bound unless it was set otherwise.
const lokiPage = 5000

var lokiKind = input.Kind{
	Name: "loki", Things: "lines", Proven: collectors.Documents, By: "a stand-in of Loki's query_range",
	Help: "Logs of engines in Loki: http://HOST:3100?query=LOGQL for the window (commas in it as %2C), or a file of what query_range answered or logcli --output=jsonl writes.",
	Is:   isLokiBody, Options: options, Read: readStore, Fetch: fetchLoki,
}

// A lokiLine is a line with its stream, as logcli writes it.
type lokiLine struct {
	Timestamp string            `json:"timestamp"`
	Labels    map[string]string `json:"labels"`
	Line      string            `json:"line"`

	at int64
}

// fetchLoki writes the lines of a window, oldest first.
func fetchLoki(ctx context.Context, f *input.Fetching, to io.Writer) error {
	at, err := ask.Parse(f.URL)
	if err != nil {
		return err
	}
	query := at.Query().Get("query")
	if query == "" {
		return fmt.Errorf(`%s has no query: want http://HOST:3100?query={app="vllm"}`, ask.Shown(f.URL))
	}
	if _, err := ask.Queried(f.URL, "query"); err != nil {
		return err
	}
	out := json.NewEncoder(to)
	return openStore(at, f.Token).readLoki(ctx, query, f.From, f.To+1, &cursor{}, func(l *lokiLine) error { return out.Encode(l) })
}

// readLoki hands out the lines of the window [from, to) of a query that the cursor has not passed, oldest first. A page begins at the instant at which the one before
// ended, since more lines may bear it, and as a server may give fewer lines than it is asked for, only a page without a new one is the last.
func (s *store) readLoki(ctx context.Context, query string, from, to int64, c *cursor, take func(*lokiLine) error) error {
	for n := 0; ; {
		lines, err := s.lines(ctx, query, max(from, c.at), to)
		if err != nil {
			return err
		}
		fresh := 0
		for i := range lines {
			l := &lines[i]
			if l.at < from || l.at >= to {
				return fmt.Errorf("query_range gives a line of %s: it heeds neither start nor end", time.Unix(0, l.at).UTC().Format(time.RFC3339Nano))
			}
			if !c.fresh(l.at, l.key()) {
				continue
			}
			fresh++
			if err := take(l); err != nil {
				return err
			}
		}
		if n += fresh; n > maxLines {
			return fmt.Errorf("more than %d lines: want a shorter window or a narrower query", maxLines)
		}
		switch {
		case fresh > 0:
		case len(lines) < lokiPage:
			return nil
		case lines[0].at < c.at:
			return fmt.Errorf("a page begins with what was read before: the server does not heed start, so that more than %d lines of a window cannot be had; want a narrower query", lokiPage)
		default:
			return fmt.Errorf("more than %d lines bear the instant %s: want a narrower query", lokiPage, time.Unix(0, c.at).UTC().Format(time.RFC3339Nano))
		}
	}
}

// countLoki asks how many lines a query has in the window [from, to).
func (s *store) countLoki(ctx context.Context, query string, from, to int64) (int64, error) {
	var a struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	q := url.Values{"query": {fmt.Sprintf("sum(count_over_time(%s[%dms]))", query, (to-from)/1e6)}, "time": {strconv.FormatInt(to-1, 10)}} // a range holds its end and not its begin
	if err := s.ask(ctx, http.MethodGet, "loki/api/v1/query", q, nil, &a); err != nil || len(a.Data.Result) == 0 {
		return 0, err
	}
	text, _ := a.Data.Result[0].Value[1].(string)
	return strconv.ParseInt(text, 10, 64)
}

func (l *lokiLine) key() string {
	b, _ := json.Marshal(l.Labels)
	return string(b) + l.Line
}

// lines asks for one page.
func (s *store) lines(ctx context.Context, query string, from, to int64) ([]lokiLine, error) {
	var a lokiAnswer
	q := url.Values{"query": {query}, "start": {strconv.FormatInt(from, 10)}, "end": {strconv.FormatInt(to, 10)}, "limit": {strconv.Itoa(lokiPage)}, "direction": {"forward"}}
	if err := s.ask(ctx, http.MethodGet, "loki/api/v1/query_range", q, nil, &a); err != nil {
		return nil, err
	}
	lines, _, err := a.lines()
	return lines, err
}

// A lokiAnswer is what query_range gives.
type lokiAnswer struct {
	Data struct {
		Type   string `json:"resultType"`
		Result []struct {
			Stream map[string]string   `json:"stream"`
			Values [][]json.RawMessage `json:"values"`
		} `json:"result"`
	} `json:"data"`
}

// lines returns the lines of all streams, oldest first, and how many could not be read.
func (a *lokiAnswer) lines() (out []lokiLine, unread int64, err error) {
	if a.Data.Type != "streams" {
		return nil, 0, fmt.Errorf("the query gives %q: want one that gives lines and not numbers", a.Data.Type)
	}
	for _, r := range a.Data.Result {
		for _, v := range r.Values {
			var stamp string
			l := lokiLine{Labels: r.Stream}
			if len(v) < 2 || json.Unmarshal(v[0], &stamp) != nil || json.Unmarshal(v[1], &l.Line) != nil {
				unread++
				continue
			}
			at, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil {
				unread++
				continue
			}
			l.at, l.Timestamp = at, time.Unix(0, at).UTC().Format(time.RFC3339Nano)
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b lokiLine) int { return cmp.Compare(a.at, b.at) })
	return out, unread, nil
}

package logs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// maxBody bounds one answer of a store that was saved as it came.
const maxBody = 64 << 20

var (
	lokiBodyHead   = regexp.MustCompile(`(?s)^\s*\{.{0,1000}"resultType"\s*:\s*"streams"`)
	searchBodyHead = regexp.MustCompile(`(?s)^\s*\{.{0,1000}"hits"\s*:\s*\{.*"_source"\s*:`)
)

func isLokiBody(_ string, head []byte) bool { return lokiBodyHead.Match(head) }

// readStore reads what a store of logs answered, as it came, or one line each.
func readStore(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	head, err := in.Peek()
	if err != nil {
		return err
	}
	var split func(json.RawMessage) (lines [][]byte, unread int64, err error)
	switch {
	case lokiBodyHead.Match(head):
		split = splitLoki
	case searchBodyHead.Match(head) && !oneHit(head):
		split = splitSearch
	default:
		return readLogs(ctx, in, emit)
	}
	li, err := newLines(in, emit)
	if err != nil {
		return err
	}
	in.Limit(maxBody)
	for dec := json.NewDecoder(in.File); ; in.Row() {
		var body json.RawMessage
		if err := dec.Decode(&body); errors.Is(err, io.EOF) {
			return li.end(in.Tally)
		} else if err != nil {
			return fmt.Errorf("%s: %w: want answers of the store as they came, each of at most %d MiB", in.Path, err, maxBody>>20)
		}
		lines, unread, err := split(body)
		if err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
		if unread > 0 {
			in.Tally.Reject("no line with an instant in the answer", unread)
		}
		for _, l := range lines {
			if err := li.take(l); err != nil {
				return fmt.Errorf("%s: %w", in.Path, err)
			}
		}
	}
}

// oneHit reports whether the first line of a file is a hit by itself, as people cut them out of an answer.
func oneHit(head []byte) bool {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	var hit struct {
		Source json.RawMessage `json:"_source"`
	}
	return json.Unmarshal(first, &hit) == nil && hit.Source != nil
}

// splitLoki returns the lines of an answer of query_range, oldest first.
func splitLoki(body json.RawMessage) (out [][]byte, unread int64, err error) {
	var a lokiAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, 0, err
	}
	lines, unread, err := a.lines()
	for i := range lines {
		b, err := json.Marshal(&lines[i])
		if err != nil {
			return nil, 0, err
		}
		out = append(out, b)
	}
	return out, unread, err
}

// splitSearch returns the documents of an answer of _search, oldest first: it sorts them by how well they match.
func splitSearch(body json.RawMessage) (out [][]byte, unread int64, err error) {
	var a struct {
		Hits struct {
			Hits []struct {
				Source json.RawMessage `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, 0, err
	}
	type document struct {
		at   int64
		line []byte
	}
	var all []document
	for _, h := range a.Hits.Hits {
		var s struct {
			At string `json:"@timestamp"`
		}
		if h.Source == nil {
			unread++
			continue
		}
		d := document{line: bytes.ReplaceAll(h.Source, []byte("\n"), []byte(" "))} // between members only: within text it is escaped
		if json.Unmarshal(h.Source, &s) == nil {
			if t, err := time.Parse(time.RFC3339, s.At); err == nil {
				d.at = t.UnixNano()
			}
		}
		all = append(all, d)
	}
	slices.SortStableFunc(all, func(a, b document) int { return cmp.Compare(a.at, b.at) })
	for _, d := range all {
		out = append(out, d.line)
	}
	return out, unread, nil
}

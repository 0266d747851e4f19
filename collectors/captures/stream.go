package captures

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/sse"
)

const (
	phase    = "recorded" // of requests that were caught
	maxNames = 253        // bytes of an instance's name
	maxToken = 1 << 20    // arrivals of one answer
)

// A chunk is what matters of one event of an answer in OpenAI's form.
type chunk struct {
	ID      string          `json:"id"`
	Error   json.RawMessage `json:"error"`
	Choices []struct {
		Text    string  `json:"text"`
		Delta   message `json:"delta"`
		Message message `json:"message"`
		Finish  *string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		In  int32 `json:"prompt_tokens"`
		Out int32 `json:"completion_tokens"`
	} `json:"usage"`
}

type message struct {
	Content   any    `json:"content"`
	Reasoning string `json:"reasoning_content"`
	Thinking  string `json:"reasoning"`
	Refusal   string `json:"refusal"`
	Calls     []any  `json:"tool_calls"`
}

// says reports whether a message brings something that the user sees.
func (m *message) says() bool {
	return m.Content != nil && m.Content != "" || m.Reasoning != "" || m.Thinking != "" || m.Refusal != "" || len(m.Calls) > 0
}

// An answer is one that is being read.
type answer struct {
	assay.Request
	id       string
	begin    int64
	last     int64 // of its last line
	finished bool  // a choice gave its reason to finish
	done     bool  // the mark at the end came
	failed   bool  // it tells an error
	lines    int64
}

// A catch reads one capture.
type catch struct {
	in       *input.Input
	emit     func(assay.Record) error
	feed     *feed
	head     head
	sent     int64
	now      *answer
	requests int
	begin    int64
	end      int64
}

func readStream(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	c := &catch{in: in, emit: emit}
	c.feed = &feed{lines: input.Lines{File: in.File}, tally: in.Tally, head: c.head.line}
	if text := in.Option("sent"); text != "" {
		var ok bool
		if c.sent, _, ok = in.Instant(text, 1e9); !ok || c.sent <= 0 {
			return fmt.Errorf("%s: sent %q: want a date, or a number of seconds since 1970", in.Path, text)
		}
	}
	if path := in.Option("headers"); path != "" {
		if err := c.head.read(path); err != nil {
			return err
		}
	}
	r := sse.NewReader(c.feed, func() int64 { return c.feed.at })
	for n := 0; ; n++ {
		var e sse.Event
		err := r.Next(&e)
		if err == io.EOF {
			return c.over()
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", in.Path, c.feed.lines.N, err)
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.event(&e); err != nil {
			return err
		}
	}
}

// event takes one event.
func (c *catch) event(e *sse.Event) error {
	lines := c.feed.counted()
	if string(e.Data) == "[DONE]" {
		if c.now == nil {
			c.in.Tally.Reject("the end of an answer that is not here", lines)
			return nil
		}
		c.now.done, c.now.last = true, e.At
		c.now.lines += lines
		return c.finish()
	}
	var k chunk
	if json.Unmarshal(e.Data, &k) != nil {
		c.in.Tally.Reject("an event that is no chunk of an answer", lines)
		return nil
	}
	if c.now != nil && (k.ID != "" && c.now.id != "" && k.ID != c.now.id) {
		if err := c.finish(); err != nil {
			return err
		}
	}
	if c.now == nil {
		c.now = &answer{id: k.ID, begin: e.At}
	}
	a := c.now
	a.last = e.At
	a.lines += lines
	if a.id == "" {
		a.id = k.ID
	}
	a.take(&k, e.At)
	return nil
}

// take goes on by one chunk.
func (a *answer) take(k *chunk, at int64) {
	if len(k.Error) > 0 && string(k.Error) != "null" {
		a.failed = true
	}
	says := false
	for i := range k.Choices {
		o := &k.Choices[i]
		says = says || o.Text != "" || o.Delta.says() || o.Message.says()
		a.finished = a.finished || o.Finish != nil && *o.Finish != ""
	}
	if says && len(a.Arrivals) < maxToken {
		a.Arrivals = append(a.Arrivals, at)
	}
	if k.Usage != nil {
		a.TokensIn, a.TokensOut = max(a.TokensIn, k.Usage.In), max(a.TokensOut, k.Usage.Out)
	}
}

// finish emits the answer that is being read.
func (c *catch) finish() error {
	a := c.now
	c.now = nil
	c.requests++
	r := &a.Request
	r.Phase, r.NoSchedule, r.Due = phase, true, a.begin
	r.Instance = c.in.Option("instance")
	if c.requests == 1 {
		if r.Instance == "" {
			r.Instance = c.head.instance
		}
		r.Status = c.head.status
		if c.feed.first < a.begin && c.feed.first > 0 {
			r.Due = c.feed.first
		}
	}
	if c.requests == 1 && c.sent != 0 {
		if c.sent > r.Due {
			return fmt.Errorf("%s: sent %s: the first line came %.3f s before", c.in.Path, c.in.Option("sent"), float64(c.sent-r.Due)/1e9)
		}
		r.FirstByte, r.End = r.Due, a.last
		r.Due, r.Sent = c.sent, c.sent
		if len(r.Arrivals) > 0 {
			r.FirstToken = r.Arrivals[0]
		}
	} else {
		c.in.Tally.Note("%d answers do not say when they were asked for: neither the time to the first token nor the whole time is known; sent= says it", 1)
	}
	if r.TokensOut == 0 {
		r.TokensOut = int32(len(r.Arrivals))
	}
	switch {
	case a.failed:
		r.Outcome, r.Error = assay.ServerError, "an error in the stream"
	case r.Status != 0 && assay.OutcomeOf(int(r.Status), false) != assay.OK:
		r.Outcome = assay.OutcomeOf(int(r.Status), false)
	case a.done || a.finished:
		r.Outcome = assay.OK
	default:
		c.in.Tally.Note("%d answers have no end: whether they were cut, or their capture, is not known", 1)
	}
	c.in.Tally.Keep(a.lines)
	if c.begin == 0 || r.Due < c.begin {
		c.begin = r.Due
	}
	c.end = max(c.end, a.last)
	return c.emit(r)
}

// over ends the reading.
func (c *catch) over() error {
	if c.now != nil {
		if err := c.finish(); err != nil {
			return err
		}
	}
	if n := c.feed.counted(); n > 0 {
		c.in.Tally.Reject("lines that are no event", n)
	}
	switch {
	case c.requests > 0:
	case c.in.Tally.Rejected["no stamp before the line"] > 0 && c.in.Tally.Kept == 0 && looksLikeHead(c.in.Path):
		return fmt.Errorf("%s: it is the head of an answer and has no times: want the stream itself, and this beside it: --stream STREAM,headers=%s", c.in.Path, c.in.Path)
	default:
		return nil
	}
	return errors.Join(
		c.emit(&assay.Event{Time: c.begin, Kind: assay.EventPhaseBegin, Source: "import", Phase: phase, Attrs: map[string]string{"role": string(assay.RoleSteady)}}),
		c.emit(&assay.Event{Time: c.end, Kind: assay.EventPhaseEnd, Source: "import", Phase: phase}))
}

func looksLikeHead(path string) bool {
	f, err := input.OpenFile(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b, _ := f.Peek()
	return strings.HasPrefix(string(b), "HTTP/")
}

package engine

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// writeDeadline is how long one write to a client may take; one that reads nothing for so long is gone.
const writeDeadline = time.Minute

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	TotalTokens      int `json:"total_tokens"`
	CompletionTokens int `json:"completion_tokens"`
}

// A stream writes the events of one answer, one for each token. The parts
// that do not change are rendered once.
type stream struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	e     *endpoint
	head  string // up to the choices
	tail  string // after the choices
	words []string
	buf   []byte
	count int
}

func newStream(w http.ResponseWriter, e *endpoint, id string, created int64, model string, withUsage bool, words []string) *stream {
	name, _ := json.Marshal(model)
	s := &stream{w: w, ctl: http.NewResponseController(w), e: e, words: words, tail: "}\n\n"}
	s.head = fmt.Sprintf(`data: {"id":%q,"object":%q,"created":%d,"model":%s,"choices":[`, id, e.chunk, created, name)
	if withUsage {
		s.tail = ",\"usage\":null}\n\n"
	}
	return s
}

// add renders the event of one token; the last one carries the finish reason. flush sends what was added.
func (s *stream) add(id int32, last bool) {
	if s.count == 0 && s.e.first != "" {
		s.event(s.e.first, false)
	}
	word := s.words[id]
	if s.count == 0 {
		word = word[1:] // no leading space
	}
	s.count++
	s.event(s.e.open+strconv.Quote(word)+s.e.close, last)
}

func (s *stream) event(content string, last bool) {
	s.buf = append(append(s.buf, s.head...), `{"index":0,`...)
	s.buf = append(append(s.buf, content...), `,"logprobs":null,"finish_reason":`...)
	if last {
		s.buf = append(s.buf, `"length"}]`...)
	} else {
		s.buf = append(s.buf, `null}]`...)
	}
	s.buf = append(s.buf, s.tail...)
}

// end renders the event with usage, if wanted, and the end mark.
func (s *stream) end(u *usage) {
	if u != nil {
		b, _ := json.Marshal(u)
		s.buf = append(append(append(append(s.buf, s.head...), `],"usage":`...), b...), "}\n\n"...)
	}
	s.buf = append(s.buf, "data: [DONE]\n\n"...)
}

// fail renders an error inside a stream that has begun.
func (s *stream) fail(message string) {
	s.buf = fmt.Appendf(s.buf, "data: {\"error\":{\"message\":%q,\"type\":\"ServiceUnavailableError\",\"param\":null,\"code\":\"stopping\"}}\n\n", message)
}

func (s *stream) start() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	s.w.WriteHeader(http.StatusOK)
}

func (s *stream) flush() error {
	_ = s.ctl.SetWriteDeadline(time.Now().Add(writeDeadline)) // an error means a connection without deadlines
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil {
		return err
	}
	return s.ctl.Flush()
}

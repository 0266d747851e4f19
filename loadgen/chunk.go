package loadgen

import (
	"bytes"
	"encoding/json"
)

// chunk is what matters of one JSON text of an answer: a chunk of a stream, a whole answer or an error.
type chunk struct {
	choices  bool // it has at least one choice
	content  bool // a choice brings text, reasoning, a refusal or a tool call
	finished bool // a choice gives its reason to finish
	usage    bool // it counts tokens
	in, out  int32
	failure  bool   // it has an error
	code     int    // status-like code of the error, 0 if it has none
	text     []byte // raw message of the error
}

// parse reads b, which must be one JSON object.
func (c *chunk) parse(b []byte) bool {
	*c = chunk{}
	s := scan{b: b}
	if !s.open('{') {
		return false
	}
	for first := true; ; first = false {
		key, more, ok := s.key(first)
		if !ok {
			return false
		}
		if !more {
			return s.end()
		}
		switch string(key) {
		case "choices":
			ok = c.readChoices(&s)
		case "usage":
			ok = c.readUsage(&s)
		case "error":
			ok = c.readError(&s)
		default:
			ok = s.skip()
		}
		if !ok {
			return false
		}
	}
}

func (c *chunk) readChoices(s *scan) bool {
	if s.next() != '[' {
		return s.skip()
	}
	if !s.open('[') {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.more(first, ']')
		if !ok || !more {
			return ok
		}
		c.choices = true
		if !c.readChoice(s) {
			return false
		}
	}
}

func (c *chunk) readChoice(s *scan) bool {
	if s.next() != '{' {
		return s.skip()
	}
	if !s.open('{') {
		return false
	}
	for first := true; ; first = false {
		key, more, ok := s.key(first)
		if !ok || !more {
			return ok
		}
		yes := false
		switch string(key) {
		case "delta", "message":
			ok = c.readMessage(s)
		case "text":
			yes, ok = s.filled()
			c.content = c.content || yes
		case "finish_reason":
			yes, ok = s.filled()
			c.finished = c.finished || yes
		default:
			ok = s.skip()
		}
		if !ok {
			return false
		}
	}
}

func (c *chunk) readMessage(s *scan) bool {
	if s.next() != '{' {
		return s.skip()
	}
	if !s.open('{') {
		return false
	}
	for first := true; ; first = false {
		key, more, ok := s.key(first)
		if !ok || !more {
			return ok
		}
		switch string(key) {
		case "content", "reasoning_content", "reasoning", "refusal":
			var yes bool
			yes, ok = s.filled()
			c.content = c.content || yes
		case "tool_calls", "function_call":
			kind := s.next()
			from := s.i
			ok = s.skip()
			c.content = c.content || kind != 'n' && ok && s.i-from > 2 // neither null nor empty
		default:
			ok = s.skip()
		}
		if !ok {
			return false
		}
	}
}

func (c *chunk) readUsage(s *scan) bool {
	if s.next() != '{' {
		return s.skip()
	}
	if !s.open('{') {
		return false
	}
	for first := true; ; first = false {
		key, more, ok := s.key(first)
		if !ok || !more {
			return ok
		}
		name := string(key)
		if t := s.next(); (name == "prompt_tokens" || name == "completion_tokens") && digit(t) {
			v, whole, ok := s.number()
			if !ok {
				return false
			}
			if whole {
				c.usage = true
				if name == "prompt_tokens" {
					c.in = int32(v)
				} else {
					c.out = int32(v)
				}
			}
			continue
		}
		if !s.skip() {
			return false
		}
	}
}

// readError reads the error object that engines send in a body or in the middle of a stream.
func (c *chunk) readError(s *scan) bool {
	switch s.next() {
	case 'n':
		return s.skip()
	case '"':
		text, ok := s.text()
		c.failure, c.text = true, text
		return ok
	case '{':
	default:
		c.failure = true
		return s.skip()
	}
	c.failure = true
	if !s.open('{') {
		return false
	}
	for first := true; ; first = false {
		key, more, ok := s.key(first)
		if !ok || !more {
			return ok
		}
		t := s.next()
		switch name := string(key); {
		case name == "message" && t == '"':
			c.text, ok = s.text()
		case name == "code" && digit(t):
			v, _, good := s.number()
			c.code, ok = int(v), good
		default:
			ok = s.skip()
		}
		if !ok {
			return false
		}
	}
}

// message returns the error's text without escapes.
func (c *chunk) message() string {
	var text string
	if json.Unmarshal(bytes.Join([][]byte{nil, c.text, nil}, []byte{'"'}), &text) != nil {
		return ""
	}
	return text
}

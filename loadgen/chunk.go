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
	said     []byte // raw text of the first choice, without its reasoning
	model    []byte // raw name of the model
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
		case "model":
			c.model, ok = s.string()
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
			ok = c.readText(s)
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

// readText reads what a choice says.
func (c *chunk) readText(s *scan) bool {
	text, ok := s.string()
	if len(text) > 0 {
		c.content = true
		if c.said == nil {
			c.said = text
		}
	}
	return ok
}

// readAside reads text that counts as content and is not what the answer says.
func (c *chunk) readAside(s *scan) bool {
	yes, ok := s.filled()
	c.content = c.content || yes
	return ok
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
		case "content":
			ok = c.readText(s)
		case "reasoning_content", "reasoning", "refusal", "thinking":
			ok = c.readAside(s)
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
func (c *chunk) message() string { return unquote(c.text) }

// unquote returns the text of the inside of a JSON string, "" if it is none.
func unquote(raw []byte) string {
	var text string
	if json.Unmarshal(bytes.Join([][]byte{nil, raw, nil}, []byte{'"'}), &text) != nil {
		return ""
	}
	return text
}

package faultproxy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
)

// Kinds of answer.
const (
	notStream = iota
	eventStream
	lineStream
)

func streamKind(contentType string) int {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return notStream
	}
	switch t {
	case "text/event-stream":
		return eventStream
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return lineStream
	}
	return notStream
}

// maxMessage bounds one message of a stream. A longer one is passed on in parts that are no tokens.
const maxMessage = 1 << 20

// stream relays a stream and hurts it as the conditions say.
func (x *exchange) stream(body io.Reader, kind int) {
	rc := http.NewResponseController(x.w)
	if rc.Flush() != nil {
		return
	}
	c := &x.s.Conditions
	if x.cut() {
		return
	}
	src := bufio.NewReaderSize(body, 16<<10)
	var msg []byte
	for {
		var err error
		msg, err = message(src, kind, msg[:0])
		token := isToken(msg, kind)
		if token {
			x.tokens++
		}
		switch {
		case token && c.Mode == Slow:
			if x.tokens == 1 {
				x.hit()
			}
			if !x.wait(c.Delay) {
				return
			}
		case token && c.Mode == Corrupt && x.tokens == c.Tokens:
			x.hit()
			msg = corrupt(msg)
		}
		if len(msg) > 0 {
			if _, err := x.w.Write(msg); err != nil || rc.Flush() != nil {
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			x.broke(err)
			return
		}
		if token && x.cut() {
			return
		}
	}
}

// cut ends or holds the stream if it has had its tokens. It returns true if the exchange is over.
func (x *exchange) cut() bool {
	c := &x.s.Conditions
	if x.tokens != c.Tokens {
		return false
	}
	switch c.Mode {
	case FIN, RST:
		x.hit()
		x.end(c.Mode == FIN)
		return true
	case Stall:
		x.hit()
		return !x.wait(0)
	}
	return false
}

// message appends the next message of src to msg, its end included: an event up to its empty line, or a line. With an
// error it returns what came before it.
func message(src *bufio.Reader, kind int, msg []byte) ([]byte, error) {
	for {
		begin := len(msg)
		for {
			part, err := src.ReadSlice('\n')
			msg = append(msg, part...)
			if err == nil || len(msg) >= maxMessage {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return msg, err
			}
		}
		if kind == lineStream || len(msg) >= maxMessage || len(bytes.TrimRight(msg[begin:], "\r\n")) == 0 {
			return msg, nil
		}
	}
}

// payload returns the JSON of a message: a line itself, or the data of an event, where it is on one line.
func payload(msg []byte, kind int) []byte {
	if kind == lineStream {
		return bytes.TrimSpace(msg)
	}
	for line := range bytes.Lines(msg) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			return bytes.TrimSpace(data)
		}
	}
	return nil
}

// texts is where the dialects of model servers put the text of a token.
type texts struct {
	Choices []struct {
		Text  string `json:"text"`
		Delta struct {
			Content   string `json:"content"`
			Reasoning string `json:"reasoning_content"`
		} `json:"delta"`
	} `json:"choices"`
	Token struct {
		Text string `json:"text"`
	} `json:"token"`
	Message struct {
		Content string `json:"content"`
	} `json:"message"`
	Response   string `json:"response"`
	TextOutput string `json:"text_output"`
}

// isToken reports whether a message carries text. One whose JSON has none of the known places is taken for
// a token, since there is nothing better to count.
func isToken(msg []byte, kind int) bool {
	data := payload(msg, kind)
	if len(data) == 0 || string(data) == "[DONE]" {
		return false
	}
	var t texts
	var known map[string]json.RawMessage
	if json.Unmarshal(data, &t) != nil || json.Unmarshal(data, &known) != nil {
		return true
	}
	for _, c := range t.Choices {
		if c.Text != "" || c.Delta.Content != "" || c.Delta.Reasoning != "" {
			return true
		}
	}
	if t.Token.Text != "" || t.Message.Content != "" || t.Response != "" || t.TextOutput != "" {
		return true
	}
	for _, k := range []string{"choices", "token", "message", "response", "text_output"} {
		if known[k] != nil {
			return false
		}
	}
	return true
}

// corrupt breaks the JSON of a message off in its middle; the frame around it stays whole.
func corrupt(msg []byte) []byte {
	end := len(bytes.TrimRight(msg, "\r\n"))
	begin := max(0, bytes.LastIndex(msg[:end], []byte("data:"))+len("data:"))
	if begin > end || !bytes.Contains(msg[:end], []byte("data:")) {
		begin = 0
	}
	middle := begin + (end-begin)/2
	return append(append([]byte(nil), msg[:middle]...), msg[end:]...)
}

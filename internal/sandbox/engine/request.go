package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
)

// An endpoint is one of the two ways to ask for tokens.
type endpoint struct {
	path, operation    string // operation as in gen_ai.operation.name
	idPrefix           string
	object, chunk      string // object names of the whole answer and of one event
	defaultTokens      int
	prompt             func(b *body, vocab int) ([]int32, *apiError)
	open, close, first string // JSON around a piece of text in an event; first is the event before the first piece, if any
}

var (
	chat = &endpoint{path: "/v1/chat/completions", operation: "chat", idPrefix: "chatcmpl-", object: "chat.completion",
		chunk: "chat.completion.chunk", defaultTokens: 128, prompt: chatPrompt,
		open: `"delta":{"content":`, close: `}`, first: `"delta":{"role":"assistant","content":""}`}
	completion = &endpoint{path: "/v1/completions", operation: "text_completion", idPrefix: "cmpl-", object: "text_completion",
		chunk: "text_completion", defaultTokens: 16, prompt: completionPrompt, open: `"text":`}
)

// body is what is read of a request; all else is accepted and has no effect.
type body struct {
	Model               string          `json:"model"`
	Messages            []message       `json:"messages"`
	Prompt              json.RawMessage `json:"prompt"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	Seed                *int64          `json:"seed"`
	N                   *int            `json:"n"`
	Stream              bool            `json:"stream"`
	StreamOptions       *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// An ask is a request that was understood.
type ask struct {
	prompt      []int32
	maxTokens   int // 0 when the client did not say
	temperature float64
	seed        uint64
	stream      bool
	usage       bool // a last event with usage is wanted
}

// decodeAsk reads a request body. modelName is what the request may name, or leave out.
func decodeAsk(r io.Reader, e *endpoint, vocab int, modelName string) (*ask, *apiError) {
	var b body
	dec := json.NewDecoder(r)
	if err := dec.Decode(&b); err != nil {
		return nil, bodyError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			return nil, badRequest("", "the body has more than one JSON value")
		}
		return nil, bodyError(err)
	}
	if b.Model != "" && b.Model != modelName {
		return nil, &apiError{status: 404, kind: "NotFoundError", param: "model", code: "model_not_found",
			message: fmt.Sprintf("The model %q does not exist; this worker serves %q.", clip(b.Model), modelName)}
	}
	if b.N != nil && *b.N != 1 {
		return nil, badRequest("n", "n must be 1")
	}
	a := &ask{stream: b.Stream, usage: b.Stream && b.StreamOptions != nil && b.StreamOptions.IncludeUsage, temperature: 1}
	if b.Temperature != nil {
		if a.temperature = *b.Temperature; a.temperature < 0 || a.temperature > 2 {
			return nil, badRequest("temperature", "temperature must be 0 to 2")
		}
	}
	for name, v := range map[string]*int{"max_tokens": b.MaxTokens, "max_completion_tokens": b.MaxCompletionTokens} {
		if v != nil && *v < 1 {
			return nil, badRequest(name, fmt.Sprintf("%s must be at least 1, got %d", name, *v))
		}
	}
	if b.MaxTokens != nil {
		a.maxTokens = *b.MaxTokens
	}
	if b.MaxCompletionTokens != nil {
		a.maxTokens = *b.MaxCompletionTokens
	}
	var fault *apiError
	if a.prompt, fault = e.prompt(&b, vocab); fault != nil {
		return nil, fault
	}
	if b.Seed != nil {
		a.seed = uint64(*b.Seed)
	} else {
		a.seed = promptSeed(a.prompt)
	}
	return a, nil
}

func promptSeed(prompt []int32) uint64 {
	h := fnv.New64a()
	for _, t := range prompt {
		h.Write([]byte{byte(t), byte(t >> 8), byte(t >> 16), byte(t >> 24)})
	}
	return h.Sum64()
}

func chatPrompt(b *body, vocab int) ([]int32, *apiError) {
	if len(b.Messages) == 0 {
		return nil, badRequest("messages", "messages must hold at least one message")
	}
	ids := []int32{tokenBegin}
	for i, m := range b.Messages {
		text, err := contentText(m.Content)
		if err != nil {
			return nil, badRequest("messages", fmt.Sprintf("messages[%d].content: %v", i, err))
		}
		if m.Role == "" {
			return nil, badRequest("messages", fmt.Sprintf("messages[%d].role is empty", i))
		}
		ids = append(appendTokens(append(ids, tokenRole), text, vocab), tokenEnd)
	}
	return append(ids, tokenAssistant), nil
}

// contentText returns the text of a message: a string, null, or a list of text parts.
func contentText(raw json.RawMessage) (string, error) {
	var text string
	if len(raw) == 0 || json.Unmarshal(raw, &text) == nil {
		return text, nil // null leaves text empty
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", fmt.Errorf("must be a string or a list of text parts")
	}
	var all strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return "", fmt.Errorf("part of type %q: only text is served", clip(p.Type))
		}
		all.WriteString(p.Text)
		all.WriteByte(' ')
	}
	return all.String(), nil
}

// completionPrompt accepts a string, a list of one string, or a list of token ids.
func completionPrompt(b *body, vocab int) ([]int32, *apiError) {
	raw, ids := bytes.TrimSpace(b.Prompt), []int32{tokenBegin}
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, badRequest("prompt", "prompt is missing")
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return appendTokens(ids, text, vocab), nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil && len(texts) == 1 {
		return appendTokens(ids, texts[0], vocab), nil
	}
	var given []int32
	if json.Unmarshal(raw, &given) != nil || len(given) == 0 {
		return nil, badRequest("prompt", "prompt must be a string, a list of one string, or a list of token ids")
	}
	for _, id := range given {
		if id < 0 || int(id) >= vocab {
			return nil, badRequest("prompt", fmt.Sprintf("token id %d is not in 0..%d", id, vocab-1))
		}
	}
	return append(ids, given...), nil
}

// clip shortens what is quoted back to a client.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

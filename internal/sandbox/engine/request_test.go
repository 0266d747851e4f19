package engine

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTokens(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "  \n\t": 0, "one": 1, "one two": 2, "  one \n two\tthree ": 3,
		strings.Repeat("w ", 64): 64, strings.Repeat("a", 16): 1, strings.Repeat("a", 17): 2, strings.Repeat("a", 33): 3,
		"naïve ½ 日本": 3, "\xff\xfe": 1,
	} {
		ids := appendTokens(nil, text, 512)
		if len(ids) != want {
			t.Errorf("%q has %d tokens, want %d", text, len(ids), want)
		}
		for _, id := range ids {
			if id < firstWord || id >= 512 {
				t.Errorf("%q: token %d is not a word", text, id)
			}
		}
	}
	seen := map[string]bool{}
	for _, w := range words(1024) {
		if seen[w] || len(w) != 5 || w[0] != ' ' || len(appendTokens(nil, w, 512)) != 1 {
			t.Errorf("word %q is there twice or malformed", w)
		}
		seen[w] = true
	}
}

func TestDecodeAsk(t *testing.T) {
	type got struct {
		Prompt, MaxTokens int
		Temperature       float64
		Seed              uint64
		Stream, Usage     bool
		Status            int
		Param             string
	}
	for body, want := range map[string]got{
		`{"messages":[{"role":"user","content":"a b c"}],"seed":5}`:                                      {Prompt: 7, Temperature: 1, Seed: 5},
		`{"messages":[{"role":"system","content":"x"},{"role":"user","content":"a b c"}],"seed":5}`:      {Prompt: 10, Temperature: 1, Seed: 5},
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a b"}]}],"seed":1,"model":"m"}`:   {Prompt: 6, Temperature: 1, Seed: 1},
		`{"messages":[{"role":"assistant","content":null}],"seed":1,"unknown":{"x":[1]},"max_tokens":9}`: {Prompt: 4, Temperature: 1, Seed: 1, MaxTokens: 9},
		`{"messages":[{"role":"user","content":"a"}],"seed":-1,"max_tokens":9,"max_completion_tokens":7,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}`: {
			Prompt: 5, Seed: 1<<64 - 1, MaxTokens: 7, Stream: true, Usage: true},
		`{"messages":[{"role":"user","content":"a"}],"seed":1,"stream_options":{"include_usage":true}}`: {Prompt: 5, Temperature: 1, Seed: 1},
		`{"messages":[]}`:                                                  {Status: 400, Param: "messages"},
		`{"messages":[{"content":"a"}]}`:                                   {Status: 400, Param: "messages"},
		`{"messages":[{"role":"user","content":7}]}`:                       {Status: 400, Param: "messages"},
		`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`:  {Status: 400, Param: "messages"},
		`{"messages":[{"role":"user","content":"a"}],"max_tokens":0}`:      {Status: 400, Param: "max_tokens"},
		`{"messages":[{"role":"user","content":"a"}],"temperature":3}`:     {Status: 400, Param: "temperature"},
		`{"messages":[{"role":"user","content":"a"}],"n":2}`:               {Status: 400, Param: "n"},
		`{"messages":[{"role":"user","content":"a"}],"model":"other"}`:     {Status: 404, Param: "model"},
		`{"messages":[{"role":"user","content":"a"}]} {}`:                  {Status: 400},
		`{"messages":[{"role":"user","content":"a"}],"max_tokens":"many"}`: {Status: 400},
		`{"messages":`: {Status: 400},
		``:             {Status: 400},
	} {
		check(t, chat, body, want, func(a *ask, e *apiError) got {
			if e != nil {
				return got{Status: e.status, Param: e.param}
			}
			return got{Prompt: len(a.prompt), MaxTokens: a.maxTokens, Temperature: a.temperature, Seed: a.seed, Stream: a.stream, Usage: a.usage}
		})
	}
	for body, want := range map[string]int{ // prompt tokens, or the status
		`{"prompt":"a b c"}`: 4, `{"prompt":["a b"]}`: 3, `{"prompt":[5,6,7]}`: 4, `{"prompt":""}`: 1,
		`{"prompt":["a","b"]}`: 400, `{"prompt":[]}`: 400, `{"prompt":null}`: 400, `{}`: 400, `{"prompt":[5,512]}`: 400, `{"prompt":[-1]}`: 400, `{"prompt":{}}`: 400,
	} {
		check(t, completion, body, want, func(a *ask, e *apiError) int {
			if e != nil {
				return e.status
			}
			return len(a.prompt)
		})
	}
}

func check[T any](t *testing.T, e *endpoint, body string, want T, of func(*ask, *apiError) T) {
	t.Helper()
	a, fault := decodeAsk(strings.NewReader(body), e, 512, "m")
	if diff := cmp.Diff(want, of(a, fault)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", body, diff)
	}
}

func TestSamePromptSameSeed(t *testing.T) {
	seed := func(text string) uint64 {
		b, _ := json.Marshal(map[string]string{"prompt": text})
		a, fault := decodeAsk(bytes.NewReader(b), completion, 512, "m")
		if fault != nil {
			t.Fatal(fault.message)
		}
		return a.seed
	}
	if seed("a b c") != seed("a  b c") || seed("a b c") == seed("a b d") {
		t.Error("the seed must follow the prompt's tokens")
	}
}

func FuzzDecodeAsk(f *testing.F) {
	for _, s := range []string{`{"messages":[{"role":"user","content":"a b"}],"max_tokens":3,"stream":true}`, `{"prompt":[1,2,3]}`, `{"prompt":"x","seed":-3}`,
		`{"messages":[{"role":"u","content":[{"type":"text","text":"\ud800"}]}]}`, `[]`, `{"n":null}`, `{"prompt":["` + strings.Repeat("é", 20) + `"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range []*endpoint{chat, completion} {
			a, fault := decodeAsk(bytes.NewReader(b), e, 512, "m")
			if (a == nil) == (fault == nil) {
				t.Fatal("want an ask or an error")
			}
			if fault != nil {
				if fault.status < 400 || fault.status > 499 || fault.message == "" || !utf8.ValidString(fault.message) {
					t.Fatalf("error %+v", fault)
				}
				continue
			}
			if len(a.prompt) == 0 || len(a.prompt) > 4+3*len(b) || a.maxTokens < 0 || !(a.temperature >= 0 && a.temperature <= 2) {
				t.Fatalf("ask %+v of %q", a, b)
			}
			for _, id := range a.prompt {
				if id < 0 || id >= 512 {
					t.Fatalf("token %d", id)
				}
			}
		}
	})
}

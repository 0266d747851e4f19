package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/pacetest"
)

func TestAnswers(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1}).ready()
	ask := fmt.Sprintf(`"messages":[{"role":"user","content":%q}],"max_tokens":32`, words64())
	status, v := r.postJSON("/v1/chat/completions", `{`+ask+`}`)
	if status != 200 {
		t.Fatal(status, v)
	}
	if diff := cmp.Diff(map[string]any{"prompt_tokens": 68., "completion_tokens": 32., "total_tokens": 100.}, v["usage"]); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	choice := v["choices"].([]any)[0].(map[string]any)
	text := choice["message"].(map[string]any)["content"].(string)
	if len(strings.Fields(text)) != 32 || choice["finish_reason"] != "length" || v["object"] != "chat.completion" {
		t.Errorf("answer %v", v)
	}

	for _, withUsage := range []bool{false, true} {
		streamed, chunks := "", 0
		var last, lastWithChoice map[string]any
		resp := r.post(t.Context(), "/v1/chat/completions", fmt.Sprintf(`{%s,"stream":true,"stream_options":{"include_usage":%v}}`, ask, withUsage))
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
			t.Errorf("content type %q", got)
		}
		b, _ := io.ReadAll(resp.Body)
		events := strings.Split(strings.TrimSuffix(string(b), "\n\n"), "\n\n")
		if end := len(events) - 1; events[end] != "data: [DONE]" {
			t.Errorf("last event %q", events[end])
		}
		for i, e := range events[:len(events)-1] {
			last = decodeLine[map[string]any](t, strings.TrimPrefix(e, "data: "))
			if len(last["choices"].([]any)) == 0 {
				continue
			}
			lastWithChoice = last
			delta := last["choices"].([]any)[0].(map[string]any)["delta"].(map[string]any)
			if i == 0 {
				if delta["role"] != "assistant" || delta["content"] != "" {
					t.Errorf("first delta %v", delta)
				}
				continue
			}
			chunks++
			streamed += delta["content"].(string)
		}
		if streamed != text || chunks != 32 {
			t.Errorf("streamed %q in %d chunks, want %q in 32", streamed, chunks, text)
		}
		if lastWithChoice["choices"].([]any)[0].(map[string]any)["finish_reason"] != "length" {
			t.Errorf("last event with a choice: %v", lastWithChoice)
		}
		if u, ok := last["usage"].(map[string]any); ok != withUsage || ok && u["prompt_tokens"] != 68. {
			t.Errorf("include_usage %v: last event %v", withUsage, last)
		}
	}

	resp := r.post(t.Context(), "/v1/completions", `{"prompt":"a b c","max_completion_tokens":3,"stream":true}`)
	b, _ := io.ReadAll(resp.Body)
	if got := strings.Count(string(b), `"text":`); got != 3 {
		t.Errorf("%d events with text, want 3:\n%s", got, b)
	}
	if _, v := r.postJSON("/v1/completions", `{"prompt":"a b c"}`); v["usage"].(map[string]any)["completion_tokens"] != 16. || v["usage"].(map[string]any)["prompt_tokens"] != 4. {
		t.Errorf("defaults of a completion: %v", v["usage"])
	}
	if _, body := r.get("/v1/models"); !strings.Contains(body, `"id":"sandbox-nano"`) {
		t.Errorf("models: %s", body)
	}
}

func TestRefusals(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1, KVTokens: 128, MaxBody: 2000}).ready()
	for _, test := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/v1/completions", `{`, 400, "invalid_request"},
		{"/v1/completions", `{"prompt":"` + strings.Repeat("a ", 2000) + `"}`, 413, "body_too_large"},
		{"/v1/completions", `{"prompt":"a","max_tokens":126}`, 200, ""},
		{"/v1/completions", `{"prompt":"a","max_tokens":127}`, 400, "context_length_exceeded"},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":"` + strings.Repeat("a ", 130) + `"}]}`, 400, "context_length_exceeded"},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":"a"}],"model":"gpt-4"}`, 404, "model_not_found"},
	} {
		status, v := r.postJSON(test.path, test.body)
		if code, _ := errorCode(v).(string); status != test.status || code != test.code {
			t.Errorf("%.60s: %d %v, want %d %s", test.body, status, v, test.status, test.code)
		}
	}
}

func TestDisconnectFreesTheSequence(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	r := startMain(t, Config{LoadFloor: -1, MaxSeqs: 1, StepOverhead: 50 * time.Millisecond, TruthPath: truth}).ready()
	ctx, cancel := context.WithCancel(t.Context())
	resp := r.post(ctx, "/v1/completions", `{"prompt":"a b","max_tokens":900,"stream":true}`)
	bufio.NewReader(resp.Body).ReadString('\n')
	if got := r.value("/metrics", "vllm:num_requests_running"); got != 1 {
		t.Errorf("running %v, want 1", got)
	}
	cancel()
	start := time.Now()
	if status, _ := r.postJSON("/v1/completions", `{"prompt":"a b","max_tokens":2}`); status != 200 {
		t.Errorf("status %d", status)
	}
	if d := time.Since(start); d > pacetest.Most(2*time.Second) { // undisturbed, the first would take 45 s at least
		t.Errorf("the place was free only after %v", d)
	}
	if got := r.value("/metrics", "vllm:kv_cache_usage_perc"); got != 0 {
		t.Errorf("KV use %v after the end", got)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for line := range strings.Lines(read(t, truth)) {
		if l := decodeLine[TruthRequest](t, line); l.Kind == "request" {
			outcomes[l.Outcome]++
		}
	}
	if diff := cmp.Diff(map[string]int{"ok": 1, "cancelled": 1}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

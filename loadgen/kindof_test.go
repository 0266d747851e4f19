package loadgen

import (
	"slices"
	"testing"
)

func TestKindOf(t *testing.T) {
	for raw, want := range map[string]string{
		"http://h/":                             "http",
		"http://h/v1/models":                    "http",
		"http://h/generated":                    "http",
		"http://h/v1/chat/completions":          "openai",
		"https://h/openai/v1/completions":       "openai",
		"http://h/v1/embeddings":                "embeddings",
		"http://h/rerank":                       "rerank",
		"http://h/api/chat":                     "ollama",
		"http://h/api/generate":                 "ollama",
		"http://h/generate_stream":              "tgi",
		"http://h/v2/models/m/generate_stream":  "triton",
		"http://h/v2/models/m/versions/3/infer": "openinference",
		"http://h/v2/models/m/infer?x=1":        "openinference",
		"http://h/v1/models/m:predict":          "kserve1",
		"grpc://h:8001":                         "openinference-grpc",
		"http://h/%zz":                          "http",
	} {
		if got := KindOf(raw); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	for _, o := range operations {
		if !slices.ContainsFunc(ClientKinds, func(k ClientKind) bool { return k.Name == o.kind }) {
			t.Errorf("no client %s", o.kind)
		}
	}
}

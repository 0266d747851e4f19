package loadgen

import (
	"net/url"
	"regexp"
)

// operations are the paths by which an endpoint tells which client it wants.
var operations = []struct {
	path *regexp.Regexp
	kind string
}{
	{regexp.MustCompile(`/(chat/)?completions/?$`), "openai"},
	{regexp.MustCompile(`/v1/embeddings/?$`), "embeddings"},
	{regexp.MustCompile(`/rerank/?$`), "rerank"},
	{regexp.MustCompile(`/api/(chat|generate)/?$`), "ollama"},
	{regexp.MustCompile(`/v2/models/[^/]+(/versions/[^/]+)?/generate(_stream)?/?$`), "triton"},
	{regexp.MustCompile(`/generate(_stream)?/?$`), "tgi"},
	{regexp.MustCompile(`/v1/models/[^/]+:predict$`), "kserve1"},
	{regexp.MustCompile(`/v2/models/[^/]+(/versions/[^/]+)?/infer/?$`), "openinference"},
}

// KindOf returns the client that a URL asks for by its path or scheme; "http" where it does not tell.
func KindOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "http"
	}
	if u.Scheme == "grpc" || u.Scheme == "grpcs" {
		return "openinference-grpc"
	}
	for _, o := range operations {
		if o.path.MatchString(u.Path) {
			return o.kind
		}
	}
	return "http"
}

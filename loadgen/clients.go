package loadgen

import "github.com/assay-dev/assay"

// ClientKind is one entry of [ClientKinds].
type ClientKind struct {
	Name string
	Help string // one sentence
	New  func(Endpoint) (Closer, error)
}

// A Closer is a client that keeps connections. Close closes the idle ones; the client may still be used.
type Closer interface {
	assay.Client
	Close()
}

// ClientKinds is the table of clients. Settings beyond the endpoint's are fields of what New returns.
var ClientKinds = []ClientKind{
	{"openai", "Chat completions or completions of an OpenAI-compatible endpoint, streamed or whole.", func(e Endpoint) (Closer, error) { return NewOpenAI(e) }},
	{"http", "Plain HTTP: any answer of status 2xx is good.", func(e Endpoint) (Closer, error) { return NewHTTP(e) }},
}

package loadgen

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Rerank is a client of a reranking API: Cohere's, which vLLM, Jina and others have too, or that of Hugging Face's
// text-embeddings-inference. Set the fields before the first Do. The prompt is cut at its words into the query and the documents.
// An answer is good when it has one score for each document asked for, and none twice.
type Rerank struct {
	*site
	Documents int  // in one request; 0: 8
	Top       int  // how many come back; 0: all
	TEI       bool // text-embeddings-inference: texts in, a list out, no model
}

// NewRerank returns a client for the endpoint: the URL of the server, of the API's root (…/v2) or of the operation (…/rerank).
func NewRerank(e Endpoint) (*Rerank, error) {
	s, err := e.open(below("/v1", "/rerank"))
	if err != nil {
		return nil, err
	}
	return &Rerank{site: s}, nil
}

func (c *Rerank) documents() int {
	if c.Documents > 0 {
		return c.Documents
	}
	return 8
}

// Do implements assay.Client.
func (c *Rerank) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	texts := pieces(call.Prompt, c.documents()+1)
	b := append(t.request[:0], `{"query":`...)
	b = quote(b, texts[0])
	if c.TEI {
		b = appendTexts(append(b, `,"texts":`...), texts[1:])
	} else {
		b = appendTexts(append(b, `,"documents":`...), texts[1:])
		b = quote(append(b, `,"model":`...), call.Model)
		if c.Top > 0 {
			b = append(b, `,"top_n":`...)
			b = strconv.AppendInt(b, int64(c.Top), 10)
		}
	}
	t.request = append(b, '}')
	t.q.body = t.request
	r.TokensAsked = 0
	t.q.single = true
	t.send(c)
}

// read implements reader.
func (c *Rerank) read(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	at, want := a.readAt(), c.documents()
	if c.Top > 0 && !c.TEI {
		want = min(want, c.Top)
	}
	k := ranking{seen: make([]bool, c.documents())}
	switch {
	case !k.parse(b):
		t.bad("answer is neither a JSON object nor a list")
	case k.failure:
		t.inner(k.code, k.message(), at)
	case k.wrong != "":
		t.bad(k.wrong)
	case k.rows != want:
		t.bad(fmt.Sprintf("%d scores, want %d", k.rows, want))
	default:
		t.hear(b)
		t.named(k.model)
		if k.usage {
			t.r.TokensIn = k.in
		}
		t.ok(at)
	}
	return true
}

// ranking is what matters of an answer.
type ranking struct {
	chunk
	seen  []bool // by number of the document
	rows  int
	wrong string
}

// parse reads b, which must be one JSON object or array.
func (k *ranking) parse(b []byte) bool {
	s := scan{b: b}
	if s.next() == '[' {
		return s.array(func() bool { return k.readRow(&s) }) && s.end()
	}
	ok := s.object(func(key []byte) (ok bool) {
		switch string(key) {
		case "results":
			ok = s.array(func() bool { return k.readRow(&s) })
		case "usage":
			ok = s.objectOr(func(key []byte) (ok bool) {
				if name := string(key); name != "total_tokens" && name != "prompt_tokens" {
					return s.skip()
				}
				n, ok := s.count()
				if n >= 0 {
					k.usage, k.in = true, n
				}
				return ok
			})
		case "model":
			k.model, ok = s.string()
		case "error":
			ok = k.readError(&s)
		default:
			ok = s.skip()
		}
		return ok
	})
	return ok && s.end()
}

func (k *ranking) readRow(s *scan) bool {
	index, scored := int32(-1), false
	ok := s.objectOr(func(key []byte) (ok bool) {
		switch name := string(key); {
		case name == "index":
			index, ok = s.count()
		case name == "score" || strings.HasSuffix(name, "_score"):
			c := s.next()
			scored = c == '-' || digit(c)
			ok = s.skip()
		default:
			ok = s.skip()
		}
		return ok
	})
	k.rows++
	switch {
	case index < 0 || int(index) >= len(k.seen) || !scored:
		k.wrong = "result without a document's index and score"
	case k.seen[index]:
		k.wrong = "the same document twice"
	default:
		k.seen[index] = true
	}
	return ok
}

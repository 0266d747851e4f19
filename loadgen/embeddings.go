package loadgen

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Embeddings is a client of an OpenAI-compatible /v1/embeddings. Set the fields before the first Do. The prompt is the input, or is cut at its words into
// as many as Inputs says. An answer is good when it has as many embeddings as inputs, all of one length.
type Embeddings struct {
	*site
	Inputs     int  // in one request; 0: 1
	Dimensions int  // asked for and demanded; 0: as the model has it
	Base64     bool // ask for the compact encoding
}

// NewEmbeddings returns a client for the endpoint: the URL of the server, of the API's root (…/v1) or of the operation.
func NewEmbeddings(e Endpoint) (*Embeddings, error) {
	s, err := e.open(below("/v1", "/embeddings"))
	if err != nil {
		return nil, err
	}
	return &Embeddings{site: s}, nil
}

// below makes a URL that of an operation of an API, unless it is that already.
func below(root, operation string) func(*url.URL) {
	return func(u *url.URL) {
		path := strings.TrimSuffix(u.Path, "/")
		switch {
		case strings.HasSuffix(path, operation):
		case path == "":
			path = root + operation
		default:
			path += operation
		}
		u.Path, u.RawPath = path, ""
	}
}

// Do implements assay.Client.
func (c *Embeddings) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	b := append(t.request[:0], `{"model":`...)
	b = append(quote(b, call.Model), `,"input":`...)
	if c.Inputs > 1 {
		b = appendTexts(b, pieces(call.Prompt, c.Inputs))
	} else {
		b = quote(b, call.Prompt)
	}
	b = append(b, `,"encoding_format":"`...)
	if c.Base64 {
		b = append(b, "base64"...)
	} else {
		b = append(b, "float"...)
	}
	b = append(b, '"')
	if c.Dimensions > 0 {
		b = append(b, `,"dimensions":`...)
		b = strconv.AppendInt(b, int64(c.Dimensions), 10)
	}
	t.request = append(b, '}')
	t.q.body = t.request
	r.TokensAsked = 0
	t.q.single = true
	t.send(c)
}

// pieces cuts a text at its words into n, as even as they get. With fewer words than n, the last ones are the number of the piece.
func pieces(text string, n int) []string {
	words := strings.Fields(text)
	all := make([]string, n)
	for i := range all {
		if all[i] = strings.Join(words[i*len(words)/n:(i+1)*len(words)/n], " "); all[i] == "" {
			all[i] = strconv.Itoa(i + 1)
		}
	}
	return all
}

// appendTexts appends a JSON array of strings.
func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, v := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, v)
	}
	return append(b, ']')
}

// read implements reader.
func (c *Embeddings) read(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	at := a.readAt()
	var k embedding
	switch {
	case !k.parse(b):
		t.bad("answer is not a JSON object")
	case k.failure:
		t.inner(k.code, k.message(), at)
	case k.wrong != "":
		t.bad(k.wrong)
	case k.rows != max(1, c.Inputs):
		t.bad(fmt.Sprintf("%d embeddings for %d inputs", k.rows, max(1, c.Inputs)))
	case c.Dimensions > 0 && k.length != int64(c.Dimensions):
		t.bad(fmt.Sprintf("embeddings of %d numbers, asked for %d", k.length, c.Dimensions))
	default:
		t.hear(b)
		t.named(k.model)
		if k.told {
			t.r.TokensIn = k.in
		}
		t.ok(at)
	}
	return true
}

// embedding is what matters of an answer.
type embedding struct {
	chunk
	told   bool // it counts the prompt's tokens
	rows   int
	length int64 // numbers in each
	wrong  string
}

// parse reads b, which must be one JSON object.
func (k *embedding) parse(b []byte) bool {
	*k = embedding{}
	s := scan{b: b}
	ok := s.object(func(key []byte) (ok bool) {
		switch string(key) {
		case "data":
			ok = s.array(func() bool { return k.readRow(&s) })
		case "usage":
			ok = k.readUsage(&s)
			k.told = k.usage
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

func (k *embedding) readRow(s *scan) bool {
	n := int64(0)
	ok := s.objectOr(func(key []byte) (ok bool) {
		if string(key) != "embedding" {
			return s.skip()
		}
		if s.next() != '"' {
			return s.array(func() bool {
				if c := s.next(); c != '-' && !digit(c) {
					k.wrong = "embedding with something that is no number"
				}
				n++
				return s.skip()
			})
		}
		text, ok := s.text()
		size := base64.StdEncoding.DecodedLen(len(text)) - strings.Count(string(text), "=")
		if n = int64(size / 4); size%4 != 0 {
			k.wrong = "embedding that is not base64 of 32-bit numbers"
		}
		return ok
	})
	switch {
	case n == 0:
		k.wrong = "empty embedding"
	case k.rows > 0 && n != k.length:
		k.wrong = "embeddings of different lengths"
	}
	k.rows++
	k.length = n
	return ok
}

package loadgen

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/assay-dev/assay"
)

// OpenInference is a client of the Open Inference Protocol (KServe v2) over HTTP: POST …/v2/models/NAME/infer. Set the fields before the first Do.
//
// An answer is good when it has outputs, each with as many elements as its shape says, in JSON or in binary form. It knows no tokens.
type OpenInference struct {
	*site
	Payloads *Payloads // bodies that requests take in turn, see [BinaryPayload]; nil: the prompt as one element of BYTES
	Input    string    // name of the input that takes the prompt; "": text
	Version  string    // of the model; "": the server's choice
	place    *place
}

// NewOpenInference returns a client for the endpoint: the URL of the server, of a model on it (…/v2/models/NAME) or of the operation (…/infer).
func NewOpenInference(e Endpoint) (*OpenInference, error) {
	c := &OpenInference{}
	s, err := e.open(func(u *url.URL) { c.place = newPlace(u, "/v2/models/", "/infer") })
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

// Do implements assay.Client.
func (c *OpenInference) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	if c.Payloads != nil {
		t.load(c.Payloads.of(r.ID))
	} else {
		b := append(t.request[:0], `{"inputs":[{"name":`...)
		name := c.Input
		if name == "" {
			name = "text"
		}
		b = append(quote(b, name), `,"shape":[1],"datatype":"BYTES","data":[`...)
		t.request = append(quote(b, call.Prompt), `]}]}`...)
		t.q.body = t.request
	}
	t.q.path, t.q.fields, t.q.accept = c.place.path(call.Model, c.Version, "/infer"), true, "*/*"
	r.TokensIn, r.TokensAsked = 0, 0
	t.q.single = true
	t.send(c)
}

// read implements reader.
func (c *OpenInference) read(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	at := a.readAt()
	head, binary := b, int64(0)
	if v := a.field("inference-header-content-length"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > len(b) {
			t.bad("inference-header-content-length does not fit the body")
			return true
		}
		head, binary = b[:n], int64(len(b)-n)
	}
	var k inference
	switch {
	case !k.parse(head):
		t.bad("answer is not a JSON object")
	case k.failure:
		t.inner(k.code, k.message(), at)
	case k.wrong != "":
		t.bad(k.wrong)
	case !k.choices:
		t.bad("answer without outputs")
	case k.binary != binary:
		t.bad(fmt.Sprintf("outputs announce %d bytes of binary data, and %d came", k.binary, binary))
	default:
		t.hear(b)
		t.named(k.model)
		t.versioned(k.version)
		t.ok(at)
	}
	return true
}

// refuse implements refuser.
func (c *OpenInference) refuse(a *answer, k *complaint) assay.Outcome {
	return notReady(a.status, k.text)
}

// inference is what matters of an answer. Its choices says that there are outputs.
type inference struct {
	chunk
	version []byte // raw version of the model
	binary  int64  // bytes of binary data that the outputs announce
	wrong   string // what an output promises and does not hold
}

// parse reads b, which must be one JSON object.
func (k *inference) parse(b []byte) bool {
	*k = inference{}
	s := scan{b: b}
	ok := s.object(func(key []byte) (ok bool) {
		switch string(key) {
		case "outputs":
			ok = s.array(func() bool { return k.readOutput(&s) })
		case "model_name":
			k.model, ok = s.string()
		case "model_version":
			k.version, ok = s.string()
		case "error":
			ok = k.readError(&s)
		default:
			ok = s.skip()
		}
		return ok
	})
	return ok && s.end()
}

// readOutput reads one output tensor and compares what it holds with its shape.
func (k *inference) readOutput(s *scan) bool {
	k.choices = true
	var kind []byte
	want, shaped, have, sized := int64(1), false, int64(-1), int32(-1)
	ok := s.objectOr(func(key []byte) (ok bool) {
		switch string(key) {
		case "datatype":
			kind, ok = s.string()
		case "shape":
			ok = s.array(func() bool {
				n, ok := s.count()
				shaped = true
				switch {
				case n < 0:
					want = -1
				case want > 0 && n > 0 && want > (1<<40)/int64(n):
					want = -1
				case want > 0:
					want *= int64(n)
				}
				return ok
			})
		case "data":
			have = 0
			ok = s.leaves(&have)
		case "parameters":
			ok = s.objectOr(func(key []byte) (ok bool) {
				if string(key) != "binary_data_size" {
					return s.skip()
				}
				sized, ok = s.count()
				return ok
			})
		default:
			ok = s.skip()
		}
		return ok
	})
	if !ok {
		return false
	}
	size := sizes[string(kind)]
	switch {
	case !shaped:
		k.wrong = "output without a shape"
	case want < 0:
		k.wrong = "output with a shape that is not valid"
	case sized >= 0:
		k.binary += int64(sized)
		if size > 0 && int64(sized) != want*size {
			k.wrong = "output with more or less binary data than its shape wants"
		}
	case have >= 0 && have != want:
		k.wrong = "output with more or fewer elements than its shape wants"
	case have < 0:
		k.wrong = "output without data"
	}
	return true
}

// leaves reads any value and counts what in it is neither an array nor an object.
func (s *scan) leaves(n *int64) bool {
	if s.next() == '[' {
		return s.array(func() bool { return s.leaves(n) })
	}
	*n++
	return s.skip()
}

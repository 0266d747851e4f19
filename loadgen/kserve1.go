package loadgen

import (
	"context"
	"net/url"
	"strings"

	"github.com/assay-dev/assay"
)

// KServe1 is a client of the KServe v1 protocol, which is that of TensorFlow Serving: POST …/v1/models/NAME:predict. Set the fields before the first Do.
//
// An answer is good when it holds predictions (outputs in TensorFlow Serving's columnar form, results of :classify and :regress,
// explanations of :explain). It knows no tokens.
type KServe1 struct {
	*site
	Payloads  *Payloads // bodies that requests take in turn; nil: {"instances":[prompt]}
	Version   string    // of the model, as TensorFlow Serving has them; "": the server's choice
	operation string
	place     *place
}

// NewKServe1 returns a client for the endpoint: the URL of the server, of a model on it (…/v1/models/NAME) or of the operation (…/v1/models/NAME:predict).
func NewKServe1(e Endpoint) (*KServe1, error) {
	c := &KServe1{operation: ":predict"}
	s, err := e.open(func(u *url.URL) {
		for _, o := range []string{":classify", ":regress", ":explain"} {
			if strings.HasSuffix(u.Path, o) {
				c.operation = o
			}
		}
		c.place = newPlace(u, "/v1/models/", ":predict", c.operation)
	})
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

// Do implements assay.Client.
func (c *KServe1) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	if c.Payloads != nil {
		t.load(c.Payloads.of(r.ID))
	} else {
		b := append(t.request[:0], `{"instances":[`...)
		t.request = append(quote(b, call.Prompt), ']', '}')
		t.q.body = t.request
	}
	t.q.path = c.place.path(call.Model, c.Version, c.operation)
	r.TokensIn, r.TokensAsked = 0, 0
	t.q.single = true
	t.send(c)
}

// read implements reader.
func (c *KServe1) read(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	at := a.readAt()
	var k prediction
	switch {
	case !k.parse(b):
		t.bad("answer is not a JSON object")
	case k.failure:
		t.inner(k.code, k.message(), at)
	case !k.choices:
		t.bad("answer without predictions")
	default:
		t.hear(b)
		t.named(k.model)
		t.ok(at)
	}
	return true
}

// refuse implements refuser.
func (c *KServe1) refuse(a *answer, k *complaint) assay.Outcome { return notReady(a.status, k.text) }

// prediction is what matters of an answer. Its choices says that there are predictions.
type prediction struct{ chunk }

// parse reads b, which must be one JSON object.
func (k *prediction) parse(b []byte) bool {
	*k = prediction{}
	s := scan{b: b}
	ok := s.object(func(key []byte) (ok bool) {
		switch string(key) {
		case "predictions", "outputs", "results", "explanations":
			kind := s.next()
			s.space()
			from := s.i
			ok = s.skip()
			empty := ok && len(strings.Trim(string(s.b[from:s.i]), "[]{} \t\r\n")) == 0
			k.choices = k.choices || kind != 'n' && !empty
		case "model_name":
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

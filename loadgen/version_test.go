package loadgen

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// TestExpectVersion: an answer of another version of the model, or that names none, is the wrong one, for each client whose protocol names it.
func TestExpectVersion(t *testing.T) {
	var answer struct{ kind, body string }
	grpcAnswer := response(t, Tensor{Name: "y", Datatype: "BYTES", Shape: []int64{1}, Elements: [][]byte{[]byte("a")}})
	f := &infers{answer: func(method string, _ []byte, s grpc.ServerStream) error {
		b := grpcAnswer
		if answer.body != "" {
			b = appendField(b, responseVersion, []byte(answer.body))
		}
		if method == methodStream {
			b = appendField(nil, streamResponse, b)
		}
		return s.SendMsg([][]byte{b})
	}}
	rpc, _ := grpcServer(t, f)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", answer.kind)
		io.WriteString(w, answer.body)
	}))
	defer web.Close()
	outputs := `,"outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[1]}]}`
	for _, tt := range []struct {
		name, url           string
		new                 func(Endpoint) (Closer, error)
		stream              bool
		kind                string
		good, other, silent string
	}{
		{"openinference", web.URL, func(e Endpoint) (Closer, error) { return NewOpenInference(e) }, false, "application/json",
			`{"model_version":"2"` + outputs, `{"model_version":"1"` + outputs, `{"model_version":null` + outputs},
		{"triton", web.URL, func(e Endpoint) (Closer, error) { return NewTriton(e) }, false, "application/json",
			`{"model_version":"2","text_output":"a"}`, `{"model_version":"1","text_output":"a"}`, `{"text_output":"a"}`},
		{"triton, streamed", web.URL, func(e Endpoint) (Closer, error) { return NewTriton(e) }, true, "text/event-stream",
			"data: {\"model_version\":\"2\",\"text_output\":\"a\"}\n\n", "data: {\"model_version\":\"1\",\"text_output\":\"a\"}\n\n", "data: {\"text_output\":\"a\"}\n\n"},
		{"openinference-grpc", rpc.URL, func(e Endpoint) (Closer, error) { return NewOpenInferenceGRPC(e) }, false, "", "2", "1", ""},
		{"openinference-grpc, streamed", rpc.URL, func(e Endpoint) (Closer, error) {
			c, err := NewOpenInferenceGRPC(e)
			c.Decoupled = true
			return c, err
		}, true, "", "2", "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.new(Endpoint{URL: tt.url, Clock: clock.New(), Expect: &Expect{Version: "2"}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, x := range []struct{ body, want string }{
				{tt.good, ""}, {tt.other, `answer names version "1" of the model, want "2"`}, {tt.silent, `answer names version "" of the model, want "2"`}, {tt.good, ""},
			} {
				answer.kind, answer.body = tt.kind, x.body
				want := assay.OK
				if x.want != "" {
					want = assay.WrongContent
				}
				r := &assay.Request{ID: 1}
				c.Do(t.Context(), &assay.Call{Model: "m", Prompt: "p", MaxTokens: 1, Stream: tt.stream}, r)
				if r.Outcome != want || r.Error != x.want {
					t.Errorf("%s: %v %q, want %v %q", x.body, r.Outcome, r.Error, want, x.want)
				}
			}
		})
	}
}

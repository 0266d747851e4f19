package loadgen

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// exampleKeys are those of AWS's documentation.
var exampleKeys = AWSKeys{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

func exampleSigner(service string, keys AWSKeys) *SigV4 {
	s := NewSigV4(service, "us-east-1", func(context.Context) (AWSKeys, error) { return keys, nil })
	s.Now = func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }
	return s
}

// TestSigV4 compares with the signatures that AWS publishes: the worked example of the documentation, and cases of its test suite.
func TestSigV4(t *testing.T) {
	for _, c := range []struct {
		name, service, method, url, kind string
		signed, signature                string
	}{
		{"documentation", "iam", "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "application/x-www-form-urlencoded; charset=utf-8",
			"content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
		{"get-vanilla", "service", "GET", "https://example.amazonaws.com/", "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "service", "POST", "https://example.amazonaws.com/", "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "service", "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", "", "host;x-amz-date",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	} {
		req, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.kind != "" {
			req.Header.Set("Content-Type", c.kind)
		}
		if err := exampleSigner(c.service, exampleKeys).Sign(t.Context(), req, nil); err != nil {
			t.Fatal(err)
		}
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + c.service + "/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature
		if d := cmp.Diff(want, req.Header.Get("Authorization")); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, d)
		}
	}
}

// TestSignedRequestsArrive: what the server gets is what was signed, over both transports: it signs again and compares.
func TestSignedRequestsArrive(t *testing.T) {
	keys := exampleKeys
	keys.Session = "session"
	for _, h2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if !signedBy(r, body, exampleSigner("lambda", keys)) {
				w.WriteHeader(http.StatusForbidden)
			}
		}))
		s.Config.Protocols = protocols(h2)
		s.Start()
		t.Cleanup(s.Close)
		for _, c := range []struct {
			path  string
			with  AWSKeys
			want  assay.Outcome
			extra [][2]string
		}{
			{"/", keys, assay.OK, nil},
			{"/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f%20g/invocations?Qualifier=a%2Fb", keys, assay.OK, nil},
			{"/", keys, assay.OK, [][2]string{{"X-Amz-Invocation-Type", "RequestResponse"}, {"X-Other", "not signed"}}},
			{"/", exampleKeys, assay.Credential, nil},
		} {
			refused := 0
			k, err := NewHTTP(Endpoint{URL: s.URL + c.path, Clock: clock.New(), HTTP2: h2, Headers: c.extra, Sign: exampleSigner("lambda", c.with).Sign, Refused: func() { refused++ }})
			if err != nil {
				t.Fatal(err)
			}
			k.Body = []byte(`{"a":1}`)
			r := do(t, k, false, 5*time.Second)
			k.Close()
			if r.Outcome != c.want || (refused == 1) != (c.want == assay.Credential) {
				t.Errorf("HTTP/2 %v, %s: %v %q, told %d times", h2, c.path, r.Outcome, r.Error, refused)
			}
		}
	}
}

// signedBy signs the request that a server got once more and compares.
func signedBy(r *http.Request, body []byte, s *SigV4) bool {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return false
	}
	again.ContentLength = int64(len(body))
	again.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	for name, v := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Date" && name != "X-Amz-Security-Token" {
			again.Header[name] = v
		}
	}
	return s.Sign(r.Context(), again, body) == nil && again.Header.Get("Authorization") == r.Header.Get("Authorization") &&
		again.Header.Get("X-Amz-Date") == r.Header.Get("X-Amz-Date") && again.Header.Get("X-Amz-Security-Token") == r.Header.Get("X-Amz-Security-Token")
}

// TestSignatureIsNotRecorded: some servers repeat in an error what they were sent.
func TestSignatureIsNotRecorded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":{"message":"cannot use `+r.Header.Get("Api-Key")+` here"}}`)
	}))
	defer s.Close()
	k, err := NewOpenAI(Endpoint{URL: s.URL, Clock: clock.New(), Sign: func(_ context.Context, r *http.Request, _ []byte) error {
		r.Header.Set("api-key", "sk-123")
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if r := do(t, k, true, 5*time.Second); r.Error != "400 Bad Request: cannot use *** here" {
		t.Errorf("got %q", r.Error)
	}
}

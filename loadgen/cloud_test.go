package loadgen

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// frame encodes one frame with the headers given as name, value, name, value.
func frame(payload string, headers ...string) string {
	var m eventstream.Message
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	m.Payload = []byte(payload)
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		panic(err)
	}
	return b.String()
}

// part is a frame with a piece of a container's or a function's answer.
func part(payload string) string {
	return frame(payload, ":message-type", "event", ":event-type", "PayloadPart", ":content-type", "application/octet-stream")
}

func piece(payload string) string {
	return frame(payload, ":message-type", "event", ":event-type", "PayloadChunk", ":content-type", "application/octet-stream")
}

func invokeComplete(payload string) string {
	return frame(payload, ":message-type", "event", ":event-type", "InvokeComplete", ":content-type", "application/json")
}

const frameHead = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"

// whole is an answer of one piece.
func whole(status, headers, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

// cloudCase is one answer and what the client makes of it.
type cloudCase struct {
	name, api string
	stream    bool
	answer    string
	want      seen
}

func runCloud(t *testing.T, cases []cloudCase, open func(e Endpoint, api string) (Closer, error)) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			url := rude(t, func(conn *net.TCPConn, _ int) { io.WriteString(conn, c.answer) })
			k, err := open(Endpoint{URL: url, Clock: clock.New()}, c.api)
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			if d := cmp.Diff(c.want, see(do(t, k, c.stream, 5*time.Second))); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestSageMakerOutcomes(t *testing.T) {
	const js = "Content-Type: application/json\r\n"
	named := func(name string) string { return js + "x-amzn-ErrorType: " + name + "\r\n" }
	cut := frameHead + chunked(part(tokenA), part(tokenA))
	end := "0\r\n\r\n"
	tgiLine := `{"token":{"id":1,"text":"a","logprob":0,"special":false}}` + "\n"
	tgiLast := `{"token":{"id":2,"text":"b","special":false},"generated_text":"ab","details":{"finish_reason":"length","generated_tokens":7}}` + "\n"
	ok := seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 5, Out: 7, First: true, FirstByte: true}
	count := func(n int32, s seen) seen {
		s.Status, s.Arrivals, s.First, s.FirstByte = 200, int(n), n > 0, true
		return s
	}
	refused := func(o assay.Outcome, status int32, text string) seen {
		return seen{Outcome: o, Status: status, Error: text, FirstByte: true}
	}
	broken := part(tokenA)
	broken = broken[:len(broken)-1] + string(broken[len(broken)-1]^1)
	runCloud(t, []cloudCase{
		{"chat", "chat", true, frameHead + chunked(part(tokenA+tokenA[:9]), part(tokenA[9:]), part(finish+usage), part(doneLine)) + end, ok},
		{"several frames in a chunk", "chat", true, frameHead + chunked(part(tokenA)+part(tokenA)+part(usage+doneLine)) + end, ok},
		{"a frame over several chunks", "chat", true, frameHead + chunked(cutIn(part(tokenA+tokenA+usage+doneLine), 3)...) + end, ok},
		{"frames that are not known", "chat", true, frameHead + chunked(frame("x", ":message-type", "event", ":event-type", "News"), part(tokenA+tokenA+usage+doneLine)) + end, ok},
		{"generate, event stream", "generate", true, frameHead + chunked(part(tgiA), part(tgiEnd)) + end, seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 2, Out: 2, First: true, FirstByte: true}},
		{"generate, lines", "generate", true, frameHead + chunked(part(" \n"), part(tgiLine+tgiLine[:4]), part(tgiLine[4:]+tgiLast)) + end,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 3, In: 2, Out: 7, First: true, FirstByte: true}},
		{"generate, lines cut", "generate", true, frameHead + chunked(part(tgiLine+tgiLine[:9])) + end,
			seen{Outcome: assay.CutFIN, Status: 200, Error: closedText, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"generate, error in a line", "generate", true, frameHead + chunked(part(tgiLine+`{"error":"queue full","error_type":"overloaded"}`+"\n")) + end,
			seen{Outcome: assay.Throttled, Status: 200, Error: "in the answer: 429 Too Many Requests: queue full", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"anything", "", true, frameHead + chunked(part("abc"), part("def")) + end, count(2, seen{Outcome: assay.OK})},
		{"nothing", "generate", true, frameHead + end, seen{Outcome: assay.CutFIN, Status: 200, Error: closedText, In: 2, FirstByte: true}},

		{"closed after a frame", "chat", true, cut, seen{Outcome: assay.CutFIN, Status: 200, Error: closedText, Arrivals: 2, In: 2, Out: 2, First: true, FirstByte: true}},
		{"closed in a frame", "", true, frameHead + chunked(part("abc"), part("def")[:20]), count(1, seen{Outcome: assay.CutFIN, Error: closedText})},
		{"ended in a frame's payload", "", true, frameHead + chunked(part("abc"), part("defghijkl")[:len(part("defghijkl"))-8]) + end, count(1, seen{Outcome: assay.CutFIN, Error: closedText})},
		{"ended in a frame's prelude", "", true, frameHead + chunked(part("abc"), part("def")[:3]) + end, count(1, seen{Outcome: assay.CutFIN, Error: closedText})},
		{"closed, not framed by HTTP", "", true, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n" + part("abc"), count(1, seen{Outcome: assay.CutFIN, Error: closedText})},
		{"wrong checksum", "", true, frameHead + chunked(part("abc"), broken) + end, count(1, seen{Outcome: assay.BadPayload, Error: "event-stream frame with a wrong checksum"})},
		{"no frame at all", "", true, frameHead + chunked("<html>not a frame</html>") + end, count(0, seen{Outcome: assay.BadPayload, Error: "event-stream frame with a wrong checksum"})},
		{"frame without a kind", "", true, frameHead + chunked(frame("x")) + end, count(0, seen{Outcome: assay.BadPayload, Error: "event-stream frame without a kind of message"})},

		{"model stream error", "chat", true, frameHead + chunked(part(tokenA), frame(`{"Message":"no time","ErrorCode":"ModelInvocationTimeExceeded"}`, ":message-type", "exception", ":exception-type", "ModelStreamError")) + end,
			seen{Outcome: assay.ServerError, Status: 200, Error: "in the answer: ModelStreamError: no time", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"throttled in the stream", "", true, frameHead + chunked(frame(`{"message":"slow down"}`, ":message-type", "exception", ":exception-type", "ThrottlingException")) + end,
			count(0, seen{Outcome: assay.Throttled, Error: "in the answer: ThrottlingException: slow down"})},
		{"loading in the stream", "", true, frameHead + chunked(frame(`{}`, ":message-type", "exception", ":exception-type", "ModelNotReadyException")) + end,
			count(0, seen{Outcome: assay.Loading, Error: "in the answer: ModelNotReadyException"})},
		{"unmodelled error", "", true, frameHead + chunked(frame("", ":message-type", "error", ":error-code", "InternalStreamFailure", ":error-message", "oops")) + end,
			count(0, seen{Outcome: assay.ServerError, Error: "in the answer: InternalStreamFailure: oops"})},
		{"expired in the stream tells no text", "", true, frameHead + chunked(frame(`{"message":"token sk-123"}`, ":message-type", "exception", ":exception-type", "ExpiredTokenException")) + end,
			count(0, seen{Outcome: assay.Credential, Error: "in the answer: ExpiredTokenException"})},

		{"whole chat", "chat", false, whole("200 OK", js, `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7}}`),
			seen{Outcome: assay.OK, Status: 200, In: 5, Out: 7, FirstByte: true}},
		{"whole generate", "generate", false, whole("200 OK", js, `[{"generated_text":"ab","details":{"generated_tokens":7}}]`), seen{Outcome: assay.OK, Status: 200, In: 2, Out: 7, FirstByte: true}},
		{"whole, not what the API promises", "chat", false, whole("200 OK", js, `{"answer":1}`), seen{Outcome: assay.BadPayload, Status: 200, Error: "answer without a choice", In: 2, FirstByte: true}},

		{"throttled by name", "", false, whole("400 Bad Request", named("ThrottlingException:http://internal.amazon.com/"), `{"message":"Rate exceeded"}`),
			refused(assay.Throttled, 400, "400 Bad Request: ThrottlingException: Rate exceeded")},
		{"model not ready", "", false, whole("429 Too Many Requests", named("ModelNotReadyException")+"Retry-After: 2\r\n", `{"message":"provisioning"}`),
			seen{Outcome: assay.Loading, Status: 429, Error: "429 Too Many Requests: ModelNotReadyException: provisioning", FirstByte: true, Retry: 2 * time.Second}},
		{"the model failed", "", false, whole("424 Failed Dependency", named("ModelError"), `{"Message":"Received server error (500) from primary","OriginalStatusCode":500,"OriginalMessage":"x"}`),
			refused(assay.ServerError, 424, "424 Failed Dependency: ModelError: Received server error (500) from primary")},
		{"the model shed", "", false, whole("424 Failed Dependency", named("ModelError"), `{"Message":"m","OriginalStatusCode":429}`), refused(assay.Throttled, 424, "424 Failed Dependency: ModelError: m")},
		{"our mistake at the model", "", false, whole("424 Failed Dependency", named("ModelError"), `{"Message":"m","OriginalStatusCode":400}`), refused(assay.ClientError, 424, "424 Failed Dependency: ModelError: m")},
		{"dependency", "", false, whole("530 Site Frozen", named("InternalDependencyException"), `{"Message":"m"}`), refused(assay.Unavailable, 530, "530: InternalDependencyException: m")},
		{"validation", "", false, whole("400 Bad Request", js, `{"__type":"com.amazonaws.sagemaker#ValidationError","message":"no such endpoint"}`),
			refused(assay.ClientError, 400, "400 Bad Request: com.amazonaws.sagemaker#ValidationError: no such endpoint")},
		{"expired keys tell no text", "", false, whole("403 Forbidden", named("ExpiredTokenException"), `{"message":"token abc"}`), refused(assay.Credential, 403, "401 Unauthorized")},
		{"name that is not known", "", false, whole("503 Service Unavailable", named("Surprise"), `{"message":"m"}`), refused(assay.Unavailable, 503, "503 Service Unavailable: Surprise: m")},
	}, func(e Endpoint, api string) (Closer, error) {
		c, err := NewSageMaker(e)
		c.API = api
		return c, err
	})
}

// cutIn cuts a text into n pieces.
func cutIn(text string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, text[i*len(text)/n:(i+1)*len(text)/n])
	}
	return out
}

func TestLambdaOutcomes(t *testing.T) {
	const js, fault = "Content-Type: application/json\r\n", "Content-Type: application/json\r\nX-Amz-Function-Error: Unhandled\r\n"
	const end = "0\r\n\r\n"
	log := func(text string) string {
		return js + "X-Amz-Log-Result: " + base64.StdEncoding.EncodeToString([]byte(text)) + "\r\n"
	}
	said := func(o assay.Outcome, status int32, text string) seen {
		return seen{Outcome: o, Status: status, Error: text, FirstByte: true}
	}
	pieces := func(n int32, s seen) seen {
		s.Status, s.Arrivals, s.First, s.FirstByte = 200, int(n), n > 0, true
		return s
	}
	runCloud(t, []cloudCase{
		{"good", "", false, whole("200 OK", js, `{"answer":1}`), said(assay.OK, 200, "")},
		{"error in the body", "", false, whole("200 OK", js, `{"errorMessage":"no memory","errorType":"MemoryError"}`), said(assay.ServerError, 200, "in the answer: 500 Internal Server Error: no memory")},
		{"function error", "", false, whole("200 OK", fault, `{"errorMessage":"bad","errorType":"ValueError","stackTrace":[]}`), said(assay.ServerError, 200, "in the answer: 500 Internal Server Error: bad")},
		{"function error without a text", "", false, whole("200 OK", fault, `null`), said(assay.ServerError, 200, "in the answer: 500 Internal Server Error: Unhandled")},
		{"timed out", "", false, whole("200 OK", fault, `{"errorMessage":"2026-01-01T00:00:00Z 6a Task timed out after 3.00 seconds"}`),
			said(assay.ServerError, 200, "in the answer: 500 Internal Server Error: the function timed out")},
		{"timed out, as the emulator says it", "", false, whole("200 OK", "Content-Type: text/plain\r\n", "Task timed out after 3.00 seconds"), said(assay.ServerError, 200, "in the answer: 500 Internal Server Error: the function timed out")},
		{"raised, as the emulator says it", "", false, whole("200 OK", "Content-Type: text/plain\r\n", `{"errorMessage":"handler failed on purpose","errorType":"errorString"}`), said(assay.ServerError, 200, "in the answer: 500 Internal Server Error: handler failed on purpose")},
		{"died, as the emulator says it", "", false, whole("502 Bad Gateway", "Content-Type: text/plain\r\n", ""), said(assay.Unavailable, 502, "502 Bad Gateway")},
		{"behind a gateway", "", false, whole("200 OK", js, `{"statusCode":503,"body":"no"}`), said(assay.Unavailable, 200, "in the answer: 503 Service Unavailable: statusCode in the body")},
		{"chat", "chat", false, whole("200 OK", js, `{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":7}}`), seen{Outcome: assay.OK, Status: 200, In: 5, Out: 7, FirstByte: true}},
		{"throttled", "", false, whole("429 Too Many Requests", js+"x-amzn-ErrorType: TooManyRequestsException\r\nRetry-After: 1\r\n", `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}`),
			seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests: TooManyRequestsException: Rate Exceeded.", FirstByte: true, Retry: time.Second}},
		{"no such function", "", false, whole("404 Not Found", js+"x-amzn-ErrorType: ResourceNotFoundException\r\n", `{"Type":"User","Message":"Function not found"}`),
			said(assay.ClientError, 404, "404 Not Found: ResourceNotFoundException: Function not found")},
		{"starting", "", false, whole("502 Bad Gateway", js+"x-amzn-ErrorType: ResourceNotReadyException\r\n", `{"Message":"m"}`), said(assay.Loading, 502, "502 Bad Gateway: ResourceNotReadyException: m")},
		{"may not", "", false, whole("403 Forbidden", js+"x-amzn-ErrorType: AccessDeniedException\r\n", `{"Message":"arn:aws:iam::1:user/x is not authorized"}`), said(assay.Credential, 403, "401 Unauthorized")},

		{"streamed", "", true, frameHead + chunked(piece("ab"), piece("cd"), invokeComplete("{}")) + end, pieces(2, seen{Outcome: assay.OK})},
		{"streamed chat", "chat", true, frameHead + chunked(piece(tokenA), piece(tokenA+usage+doneLine), invokeComplete(`{"ErrorCode":null}`)) + end,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 5, Out: 7, First: true, FirstByte: true}},
		{"streamed, then a raise", "", true, frameHead + chunked(piece("ab"), invokeComplete(`{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorMessage\":\"oops\",\"errorType\":\"Error\"}"}`)) + end,
			pieces(1, seen{Outcome: assay.ServerError, Error: "in the answer: Unhandled: oops"})},
		{"streamed chat, then a raise", "chat", true, frameHead + chunked(piece(tokenA), invokeComplete(`{"ErrorCode":"Unhandled","ErrorDetails":"x"}`)) + end,
			seen{Outcome: assay.ServerError, Status: 200, Error: "in the answer: Unhandled: x", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"streamed, an error as the answer", "", true, frameHead + chunked(piece(`{"errorMessage":"oops","errorType":"Error"}`), invokeComplete("{}")) + end,
			pieces(1, seen{Outcome: assay.ServerError, Error: "in the answer: 500 Internal Server Error: oops"})},
		{"streamed without its end", "", true, frameHead + chunked(piece("ab")) + end, pieces(1, seen{Outcome: assay.CutFIN, Error: closedText})},
		{"stream refused", "", true, frameHead + chunked(frame(`{"Message":"m"}`, ":message-type", "exception", ":exception-type", "ServiceUnavailableException")) + end,
			pieces(0, seen{Outcome: assay.Unavailable, Error: "in the answer: ServiceUnavailableException: m"})},
		{"end that is not JSON", "", true, frameHead + chunked(invokeComplete("x")) + end, pieces(0, seen{Outcome: assay.BadPayload, Error: "InvokeComplete is not JSON"})},
	}, func(e Endpoint, api string) (Closer, error) {
		c, err := NewLambda(e)
		c.API = api
		return c, err
	})

	for text, want := range map[string]assay.Cold{
		"START RequestId: a\nREPORT RequestId: a\tDuration: 2 ms\tInit Duration: 300.1 ms\t":    assay.ColdYes,
		"REPORT RequestId: a\tDuration: 2 ms\tRestore Duration: 300.1 ms\t":                     assay.ColdYes,
		"Init Duration: as the function says\nREPORT RequestId: a\tDuration: 2 ms\tMax Memory:": assay.ColdNo,
		"nothing": assay.ColdUnknown,
	} {
		for name, answer := range map[string]string{"whole": whole("200 OK", log(text), "1"),
			"streamed": frameHead + chunked(piece("1"), invokeComplete(`{"LogResult":"`+base64.StdEncoding.EncodeToString([]byte(text))+`"}`)) + end} {
			c, err := NewLambda(Endpoint{URL: rude(t, func(conn *net.TCPConn, _ int) { io.WriteString(conn, answer) }), Clock: clock.New()})
			if err != nil {
				t.Fatal(err)
			}
			c.LogTail = true
			if r := do(t, c, name == "streamed", 5*time.Second); r.Outcome != assay.OK || r.Cold != want {
				t.Errorf("%s, %q: %v %v, want %v", name, text, r.Outcome, r.Cold, want)
			}
			c.Close()
		}
	}
}

// TestCloudRequests: what is asked, and where.
func TestCloudRequests(t *testing.T) {
	type asked struct{ URI, Body, Headers string }
	var got asked
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var headers []string
		for _, name := range []string{"X-Amz-Invocation-Type", "X-Amz-Log-Type", "X-Amzn-Sagemaker-Target-Variant", "X-Amzn-Sagemaker-Inference-Component", "X-Amzn-Sagemaker-Target-Model"} {
			if v := r.Header.Get(name); v != "" {
				headers = append(headers, strings.TrimPrefix(strings.TrimPrefix(name, "X-Amz-"), "X-Amzn-Sagemaker-")+"="+v)
			}
		}
		got = asked{r.RequestURI, string(b), strings.Join(headers, " ")}
		io.WriteString(w, "1")
	}))
	defer s.Close()
	lambda := func(set func(*Lambda)) func(Endpoint) Closer {
		return func(e Endpoint) Closer {
			c, err := NewLambda(e)
			if err != nil {
				t.Fatal(err)
			}
			set(c)
			return c
		}
	}
	sagemaker := func(set func(*SageMaker)) func(Endpoint) Closer {
		return func(e Endpoint) Closer {
			c, err := NewSageMaker(e)
			if err != nil {
				t.Fatal(err)
			}
			set(c)
			return c
		}
	}
	const plain = `{"prompt":"alpha beta gamma delta","max_tokens":7}`
	for _, c := range []struct {
		path   string
		open   func(Endpoint) Closer
		stream bool
		want   asked
	}{
		{"", lambda(func(c *Lambda) {}), false, asked{"/2015-03-31/functions/m/invocations", plain, "Invocation-Type=RequestResponse"}},
		{"", lambda(func(c *Lambda) { c.Function, c.Qualifier, c.LogTail = "arn:aws:lambda:x:1:function:f", "prod", true }), true,
			asked{"/2021-11-15/functions/arn:aws:lambda:x:1:function:f/response-streaming-invocations?Qualifier=prod", plain, "Invocation-Type=RequestResponse Log-Type=Tail"}},
		{"/dev/2015-03-31/functions/g/invocations?Qualifier=1", lambda(func(c *Lambda) { c.Function = "f" }), true,
			asked{"/dev/2021-11-15/functions/g/response-streaming-invocations?Qualifier=1", plain, "Invocation-Type=RequestResponse"}},
		{"/hello?a=b", lambda(func(c *Lambda) { c.Extra = []byte(`{"top_k":1}`) }), true, asked{"/hello?a=b", `{"prompt":"alpha beta gamma delta","max_tokens":7,"top_k":1}`, ""}},
		{"", sagemaker(func(c *SageMaker) { c.Variant, c.Component, c.TargetModel = "v", "ic", "a.tar.gz" }), false, asked{"/endpoints/m/invocations", plain, "Target-Variant=v Inference-Component=ic Target-Model=a.tar.gz"}},
		{"", sagemaker(func(c *SageMaker) { c.Name, c.API, c.Extra = "e", "generate", []byte(`{"top_k":1}`) }), true, asked{"/endpoints/e/invocations-response-stream",
			`{"inputs":"alpha beta gamma delta","parameters":{"details":true,"max_new_tokens":7,"top_k":1},"stream":true}`, ""}},
		{"/x/endpoints/f/invocations", sagemaker(func(c *SageMaker) { c.API = "chat" }), false, asked{"/x/endpoints/f/invocations",
			`{"model":"m","messages":[{"role":"user","content":"alpha beta gamma delta"}],"max_tokens":7}`, ""}},
	} {
		k := c.open(Endpoint{URL: s.URL + c.path, Clock: clock.New()})
		do(t, k, c.stream, 5*time.Second)
		k.Close()
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.path, d)
		}
	}
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, tokenA+tokenA+usage+doneLine)
	}))
	defer own.Close()
	l, err := NewLambda(Endpoint{URL: own.URL + "/chat", Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	l.API = "chat"
	if d := cmp.Diff(seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 5, Out: 7, First: true, FirstByte: true}, see(do(t, l, true, 5*time.Second))); d != "" {
		t.Errorf("a stream of a function's own URL (-want +got)\n%s", d)
	}
	l.Close()
	c, err := NewLambda(Endpoint{URL: "https://abc.lambda-url.eu-north-1.on.aws/functions/not-an-api/x", Clock: clock.New()})
	if err != nil || !c.own {
		t.Errorf("a function's own URL is taken for the service's: %v", err)
	}
}

// TestFrameStamps: a token has the instant of the read that completed its frame, and not that of its bytes before.
func TestFrameStamps(t *testing.T) {
	whole := part(tokenA)
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", frameType)
		send := func(text string) { io.WriteString(w, text); w.(http.Flusher).Flush() }
		send(whole[:len(whole)-2])
		<-release
		send(whole[len(whole)-2:] + part(tokenA))
		send(part(finish + doneLine))
	}))
	defer s.Close()
	for _, h2 := range []bool{false, true} {
		s := s
		if h2 {
			s = httptest.NewUnstartedServer(s.Config.Handler)
			s.Config.Protocols = protocols(true)
			s.Start()
			defer s.Close()
		}
		clk := clock.New()
		c, err := NewSageMaker(Endpoint{URL: s.URL, Clock: clk, HTTP2: h2})
		if err != nil {
			t.Fatal(err)
		}
		c.API = "chat"
		unhurried(t, func(lull time.Duration) string {
			var freed int64
			go func() {
				time.Sleep(lull) // in which the first bytes arrive
				freed = clk.Now()
				release <- struct{}{}
			}()
			r := do(t, c, true, pacetest.Patience)
			if r.Outcome != assay.OK || len(r.Arrivals) != 2 || r.Arrivals[0] < freed || r.FirstByte >= freed {
				return fmt.Sprintf("HTTP/2 %v: %v %s, arrivals %v, first byte %d, released at %d", h2, r.Outcome, r.Error, r.Arrivals, r.FirstByte, freed)
			}
			return ""
		})
		c.Close()
	}
}

// FuzzFrames: whatever comes and however it is cut, frames gives out payloads only, ends, and never takes a stream that was cut for a whole one.
func FuzzFrames(f *testing.F) {
	good := part("abc") + part("defg")
	f.Add([]byte(good), 3)
	f.Add([]byte(good[:len(good)-1]), 0)
	f.Add([]byte(good+frame("{}", ":message-type", "exception", ":exception-type", "ThrottlingException")), 7)
	f.Add([]byte(frame("x", ":message-type", "error", ":error-code", "a")), 1)
	f.Add([]byte("<html>"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		var src io.Reader = bytes.NewReader(b)
		if n%2 == 1 {
			src = iotest.OneByteReader(src)
		}
		now := int64(0)
		in := newFrames(&answer{body: src, framed: true, readAt: func() int64 { now++; return now }}, "PayloadPart")
		got, err := io.ReadAll(in)
		if len(got) > len(b) {
			t.Fatalf("%d bytes out of %d", len(got), len(b))
		}
		if err != nil {
			return
		}
		// It ended well: so the bytes are frames from the first to the last.
		rest := b
		for len(rest) > 0 {
			size := int(rest[0])<<24 | int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
			if size < 16 || size > len(rest) {
				t.Fatalf("a frame of %d bytes in %d was taken for whole", size, len(rest))
			}
			rest = rest[size:]
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	var body bytes.Buffer
	for range 1000 {
		body.WriteString(part(tokenA))
	}
	b.ReportAllocs()
	b.SetBytes(int64(body.Len() / 1000))
	raw, buf := body.Bytes(), make([]byte, 4<<10)
	in := newFrames(&answer{body: bytes.NewReader(raw), readAt: func() int64 { return 0 }, framed: true}, "PayloadPart")
	for b.Loop() {
		if _, err := in.Read(buf); err == io.EOF {
			in = newFrames(&answer{body: bytes.NewReader(raw), readAt: func() int64 { return 0 }, framed: true}, "PayloadPart")
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

package collectors

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

func TestOTLPHostileInput(t *testing.T) {
	o := listen(t, &OTLP{MaxBody: 1 << 20})
	s := new(sink)
	start(t, o, s)
	url := "http://" + o.HTTPAddr()
	bomb := zip(make([]byte, 8<<20))
	deepJSON := []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, 10000) + strings.Repeat("]}}", 10000) + `}]}}]}`)
	deepProto := nest(2000)
	many := bytes.Repeat([]byte{0x12, 0x00}, maxMessages+1) // empty spans
	many = field(1, field(2, many))
	good := body(t, func(ss ptrace.SpanSlice) { addSpan(ss, 1, 1, at(-1), at(0)) })
	for _, tt := range []struct {
		name    string
		path    string
		body    []byte
		headers []string
		code    int
		says    string
	}{
		{"gzip bomb", "/v1/traces", bomb, []string{"Content-Encoding", "gzip"}, 413, "body is larger than 1048576 bytes; send smaller batches"},
		{"huge body", "/v1/traces", make([]byte, 2<<20), nil, 413, "body is larger than 1048576 bytes; send smaller batches"},
		{"deep JSON", "/v1/traces", deepJSON, []string{"Content-Type", typeJSON}, 400, "decode traces: values nest deeper than 32"},
		{"deep protobuf", "/v1/traces", deepProto, nil, 400, "decode traces: values nest deeper than 32"},
		{"many messages", "/v1/traces", many, nil, 400, "decode traces: more than 500000 messages in one request; send smaller batches"},
		{"many objects", "/v1/metrics", bytes.Repeat([]byte("[]"), maxMessages+1), []string{"Content-Type", typeJSON}, 400, "decode metrics: more than 500000 messages in one request; send smaller batches"},
		{"bad ids", "/v1/traces", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}`), []string{"Content-Type", "application/json; charset=utf-8"}, 400, "decode traces: "},
		{"not protobuf", "/v1/traces", []byte("hello there"), nil, 400, "decode traces: malformed protobuf"},
		{"not gzip", "/v1/traces", good, []string{"Content-Encoding", "gzip"}, 400, "read gzip: "},
		{"torn gzip", "/v1/traces", zip(good)[:20], []string{"Content-Encoding", "gzip"}, 400, "read body: unexpected EOF"},
		{"zstd", "/v1/traces", good, []string{"Content-Encoding", "zstd"}, 415, `content encoding "zstd" is neither gzip nor identity`},
		{"text", "/v1/traces", good, []string{"Content-Type", "text/plain"}, 415, `content type "text/plain" is neither application/x-protobuf nor application/json`},
		{"elsewhere", "/v2/traces", good, nil, 404, "OTLP is taken at /v1/traces"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A body that is refused early may fail to be sent whole; the transport then reports the answer anyway.
			code, out, _ := post(t, url+tt.path, tt.body, tt.headers...)
			if code != tt.code || !strings.Contains(string(out), tt.says) {
				t.Errorf("got %d %q\nwant %d %q", code, out, tt.code, tt.says)
			}
		})
	}
	t.Run("method", func(t *testing.T) {
		resp, err := http.Get(url + "/v1/traces")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
			t.Errorf("got %d, Allow %q; want 405, POST", resp.StatusCode, resp.Header.Get("Allow"))
		}
	})
	for name, b := range map[string][]byte{"deep": deepProto, "torn": good[:len(good)-3]} {
		if err := exportGRPC(t, o, b); status.Code(err) != codes.InvalidArgument {
			t.Errorf("gRPC, %s: got %v, want InvalidArgument", name, err)
		}
	}
	if err := exportGRPC(t, o, make([]byte, 2<<20)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC, huge: got %v, want ResourceExhausted", err)
	}
	if code, _, _ := post(t, url+"/v1/traces", good); code != 200 {
		t.Errorf("after all that, a good request: got %d, want 200", code)
	}
	if len(s.spans) != 1 {
		t.Errorf("got %d spans, want the good one", len(s.spans))
	}
	// 12 bodies, one method, three over gRPC; an unknown path reaches no service. gRPC answers an oversized message before it
	// tells the handler.
	until(t, s, "16 bad requests", func() bool { return o.Counts().Bad == 16 })
}

func TestOTLPOutlivesADefect(t *testing.T) {
	o := listen(t, &OTLP{})
	broken := true
	s := &sink{refuse: func() error {
		if broken {
			panic("as if a decoder had one")
		}
		return nil
	}}
	start(t, o, s)
	b := body(t, func(ss ptrace.SpanSlice) { addSpan(ss, 1, 1, at(-1), at(0)) })
	want := "traces: a defect of assay: as if a decoder had one"
	if err := exportGRPC(t, o, b); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), want) {
		t.Errorf("gRPC: got %v, want Internal: %s", err, want)
	}
	if code, out, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", b); code != 500 || !strings.Contains(string(out), want) {
		t.Errorf("HTTP: got %d %q, want 500 %s", code, out, want)
	}
	if got := o.Counts().Bad; got != 2 {
		t.Errorf("got %d bad requests, want 2", got)
	}
	s.do(func() { broken = false })
	if code, _, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", b); code != 200 || len(s.spans) != 1 {
		t.Errorf("after that, a good request: got %d and %d spans, want 200 and 1", code, len(s.spans))
	}
}

func zip(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

// field returns a length-delimited protobuf field.
func field(n int, b []byte) []byte {
	out := []byte{byte(n<<3 | 2)}
	for l := len(b); ; l >>= 7 {
		if l < 0x80 {
			out = append(out, byte(l))
			break
		}
		out = append(out, byte(l)|0x80)
	}
	return append(out, b...)
}

// nest returns a trace request whose one attribute nests so deep.
func nest(depth int) []byte {
	v := []byte{}
	for range depth {
		v = field(5, field(1, v))
	}
	return field(1, field(1, field(1, field(2, v))))
}

func TestOTLPNestingUpToTheBoundIsTaken(t *testing.T) {
	if err := checkShape(traces, protobuf, nest(maxNesting), maxMessages); err != nil {
		t.Errorf("%d levels: got %v, want none", maxNesting, err)
	}
	if err := checkShape(traces, protobuf, nest(maxNesting+8), maxMessages); !errors.Is(err, errDeep) {
		t.Errorf("%d levels: got %v, want %v", maxNesting+8, err, errDeep)
	}
	inOld := field(1, append(appendTag(nil, 1000), field(0, field(2, field(9, field(2, nestValue(100)))))[1:]...))
	if err := checkShape(traces, protobuf, inOld, maxMessages); !errors.Is(err, errDeep) {
		t.Errorf("in the field of 2021: got %v, want %v", err, errDeep)
	}
}

func nestValue(depth int) []byte {
	v := []byte{}
	for range depth {
		v = field(5, field(1, v))
	}
	return v
}

func appendTag(b []byte, n int) []byte {
	tag := n<<3 | 2
	for tag >= 0x80 {
		b = append(b, byte(tag)|0x80)
		tag >>= 7
	}
	return append(b, byte(tag))
}

func TestOTLPBounds(t *testing.T) {
	o := listen(t, &OTLP{MaxAttrs: 2, MaxValue: 5})
	s := new(sink)
	stop := start(t, o, s)
	b := body(t, func(ss ptrace.SpanSlice) {
		sp := addSpan(ss, 1, 1, at(-1), at(0))
		sp.SetName(strings.Repeat("n", 600))
		sp.Attributes().PutStr("long", "abcdé")
		sp.Attributes().PutStr("bad", "a\xffb")
		sp.Attributes().PutStr("third", "too many")
	})
	post(t, "http://"+o.HTTPAddr()+"/v1/traces", b)
	stop()
	if got, want := s.spans[0].Attrs, []assay.Attr{{Key: "long", Value: "abcd"}, {Key: "bad", Value: "a\uFFFDb"}}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(s.spans[0].Name) != maxName || o.Counts().Clipped != 3 {
		t.Errorf("got a name of %d bytes and %d clipped, want %d and 3", len(s.spans[0].Name), o.Counts().Clipped, maxName)
	}
}

func FuzzOTLP(f *testing.F) {
	f.Add(false, uint8(0), body(f, func(ss ptrace.SpanSlice) {
		addSpan(ss, 1, 1, at(-1), at(0)).Attributes().PutEmptySlice("a").AppendEmpty().SetInt(1)
	}))
	f.Add(true, uint8(0), []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abababababababababababababababab","spanId":"0000000000000002","startTimeUnixNano":"1"}]}]}]}`))
	f.Add(false, uint8(1), []byte{0x0a, 0x00})
	f.Add(true, uint8(2), []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`))
	o := &OTLP{Clock: clock.New(), MaxValue: 64, MaxAttrs: 8}
	o.gate.open()
	o.emit = func(r assay.Record) error {
		sp, ok := r.(*assay.Span)
		if ok && (sp.TraceID.IsZero() || sp.SpanID.IsZero() || sp.Start == 0 || sp.End < sp.Start || len(sp.Attrs) > 2*8 || len(sp.Name) > maxName) {
			return fmt.Errorf("span %+v", sp)
		}
		return nil
	}
	f.Fuzz(func(t *testing.T, json bool, sig uint8, b []byte) {
		enc := protobuf
		if json {
			enc = otlpJSON
		}
		if _, err := o.export(signal(sig%3), enc, b); err != nil && status.Code(err) != codes.InvalidArgument {
			t.Fatal(err)
		}
	})
}

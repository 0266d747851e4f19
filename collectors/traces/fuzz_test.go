package traces

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// fuzz reads arbitrary bytes as a kind: whatever they are, nothing that cannot be true is emitted, and the counts add up.
func fuzz(f *testing.F, name string) {
	paths, _ := filepath.Glob("testdata/*.json")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	msg, _ := batch(1, 2).MarshalProto()
	js, _ := batch(1, 2).MarshalJSON()
	f.Add(msg)
	f.Add(js)
	f.Add(append([]byte{0, 0, byte(len(msg) >> 8), byte(len(msg))}, msg...))
	f.Add([]byte(`[[{"traceId":"1","id":"a","timestamp":"9223372036854775807","duration":-1e300}]]`))
	k := kind(f, name)
	f.Fuzz(func(t *testing.T, b []byte) {
		file := func() *input.File { return input.NewFile("in", bytes.NewReader(b), nil) }
		var state any
		if name == "zipkin" { // whose reader looks at its file twice
			h, err := readHalves(file())
			if err != nil {
				return
			}
			state = h
		}
		_, _ = inputtest.Made(t, k, b, state, 64, nil)
	})
}

func FuzzOTLP(f *testing.F)   { fuzz(f, "otlp") }
func FuzzJaeger(f *testing.F) { fuzz(f, "jaeger") }
func FuzzZipkin(f *testing.F) { fuzz(f, "zipkin") }
func FuzzXRay(f *testing.F)   { fuzz(f, "xray") }

// FuzzTempoAnswer: whatever a Tempo answers, its trace is a part of the answer, or there is an error.
func FuzzTempoAnswer(f *testing.F) {
	f.Add([]byte("\x0a\x02ab\x18\x01"), false)
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"), false)
	f.Add([]byte(`{"trace":{"resourceSpans":[]},"status":"PARTIAL"}`), true)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		typ := typeProtobuf
		if asJSON {
			typ = "application/json"
		}
		msg, partial, err := opened(body, typ)
		if err != nil && (msg != nil || partial) || !bytes.Contains(body, msg) {
			t.Errorf("%q gave %q, %v, %v", body, msg, partial, err)
		}
	})
}

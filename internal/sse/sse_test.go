package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

type event struct {
	Data, Name, ID string
	Partial        bool
}

// all reads every event of src and the error that ended it, io.EOF as nil.
func all(r *Reader) ([]event, error) {
	var got []event
	for {
		var e Event
		switch err := r.Next(&e); {
		case err == io.EOF:
			return got, nil
		case err != nil:
			return got, err
		}
		got = append(got, event{string(e.Data), string(e.Name), string(e.ID), e.Partial})
	}
}

var streams = []struct {
	name, in string
	want     []event
}{
	{"empty", "", nil},
	{"one", "data: a\n\n", []event{{Data: "a"}}},
	{"crlf", "data: a\r\n\r\ndata: b\r\n\r\n", []event{{Data: "a"}, {Data: "b"}}},
	{"cr", "data: a\r\rdata: b\r\r", []event{{Data: "a"}, {Data: "b"}}},
	{"mixed ends", "data: a\r\n\ndata: b\n\r\n", []event{{Data: "a"}, {Data: "b"}}},
	{"no space", "data:a\n\n", []event{{Data: "a"}}},
	{"one space only", "data:  a\n\n", []event{{Data: " a"}}},
	{"lines are joined", "data: a\ndata: b\ndata\n\n", []event{{Data: "a\nb\n"}}},
	{"empty data is an event", "data:\n\n", []event{{}}},
	{"comments", ": hello\ndata: a\n:x\n\n:\n\n", []event{{Data: "a"}}},
	{"name", "event: x\ndata: a\n\ndata: b\n\n", []event{{Data: "a", Name: "x"}, {Data: "b"}}},
	{"a name alone is no event", "event: x\n\ndata: b\n\n", []event{{Data: "b"}}},
	{"id stays", "id: 7\ndata: a\n\ndata: b\n\n", []event{{Data: "a", ID: "7"}, {Data: "b", ID: "7"}}},
	{"id with NUL", "id: 7\x00\ndata: a\n\n", []event{{Data: "a"}}},
	{"unknown fields", "retry: 10\nfoo: bar\ndata: a\n\n", []event{{Data: "a"}}},
	{"byte order mark", "\xef\xbb\xbfdata: a\n\n", []event{{Data: "a"}}},
	{"no final newline", "data: a\n\ndata: [DONE]", []event{{Data: "a"}, {Data: "[DONE]", Partial: true}}},
	{"no empty line", "data: [DONE]\n", []event{{Data: "[DONE]", Partial: true}}},
	{"blank lines between", "\n\n\ndata: a\n\n\n\n", []event{{Data: "a"}}},
}

func TestStreams(t *testing.T) {
	for _, c := range streams {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader,
			"half": iotest.HalfReader, "data with error": iotest.DataErrReader,
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				got, err := all(NewReader(wrap(strings.NewReader(c.in)), nil))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Errorf("events (-want +got):\n%s", d)
				}
			})
		}
	}
}

// pieces is a source that gives one piece a read and stamps it with its number.
type pieces struct {
	list []string
	n    int64
}

func (p *pieces) Read(b []byte) (int, error) {
	if int(p.n) == len(p.list) {
		return 0, io.EOF
	}
	p.n++
	return copy(b, p.list[p.n-1]), nil
}

func TestStampIsThatOfTheCompletingRead(t *testing.T) {
	src := &pieces{list: []string{"data: a\n\ndata: b\n\nda", "ta: c\n", "\ndata: d\n\n", "data: e"}}
	r := NewReader(src, func() int64 { return src.n * 100 })
	var got []string
	var e Event
	for r.Next(&e) == nil {
		got = append(got, fmt.Sprintf("%s@%d", e.Data, e.At))
	}
	want := []string{"a@100", "b@100", "c@300", "d@300", "e@400"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("stamps (-want +got):\n%s", d)
	}
}

func TestBrokenStreamLosesTheOpenEvent(t *testing.T) {
	broken := errors.New("broken")
	got, err := all(NewReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)), nil))
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if d := cmp.Diff([]event{{Data: "a"}}, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func TestLimit(t *testing.T) {
	for name, in := range map[string]string{
		"one line":   "data: ok\n\ndata: " + strings.Repeat("x", 200) + "\n\n",
		"no end":     "data: ok\n\ndata: " + strings.Repeat("x", 100000),
		"many lines": "data: ok\n\n" + strings.Repeat("data: xxxxxxxxxx\n", 20) + "\n",
	} {
		r := NewReader(strings.NewReader(in), nil)
		r.Max = 100
		got, err := all(r)
		if !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "more than 100 bytes") {
			t.Errorf("%s: error %v, want one that names the limit", name, err)
		}
		if d := cmp.Diff([]event{{Data: "ok"}}, got); d != "" {
			t.Errorf("%s: events (-want +got):\n%s", name, d)
		}
		var e Event
		if again := r.Next(&e); !errors.Is(again, ErrTooLong) {
			t.Errorf("%s: second error %v, want the same", name, again)
		}
	}
}

func TestStuckSource(t *testing.T) {
	_, err := all(NewReader(readFunc(func([]byte) (int, error) { return 0, nil }), nil))
	if err != io.ErrNoProgress {
		t.Errorf("error %v, want %v", err, io.ErrNoProgress)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// TestRecordedStream reads a stream that a real inference server's simulator sent.
func TestRecordedStream(t *testing.T) {
	raw, err := os.ReadFile("../../../shared/data/recordings/llm-d-inference-sim-stream-timestamped.txt")
	if err != nil {
		t.Skip("recording is not here:", err)
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		lines = append(lines, rest)
	}
	got, err := all(NewReader(strings.NewReader(strings.Join(lines, "\n")+"\n"), nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 3 || !strings.HasPrefix(got[0].Data, `{"id":"chatcmpl-`) || got[len(got)-1].Data != "[DONE]" {
		t.Errorf("%d events, want a chat stream that ends in [DONE]; got %+v", len(got), got)
	}
}

// simple is the standard's algorithm in its plainest form, the reference for the fuzz test.
func simple(in string) []event {
	in = strings.TrimPrefix(in, "\xef\xbb\xbf")
	in = strings.ReplaceAll(strings.ReplaceAll(in, "\r\n", "\n"), "\r", "\n")
	var out []event
	var data []string
	var name, id string
	for line := range strings.SplitSeq(in, "\n") {
		if line == "" {
			if data != nil {
				out = append(out, event{Data: strings.Join(data, "\n"), Name: name, ID: id})
			}
			data, name = nil, ""
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case key == "data":
			data = append(data, value)
		case key == "event":
			name = value
		case key == "id" && !strings.Contains(value, "\x00"):
			id = value
		}
	}
	return out
}

func FuzzReader(f *testing.F) {
	for _, c := range streams {
		f.Add([]byte(c.in), byte(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		src := bytes.NewReader(in)
		got, err := all(NewReader(readFunc(func(b []byte) (int, error) {
			return src.Read(b[:min(len(b), int(step)+1)])
		}), nil))
		if len(in) > DefaultMax {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got); n > 0 && got[n-1].Partial {
			got = got[:n-1]
		}
		// The reference sees an empty last line where the input ends in one newline, so give it none to see.
		want := simple(string(in))
		if n := len(want); n == len(got)+1 && endsOpen(string(in)) {
			want = want[:n-1]
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("events of %q (-want +got):\n%s", in, d)
		}
	})
}

// endsOpen reports whether the last event of in was not ended by an empty line.
func endsOpen(in string) bool {
	in = strings.ReplaceAll(strings.ReplaceAll(in, "\r\n", "\n"), "\r", "\n")
	return !strings.HasSuffix(in, "\n\n")
}

func BenchmarkReader(b *testing.B) {
	const chunk = `data: {"id":"chatcmpl-c496aaab","model":"tiny","object":"chat.completion.chunk","created":1795434886,"usage":null,"choices":[{"index":0,"finish_reason":null,"delta":{"content":"Testing"}}]}` + "\n\n"
	stream := []byte(strings.Repeat(chunk, 1000))
	src := bytes.NewReader(stream)
	r := NewReader(src, func() int64 { return 1 })
	var e Event
	b.ReportAllocs()
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if err := r.Next(&e); err == io.EOF {
			src.Reset(stream)
			r.Reset(src)
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

func TestNoAllocationPerEvent(t *testing.T) {
	src := strings.NewReader("")
	r := NewReader(src, func() int64 { return 1 })
	var e Event
	text := strings.Repeat("event: x\nid: 1\ndata: abc\ndata: def\n\n", 100)
	got := testing.AllocsPerRun(20, func() {
		src.Reset(text)
		r.Reset(src)
		for r.Next(&e) == nil {
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for 100 events, want 0", got)
	}
}

func ExampleReader() {
	r := NewReader(strings.NewReader("data: {\"token\":\"Hello\"}\n\ndata: [DONE]\n\n"), func() int64 { return 42 })
	var e Event
	for r.Next(&e) == nil {
		fmt.Printf("%d %s\n", e.At, e.Data)
	}
	// Output:
	// 42 {"token":"Hello"}
	// 42 [DONE]
}

package captures

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// read reads a capture with options as a person writes them.
func read(t testing.TB, spec string) (requests []assay.Request, sum input.Summary, err error) {
	t.Helper()
	s, err := input.ParseSpec(&Kinds[0], spec)
	if err != nil {
		return nil, sum, err
	}
	sum, err = inputtest.Read(t, s, input.Settings{Latest: 2e18}, func(_ *input.Set, r assay.Record) {
		if r, ok := r.(*assay.Request); ok {
			requests = append(requests, *r)
		}
	})
	return requests, sum, err
}

const epoch = int64(1e6) // from the first record to run time 0

// The recording: twelve tokens at the instants of their lines. What it does not tell is filled in by the headers and by who knows when it was asked for.
func TestRecording(t *testing.T) {
	got, sum, err := read(t, "testdata/stream.txt")
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	arrivals := got[0].Arrivals
	if len(arrivals) != 12 || arrivals[0] != epoch+2_545_252 || arrivals[1]-arrivals[0] != 9_824_291 || arrivals[11]-arrivals[0] != 245_788_844 {
		t.Errorf("arrivals: %v", arrivals)
	}
	bare := assay.Request{ID: 1, Phase: phase, Outcome: assay.OK, Due: epoch, NoSchedule: true, TokensIn: 15, TokensOut: 12, Arrivals: arrivals}
	if d := cmp.Diff(bare, got[0]); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"1 answers do not say when they were asked for: neither the time to the first token nor the whole time is known; sent= says it"}, sum.Notes); sum.Read != 32 || sum.Kept != 32 || d != "" {
		t.Errorf("%+v\n%s", sum, d)
	}
	whole, sum, err := read(t, "testdata/stream.txt,headers=testdata/headers.txt,sent=1795434886.437")
	if err != nil || len(whole) != 1 || len(sum.Notes) != 0 {
		t.Fatal(whole, sum.Notes, err)
	}
	full := bare
	full.Status, full.Instance, full.Sent, full.FirstByte = 200, "sim-0", epoch, epoch+437_649
	full.FirstToken, full.End, full.Arrivals = full.FirstByte+2_545_252, epoch+294_878_722, whole[0].Arrivals
	if d := cmp.Diff(full, whole[0]); d != "" || whole[0].Arrivals[0] != full.FirstToken {
		t.Errorf("request with its head (-want +got):\n%s", d)
	}
}

// What ends an answer, and what does not.
func TestEndings(t *testing.T) {
	line := func(at float64, text string) string {
		return fmt.Sprintf("%.3f %s\n%.3f \n", 1795434886+at, text, 1795434886+at+0.001)
	}
	token := func(at float64, id string) string {
		return line(at, `data: {"id":"`+id+`","choices":[{"delta":{"content":"x"}}]}`)
	}
	for name, tt := range map[string]struct {
		text string
		want []string
		rej  map[string]int64
	}{
		"two answers":             {token(0, "a") + line(1, "data: [DONE]") + token(2, "b") + token(3, "b") + line(4, "data: [DONE]"), []string{"ok 0 1", "ok 2000 2"}, nil},
		"an answer after another": {token(0, "a") + line(1, `data: {"id":"a","choices":[{"delta":{},"finish_reason":"stop"}]}`) + token(2, "b"), []string{"ok 0 1", "unknown 2000 1"}, nil},
		"no end":                  {token(0, "a"), []string{"unknown 0 1"}, nil},
		"an error in it":          {token(0, "a") + line(1, `data: {"error":{"message":"out of memory"}}`) + line(2, "data: [DONE]"), []string{"server_error 0 1"}, nil},
		"a head within":           {"1795434885.000 HTTP/1.1 503 Service Unavailable\n1795434885.000 X-Pod-Name: p\n1795434885.000 \n" + line(0, `data: {"error":"loading"}`), []string{"server_error 0 0"}, nil},
		"what is none": {"no stamp\n" + line(0, ": hello") + line(0, "data: word") + token(1, "a") + line(2, "data: [DONE]") + line(3, "data: [DONE]"), []string{"ok 0 1"},
			map[string]int64{"no stamp before the line": 1, "a comment of the stream": 1, "an event that is no chunk of an answer": 3, "the end of an answer that is not here": 2}},
		"dates": {"2026-11-23T11:54:46.5Z data: {\"choices\":[{\"text\":\"x\"}]}\n2026-11-23T11:54:46.5Z \n2026-11-23T11:54:47Z data: [DONE]\n", []string{"ok 0 1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, sum, err := read(t, inputtest.File(t, "x.txt", tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, r := range got {
				lines = append(lines, fmt.Sprintf("%v %d %d", r.Outcome, (r.Due-got[0].Due)/1e6, r.TokensOut))
			}
			if d := cmp.Diff(tt.want, lines); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.rej, sum.Rejected); d != "" || sum.Read != int64(strings.Count(tt.text, "\n")) {
				t.Errorf("of %d lines %d were counted; rejected (-want +got):\n%s", strings.Count(tt.text, "\n"), sum.Read, d)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"testdata/headers.txt":                            "it is the head of an answer and has no times: want the stream itself, and this beside it: --stream STREAM,headers=testdata/headers.txt",
		"testdata/stream.txt,headers=testdata/none.txt":   "no such file",
		"testdata/stream.txt,headers=testdata/stream.txt": "no line such as HTTP/1.1 200 OK",
		"testdata/stream.txt,sent=soon":                   `sent "soon": want a date, or a number of seconds`,
		"testdata/stream.txt,sent=1795434887":             "sent 1795434887: the first line came 0.563 s before",
	} {
		if _, _, err := read(t, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", spec, err, want)
		}
	}
}

// FuzzStream: any text as a capture ends in requests or an error, every line is counted once, and instants are in order.
func FuzzStream(f *testing.F) {
	raw, err := os.ReadFile("testdata/stream.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("1795434885.1 HTTP/1.1 200 OK\n1795434885.2 \n1795434885.3 data: {\"error\":1}\n"))
	f.Add([]byte("-1 data: {}\n1e300 data: [DONE]\n:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := int64(0)
		for l := range strings.SplitSeq(string(text), "\n") {
			if strings.TrimSpace(strings.TrimPrefix(l, "\xef\xbb\xbf")) != "" {
				lines++
			}
		}
		tally, err := inputtest.Made(t, &Kinds[0], text, nil, 1, func(r assay.Record) {
			if r, ok := r.(*assay.Request); ok && (r.Due <= 0 || len(r.Arrivals) > int(lines)) {
				t.Errorf("%+v", r)
			}
		})
		if err == nil && tally.Read() > lines {
			t.Errorf("%d lines were counted of %d", tally.Read(), lines)
		}
	})
}

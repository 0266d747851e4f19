package recorded

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

const shared = "../../../shared/data/"

// lines counts the lines that are not empty.
func lines(raw []byte) (n int64) {
	for l := range bytes.SplitSeq(raw, []byte("\n")) {
		if len(bytes.TrimSpace(l)) > 0 {
			n++
		}
	}
	return n
}

// matching counts the lines that match.
func matching(pattern string) func([]byte) int64 {
	re := regexp.MustCompile(pattern)
	return func(raw []byte) int64 { return int64(len(re.FindAll(raw, -1))) }
}

// A reading is how some recordings are read.
type reading struct {
	path    string // pattern within the shared data
	kind    string // that how they begin tells; "": none
	options string
	things  func(raw []byte) int64 // nil: not to be counted from outside
	beside  bool                   // read as an option of another file
}

// readings are how the shared recordings are read, the first that fits each.
var readings = []reading{
	{path: "*/LICENSE"},
	{path: "recordings/*.prom", kind: "metrics", things: matching(`(?m)^[^#\s]`)},
	{path: "recordings/nvidia-smi/*.metrics", kind: "metrics", things: matching(`(?m)^[^#\s]`)},
	{path: "recordings/nvidia-smi/*.txt", kind: "nvidia-smi"},
	{path: "recordings/*-stream-timestamped.txt", kind: "stream", options: "headers=recordings/llm-d-inference-sim-stream-headers.txt", things: lines},
	{path: "recordings/*-stream-headers.txt", beside: true},
	{path: "recordings/ollama-0.6.8-responses.jsonl", kind: "ollama", things: lines},
	{path: "recordings/ollama-0.6.8-serve.log", kind: "logs", things: lines},
	{path: "recordings/rie-stderr.log", kind: "lambda", things: lines},
	{path: "recordings/rie-stdout.log", kind: "lambda", options: "stderr=recordings/rie-stderr.log", things: func(raw []byte) int64 {
		other, _ := os.ReadFile(shared + "recordings/rie-stderr.log")
		return lines(raw) + lines(other)
	}},
	{path: "zipkin/*.json", kind: "zipkin", things: matching(`"duration"`)},
	{path: "critical-path/*.json", kind: "jaeger", options: "epoch=2026-01-01T00:00:00Z", things: matching(`"duration"`)},
}

// Every shared recording is read, with nothing dropped silently: what is in a file by our own count was kept or rejected with its reason, and each record that is
// kept comes out again. A file that is new there has to be told of here.
func TestEveryRecordingIsRead(t *testing.T) {
	if _, err := os.Stat(shared + "recordings"); err != nil {
		t.Skip("the shared recordings are not here")
	}
	for _, dir := range []string{"recordings", "zipkin", "critical-path"} {
		err := filepath.WalkDir(shared+dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name := strings.TrimPrefix(path, shared)
			t.Run(name, func(t *testing.T) { reads(t, path, name) })
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func reads(t *testing.T, path, name string) {
	for _, r := range readings {
		if fits, _ := filepath.Match(r.path, name); !fits {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if r.kind == "" {
			if r.beside && !slices.ContainsFunc(readings, func(o reading) bool { return strings.HasSuffix(o.options, "="+name) }) {
				t.Error("nothing says beside which file it is read")
			}
			return
		}
		k := Of(path, raw[:min(len(raw), input.MaxHead)])
		if k == nil || k.Name != r.kind {
			t.Fatalf("by how it begins it is %v, want %s", k, r.kind)
		}
		spec := path
		if option, value, ok := strings.Cut(r.options, "="); ok {
			if strings.HasPrefix(value, "recordings/") {
				value = shared + value
			}
			spec += "," + option + "=" + value
		}
		s, err := input.ParseSpec(k, spec)
		if err != nil {
			t.Fatal(err)
		}
		check(t, s, raw, r.things)
		return
	}
	t.Error("nothing says how it is read")
}

// check reads a file and compares what was counted.
func check(t *testing.T, s input.Spec, raw []byte, things func([]byte) int64) {
	set, err := input.Open(t.Context(), []input.Spec{s}, input.Settings{Latest: 2e18, Temp: t.TempDir()})
	if err != nil {
		// a trace whose only span has no beginning is rejected as a whole, and says so
		if n := things; n != nil && strings.Contains(err.Error(), fmt.Sprintf("nothing to keep of %d ", n(raw))) {
			return
		}
		t.Fatal(err)
	}
	defer set.Close()
	sum := set.Summaries[0]
	rejected := int64(0)
	for _, n := range sum.Rejected {
		rejected += n
	}
	if sum.Kept == 0 || sum.Read != sum.Kept+rejected {
		t.Errorf("%d of %d kept, %d rejected", sum.Kept, sum.Read, rejected)
	}
	if things != nil && sum.Read != things(raw) {
		t.Errorf("%d %s were counted of %d", sum.Read, sum.Things, things(raw))
	}
	var out int64
	err = set.Run(t.Context(), func(r assay.Record) error {
		switch r := r.(type) {
		case *assay.Request, *assay.Span, *assay.Sample:
			out++
		case *assay.Scrape:
			out += int64(len(r.Samples))
		}
		return nil
	})
	want := sum.Samples + sum.Spans + set.Requests
	if err != nil || out != want {
		t.Errorf("%d requests, spans and samples came out of %d: %v", out, want, err)
	}
}

package input

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// jobs are lines of an id and a second: a span of that id, or a request where there is none to be.
func jobs(name string, spans bool) *Kind {
	things := "jobs"
	if spans {
		things = "spans"
	}
	return &Kind{Name: name, Things: things, Options: []Option{{Name: "instance"}}, Read: func(_ context.Context, in *Input, emit func(assay.Record) error) error {
		l := Lines{File: in.File}
		for {
			b, err := l.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			var id byte
			var at int64
			if _, err := fmt.Sscan(string(b), &id, &at); err != nil {
				return err
			}
			var r assay.Record = &assay.Request{Due: at * 1e9, End: at*1e9 + 1}
			if spans {
				r = &assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{id}, Start: at * 1e9, End: at*1e9 + 1}
			} else if in.Again(fmt.Sprint(id, at)) {
				in.Tally.Reject(Duplicate, 1)
				continue
			}
			in.Tally.Keep(1)
			if err := emit(r); err != nil {
				return err
			}
		}
	}}
}

// What two inputs tell counts once, in the first reading and in the second, and inputs that are the same are told of.
func TestToldTwice(t *testing.T) {
	dir := t.TempDir()
	lines := func(name string, ids ...int) string {
		var b strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&b, "%d %d\n", id, base+id)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, same, over := lines("a", 1, 2, 3, 2), lines("same", 1, 2, 3, 2), lines("over", 3, 4)
	w := map[string]string{"instance": "w"}
	for name, tt := range map[string]struct {
		specs []Spec
		kept  []int64
		note  []string // on the second
		want  int
	}{
		"overlapping jobs":  {[]Spec{{Kind: jobs("j", false), Path: a}, {Kind: jobs("j", false), Path: over}}, []int64{3, 1}, nil, 4},
		"overlapping spans": {[]Spec{{Kind: jobs("s", true), Path: a}, {Kind: jobs("z", true), Path: over}}, []int64{3, 1}, nil, 4},
		"other kinds":       {[]Spec{{Kind: jobs("j", false), Path: a}, {Kind: jobs("k", false), Path: over}}, []int64{3, 2}, nil, 5},
		"the same":          {[]Spec{{Kind: jobs("j", false), Path: a}, {Kind: jobs("j", false), Path: same}}, []int64{3, 0}, []string{"it holds the same as " + a + ", byte for byte, and was left out"}, 3},
		"without ids":       {[]Spec{{Kind: seconds, Path: file(t, fmt.Sprint(base))}, {Kind: seconds, Path: file(t, fmt.Sprint(base))}}, []int64{1, 0}, nil, 2}, // each line gives two
		"on purpose":        {[]Spec{{Kind: jobs("j", false), Path: a}, {Kind: jobs("j", false), Path: same, Options: w}}, []int64{3, 0}, []string{"it holds the same as " + a + ", byte for byte"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), tt.specs, Settings{})
			if err != nil {
				t.Fatal(err)
			}
			var kept []int64
			for _, sum := range s.Summaries {
				kept = append(kept, sum.Kept)
			}
			if diff := cmp.Diff(tt.kept, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.note, s.Summaries[1].Notes); diff != "" && name != "without ids" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			n := 0
			if err := s.Run(t.Context(), func(r assay.Record) error {
				switch r.(type) {
				case *assay.Request, *assay.Span:
					n++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if name == "overlapping spans" {
				n -= int(s.Requests) // made of them
			}
			if name == "without ids" {
				n-- // and a span
			}
			if n != tt.want {
				t.Errorf("%d records, want %d", n, tt.want)
			}
		})
	}
}

// A span that has the ids of another and is not the same is no duplicate: it is left out, with that for a reason.
func TestSpansOfOneIDAndOtherContent(t *testing.T) {
	k := jobs("jobs", true)
	var specs []Spec
	for _, text := range []string{fmt.Sprintf("1 %d\n2 %d\n", base, base+1), fmt.Sprintf("1 %d\n2 %d\n3 %d\n", base, base+5, base+2)} {
		specs = append(specs, Spec{Kind: k, Path: file(t, text)})
	}
	s, err := Open(t.Context(), specs, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := map[string]int64{Duplicate: 1, otherContent: 1}
	if got := s.Summaries[1]; got.Kept != 1 || got.Read != 3 || cmp.Diff(want, got.Rejected) != "" {
		t.Errorf("%+v, want %v rejected", got, want)
	}
}

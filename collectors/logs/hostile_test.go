package logs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/assay-dev/assay/collectors/input"
)

func TestHostile(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a long line":          {"INFO 01-01 00:00:00 [a.py:1] " + strings.Repeat("x", 10<<20) + "\n", "nothing to keep of 1 lines (1 a row of more than 4 MiB)"},
		"no log at all":        {"a\nb\n", "nothing to keep of 2 lines"},
		"deep JSON":            {strings.Repeat(`{"a":`, 20_000) + "\n", "nothing to keep of 1 lines"},
		"an ancient line":      {`{"time":"1200-01-01T00:00:00Z","msg":"vLLM API server version 1"}` + "\n", "nothing with a time in any input"},
		"parts without an end": {strings.Repeat("2026-01-01T00:00:00Z stdout P vLLM API server version 1\n", 100), "nothing to keep of 100 lines (100 parts of a line whose end is missing)"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := input.Open(t.Context(), []input.Spec{{Kind: &logsKind, Path: put(t, "p.log", tt.text)}}, input.Settings{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
}

// TestMorePodsThanAreFollowed: what is beyond the bound is counted, and what is within it is kept.
func TestMorePodsThanAreFollowed(t *testing.T) {
	defer func(most int) { maxInstances = most }(maxInstances)
	maxInstances = 500
	var b strings.Builder
	for i := range maxInstances + 7 {
		fmt.Fprintf(&b, `{"time":"2026-01-01T00:00:00Z","pod":"p-%d","msg":"vLLM API server version 1"}`+"\n", i)
	}
	s, err := input.Open(t.Context(), []input.Spec{{Kind: &logsKind, Path: put(t, "p.log", b.String())}}, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Summaries[0]; got.Kept != int64(maxInstances) || got.Rejected["of an instance beyond the first 50000 of its log"] != 7 {
		t.Errorf("summary %+v", got)
	}
}

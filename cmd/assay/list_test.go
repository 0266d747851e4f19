package main

import (
	"strings"
	"testing"
)

// A list fits a terminal: what is said of a thing wraps under itself, and that it is not available here begins a line.
func TestListWraps(t *testing.T) {
	got := assayIn(t, t.TempDir(), "list")
	if got.code != 0 {
		t.Fatal(got.err)
	}
	for line := range strings.Lines(got.out) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > listWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	text := listText([]listed{{Part: "fault", Name: "kill", Help: strings.Repeat("word ", 20), Proven: "live"}, {Part: "dial", Name: "memory", Help: "Less.", Here: "needs root"}})
	const want = "fault  kill    word word word word word word word word word word word word word word word word word\n" +
		"               word word word Proven live.\n" +
		"dial   memory  Less.\n" +
		"               NOT AVAILABLE HERE: needs root\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

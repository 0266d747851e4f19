package dashboards

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// TestWidth makes sure that no line of any sample is wider than asked, except a word of a table
// that nothing can break.
func TestWidth(t *testing.T) {
	for _, s := range samples() {
		for _, width := range []int{60, 72, 80, 100, 120} {
			for _, l := range strings.Split(string(render(t, Text(TextOptions{Width: width}), s.report)), "\n") {
				if textWidth(l) > width {
					t.Errorf("%s at %d columns: %d wide: %q", s.name, width, textWidth(l), l)
				}
			}
		}
	}
}

// TestTerminalSafe makes sure that strings of a run cannot steer a terminal and that colours change nothing else.
func TestTerminalSafe(t *testing.T) {
	r := hostile()
	plain := string(render(t, Text(TextOptions{}), r))
	for _, c := range plain {
		if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
			t.Errorf("plain text holds %U", c)
		}
	}
	coloured := string(render(t, Text(TextOptions{Colour: true}), r))
	for _, code := range paints {
		coloured = strings.ReplaceAll(coloured, "\x1b["+code+"m", "")
	}
	if d := cmp.Diff(plain, strings.ReplaceAll(coloured, "\x1b[0m", "")); d != "" {
		t.Errorf("colour changes more than colour:\n%s", d)
	}
	for _, c := range string(render(t, Text(TextOptions{ASCII: true}), r)) {
		if c > unicode.MaxASCII {
			t.Errorf("ASCII text holds %U", c)
		}
	}
}

func TestDecisionFirstAndLast(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(string(render(t, Text(TextOptions{}), full()))), "\n")
	if lines[0] != lines[len(lines)-1] || !strings.HasPrefix(lines[0], "NO-GO ") || !strings.HasSuffix(lines[0], "exit 10") {
		t.Errorf("first line %q, last line %q", lines[0], lines[len(lines)-1])
	}
	short := string(render(t, Text(TextOptions{}), empty()))
	if n := strings.Count(short, "exit 11"); n != 1 {
		t.Errorf("a short text says its decision %d times", n)
	}
}

func TestTextOptionsFor(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i+1 < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		width int
		env   func(string) string
		want  TextOptions
	}{
		{0, env(), TextOptions{Width: 80}},
		{100, env("LANG", "de_DE.UTF-8"), TextOptions{Width: 100, Colour: true}},
		{300, env("NO_COLOR", "1", "LANG", "C"), TextOptions{Width: 120, ASCII: true}},
		{30, env("TERM", "dumb", "LC_ALL", "C.utf8", "LANG", "C"), TextOptions{Width: 60}},
	} {
		if got := TextOptionsFor(c.width, c.env); !cmp.Equal(got, c.want) {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	tab := &table{head: []string{"TTFT p99.9", "n"}, right: []bool{false, true}, rows: [][]string{{"日本語 warm", "12"}, {"x", "3"}}}
	got, err := tab.lines(40)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"TTFT p99.9    n", "日本語 warm  12", "x             3"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  []string
	}{
		{"", 10, []string{""}}, {"one two three", 7, []string{"one two", "three"}}, {"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"日本語", 4, []string{"日本", "語"}}, {"a  b", 1, []string{"a", "b"}}, {"日", 1, []string{"日"}},
	} {
		if got := wrap(c.s, c.width); !cmp.Equal(got, c.want) {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.s, c.width, got, c.want)
		}
	}
}

// TestKinds renders every view of every sample twice and compares: same report, same bytes, report untouched.
func TestKinds(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Kinds() {
		if names[k.Name] || names[k.File] || k.Help == "" {
			t.Errorf("kind %+v: name or file is taken, or help is missing", k)
		}
		names[k.Name], names[k.File] = true, true
		if got, ok := KindOf(k.Name); !ok || got.File != k.File {
			t.Errorf("KindOf(%q) = %+v, %v", k.Name, got, ok)
		}
		for _, s := range samples() {
			before := render(t, JSON, s.report)
			a, b := render(t, k.Render, s.report), render(t, k.Render, s.report)
			if regions := k.Name == "annotations"; !bytes.Equal(a, b) || len(a) == 0 && !(regions && len(s.report.Faults) == 0) {
				t.Errorf("%s of %s differs from one time to the next, or is empty", k.Name, s.name)
			}
			if !bytes.Equal(before, render(t, JSON, s.report)) {
				t.Errorf("%s changes the report %s", k.Name, s.name)
			}
		}
	}
	if _, ok := KindOf("pdf"); ok {
		t.Error("there is no pdf")
	}
}

func ExampleText() {
	if err := Text(TextOptions{ASCII: true})(os.Stdout, empty()); err != nil {
		panic(err)
	}
	// Output:
	// INCONCLUSIVE no gated objectives; availability not measured       1.5 s  exit 11
	// WHY    no request was sent
	//
	// OBJECTIVES none: nothing was asked, so nothing can pass or fail
	//
	// NATURAL    not measured, because nothing was watched
	// UNSEEN     limit, faults, instances, cold starts, bottleneck, scaling: not
	//            measured, because the run has no fault, no span and no event of an
	//            instance
	// TRUST      valid: no check of the measurement was recorded
	// RUN        seed 1
}

package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assay-dev/assay/internal/plan"
)

var update = flag.Bool("update", false, "write the outputs into the README")

var (
	fileBlock    = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```\\w+\n(.*?)```")
	consoleBlock = regexp.MustCompile("(?s)```console\n\\$ assay ([^\n]*)\n(.*?)```")
	notHere      = regexp.MustCompile(`(?m)^ +NOT AVAILABLE HERE: .*\n(?: .*\n)*`) // to the end of what is said of a thing in a list
	shellBlock   = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// TestReadme runs the README's commands and compares what they print with what it shows.
func TestReadme(t *testing.T) {
	path := filepath.Join("..", "..", "README.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	readme := string(raw)
	dir := t.TempDir()
	files := fileBlock.FindAllStringSubmatch(readme, -1)
	if len(files) == 0 {
		t.Fatal("the README shows no plan")
	}
	for _, f := range files {
		write(t, dir, f[1], f[2])
	}
	t.Setenv("API_TOKEN", "x")
	shown := consoleBlock.FindAllStringSubmatch(readme, -1)
	if len(shown) < 2 {
		t.Fatalf("the README shows %d commands with their output", len(shown))
	}
	for _, b := range shown {
		got := assayIn(t, dir, strings.Fields(b[1])...)
		if got.code != 0 {
			t.Errorf("assay %s: exit %d: %s", b[1], got.code, got.err)
		}
		got.out = notHere.ReplaceAllString(got.out, "") // the README shows a machine that can do all
		if got.out == b[2] {
			continue
		}
		if *update {
			readme = strings.Replace(readme, b[0], "```console\n$ assay "+b[1]+"\n"+got.out+"```", 1)
			continue
		}
		t.Errorf("assay %s prints\n%s\nand the README shows\n%s\nRun go test ./cmd/assay -run Readme -update", b[1], got.out, b[2])
	}
	if *update {
		if err := os.WriteFile(path, []byte(readme), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Commands that are shown without output must at least be commands that exist with those flags.
	for _, b := range shellBlock.FindAllStringSubmatch(readme, -1) {
		for line := range strings.Lines(b[1]) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
			args, ok := strings.CutPrefix(line, "assay ")
			if !ok {
				continue
			}
			if got := assayIn(t, dir, append(strings.Fields(args), "--help")...); got.code != 0 {
				t.Errorf("%s: %s", line, got.err)
			}
		}
	}
}

// TestReadmeShowsARealRun: the report in the README has the sections that a report has now, and the built-in plan is the one that made it.
func TestReadmeShowsARealRun(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "<!-- run-output -->")
	output, _, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatal("the README shows no run")
	}
	for _, section := range []string{"OBJECTIVE", "NATURAL", "INJECTED", "OVERLOAD", "COLD", "BOTTLENECK", "SCALING", "TRUST", "LIMIT", "DEMO"} {
		if !strings.Contains(output, "\n"+section) {
			t.Errorf("the run in the README lacks %s", section)
		}
	}
	p, err := plan.Parse("built-in plan", plan.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range p.Objectives {
		if bound, _ := o.Max.MarshalText(); !strings.Contains(strings.ReplaceAll(output, " ", ""), "≤"+string(bound)) {
			t.Errorf("the run in the README lacks the objective %s ≤ %s", o.Metric, bound)
		}
	}
}

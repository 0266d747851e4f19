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
	localLink    = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	shellBlock   = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// pages returns the paths of the README and of what it leads to.
func pages(t *testing.T) []string {
	t.Helper()
	more, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(more) == 0 {
		t.Fatalf("no page beside the README: %v", err)
	}
	return append([]string{filepath.Join("..", "..", "README.md")}, more...)
}

// TestReadme runs the commands of the README and of its pages, in one directory, and compares what they print with what is shown.
func TestReadme(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("API_TOKEN", "x")
	files, shown := 0, 0
	for _, path := range pages(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		page, name := string(raw), filepath.Base(path)
		for _, f := range fileBlock.FindAllStringSubmatch(page, -1) {
			files++
			write(t, dir, f[1], f[2])
		}
		for _, b := range consoleBlock.FindAllStringSubmatch(page, -1) {
			shown++
			got := assayIn(t, dir, strings.Fields(b[1])...)
			if got.code != 0 {
				t.Errorf("%s: assay %s: exit %d: %s", name, b[1], got.code, got.err)
			}
			got.out = notHere.ReplaceAllString(got.out, "") // the pages show a machine that can do all
			if got.out == b[2] {
				continue
			}
			if *update {
				page = strings.Replace(page, b[0], "```console\n$ assay "+b[1]+"\n"+got.out+"```", 1)
				continue
			}
			t.Errorf("assay %s prints\n%s\nand %s shows\n%s\nRun go test ./cmd/assay -run Readme -update", b[1], got.out, name, b[2])
		}
		if *update {
			if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		// Commands that are shown without output must at least be commands that exist with those flags.
		for _, b := range shellBlock.FindAllStringSubmatch(page, -1) {
			for line := range strings.Lines(b[1]) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
				args, ok := strings.CutPrefix(line, "assay ")
				if !ok {
					continue
				}
				line, _, _ = strings.Cut(args, " && ")
				if got := assayIn(t, dir, append(strings.Fields(line), "--help")...); got.code != 0 {
					t.Errorf("%s: assay %s: %s", name, line, got.err)
				}
			}
		}
		for _, link := range localLink.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
				t.Errorf("%s leads to %s: %v", name, link[1], err)
			}
		}
	}
	if files < 2 || shown < 2 {
		t.Fatalf("the pages show %d files and %d commands with their output", files, shown)
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

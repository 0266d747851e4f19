package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// TestWrongUsage: what is called wrongly says what would be right.
func TestWrongUsage(t *testing.T) {
	for args, want := range map[string]string{
		"runn":                  `"runn" is no command of assay; did you mean "run"?`,
		"stat mtfb":             `"mtfb" is no command of assay stat; did you mean "mtbf"?`,
		"stat zzzzzz":           `known here: availability, burn`,
		"run --ur x":            "unknown flag: --ur; did you mean --ui?; see assay run --help",
		"merge":                 "want assay merge DIR... --out DIR, got 0 arguments; see assay merge --help",
		"run a b":               "want assay run [PLAN], got 2 arguments",
		"run --size quick":      "--size goes with --suite",
		"run p.yaml --slo a=1":  "--slo goes with --url; a plan says it itself: objectives",
		"assess x --slo nope=1": `--slo "nope" is no metric; for example ttft/p95, e2e/p95 or error_ratio; assay list metric names all`,
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), strings.NewReader(""), &out, &errs, strings.Fields(args)); code != assay.ExitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %q, want %q", args, code, errs.String(), want)
		}
	}
}

// TestHelpGroups: each command that help shows stands in a group, and each example and group names commands that exist.
func TestHelpGroups(t *testing.T) {
	root := command(stdio{})
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.GroupID == "" {
			t.Errorf("%s is in no group", c.Name())
		}
	}
	known := append(subcommands(root), "help")
	for _, g := range groups {
		for _, name := range g.commands {
			if !slices.Contains(known, name) {
				t.Errorf("group %s names %s, which is no command", g.id, name)
			}
		}
	}
	for name := range examples {
		if name != root.Name() && !slices.Contains(known, name) {
			t.Errorf("an example is of %s, which is no command", name)
		}
	}
}

func TestLatest(t *testing.T) {
	dir := t.TempDir()
	if got := latest(filepath.Join(dir, "latest")); got != filepath.Join(dir, "latest") {
		t.Errorf("without a run: got %s", got)
	}
	for i, name := range []string{"b", "a"} {
		path := filepath.Join(dir, name, "run.json")
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_700_000_000+int64(i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := latest(filepath.Join(dir, "latest")); got != filepath.Join(dir, "a") {
		t.Errorf("got %s, want the newer one, a", got)
	}
	if got := latest("runs/later"); got != "runs/later" {
		t.Errorf("got %s", got)
	}
	if err := os.Mkdir(filepath.Join(dir, "latest"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := latest(filepath.Join(dir, "latest")); got != filepath.Join(dir, "latest") {
		t.Errorf("one of that name: got %s", got)
	}
}

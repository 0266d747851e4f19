package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// groups are the commands as help lists them, what people start with first.
var groups = []struct {
	id, title string
	commands  []string
}{
	{"measure", "Measure (start with: assay run):", []string{"run", "load", "import", "validate", "doctor", "calibrate"}},
	{"read", "Read what was measured:", []string{"assess", "report", "compare", "evidence", "stat", "trace", "dashboards"}},
	{"fault", "Faults:", []string{"stop", "heal", "chaos"}},
	{"more", "More:", []string{"list", "schema", "sandbox", "k6", "merge", "version", "help"}},
}

// examples are what people type first, by command.
var examples = map[string]string{
	"assay": "  assay run                                     # the built-in plan on the embedded sandbox\n" +
		"  assay run --url http://localhost:8000 --slo ttft/p95=2s\n" +
		"  assay validate plan.yaml && assay doctor plan.yaml && assay run plan.yaml",
	"run": "  assay run\n" +
		"  assay run --url http://localhost:8000 --model llama-3-8b --slo ttft/p95=2s\n" +
		"  assay run --suite serverless-model --size quick\n" +
		"  assay run plan.yaml --output markdown >report.md",
	"load":   "  assay load --url http://localhost:8000 --rate 20/s --for 1m --slo e2e/p95=2s",
	"assess": "  assay assess runs/latest --slo ttft/p95=2s",
}

// exits says what the exit status of a command that judges means.
const exits = "Exit status: 0 go, or nothing was asked; 10 no-go: an objective failed; 11 inconclusive: too little was seen; 12 invalid: the run could not measure; " +
	"13 stopped by a guard; 14 faults may remain: assay heal; 130 interrupted; 1 an error; 2 usage; 3 the target cannot be used: see assay doctor."

// judging are the commands that exit by their verdict.
var judging = []string{"run", "load", "assess"}

// teach makes all commands below root say what would be right where they are called wrongly, groups them, and lets their arguments name the latest run.
func teach(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, name := range g.commands {
			if name == "help" {
				root.SetHelpCommandGroupID(g.id)
			} else if c, _, err := root.Find([]string{name}); err == nil && c != root {
				c.GroupID = g.id
			}
		}
	}
	for name, text := range examples {
		c := root
		if name != root.Name() {
			c, _, _ = root.Find([]string{name})
		}
		c.Example = text
	}
	for _, name := range judging {
		if c, _, err := root.Find([]string{name}); err == nil {
			c.Long += "\n\n" + exits
		}
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return exit(assay.ExitUsage, "%w%s; see %s --help", err, meantFlag(c, err), c.CommandPath())
	})
	each(root, func(c *cobra.Command) {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			if check == nil {
				return nil
			}
			if err := check(c, args); err != nil {
				if len(args) > 0 && c.HasAvailableSubCommands() {
					return exit(assay.ExitUsage, "%q is no command of %s; %s", args[0], c.CommandPath(), suggest.Meant(args[0], subcommands(c)))
				}
				return exit(assay.ExitUsage, "want %s, got %d arguments; see %s --help", strings.TrimSuffix(c.UseLine(), " [flags]"), len(args), c.CommandPath())
			}
			for i := range args {
				args[i] = latest(args[i])
			}
			return nil
		}
	})
}

// each calls f with a command and all below it.
func each(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		each(sub, f)
	}
}

// subcommands names those of a command that help shows.
func subcommands(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// meantFlag is a hint at the flag that was probably meant, or "".
func meantFlag(c *cobra.Command, err error) string {
	_, word, unknown := strings.Cut(err.Error(), "unknown flag: --")
	if !unknown {
		return ""
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near, n := suggest.Nearest(word, known); near != "" && n <= 2 {
		return fmt.Sprintf("; did you mean --%s?", near)
	}
	return ""
}

// latest is the newest run beside a path that ends in latest and is not there, and any other path as it is.
func latest(path string) string {
	if filepath.Base(path) != "latest" {
		return path
	}
	if _, err := os.Lstat(path); err == nil {
		return path
	}
	manifests, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*", "run.json"))
	newest, at := path, int64(-1)
	for _, m := range manifests {
		if i, err := os.Stat(m); err == nil && i.ModTime().UnixNano() > at {
			newest, at = filepath.Dir(m), i.ModTime().UnixNano()
		}
	}
	return newest
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/toolkit"
)

// experiment fills in the settings of the fault that plays an experiment.
func experiment(p *plan.Plan, s *chaos.Step, f *plan.Fault) {
	if f.Experiment != "" {
		s.Experiment = p.Path(f.Experiment)
	}
}

// toolkitDir is the directory of a run that keeps what experiments did.
const toolkitDir = "toolkit"

// toolkit returns the driver that plays experiments.
func (s *session) toolkit() (chaos.Driver, error) {
	dir, err := filepath.Abs(filepath.Join(s.dir, toolkitDir))
	if err != nil {
		return nil, err
	}
	return &chaos.Toolkit{Dir: dir,
		Own:     func(ctx context.Context, p chaos.Process) error { return s.guardian.OwnLoad(ctx, p) },
		Release: func(ctx context.Context, p chaos.Process) error { return s.guardian.Release(ctx, p) },
		Say: func(e *assay.Event) {
			e.Time = s.clock.Now()
			_ = s.emit(e) // what the store could not take it has counted
		},
		Playing: func(on bool) {
			if on {
				s.pauses.pause()
			} else {
				s.pauses.resume()
			}
		}}, nil
}

func toolkitCommand(io stdio) *cobra.Command {
	var o runOptions
	var play bool
	cmd := &cobra.Command{
		Use:   "toolkit EXPERIMENT",
		Short: "Make a plan of an experiment of Chaos Toolkit, or run it",
		Long: "Reads an experiment of Chaos Toolkit, JSON or YAML, and prints a plan that plays it: its hypothesis before and after its method, HTTP requests and processes as they stand, and its rollbacks always, " +
			"also after an interrupt or when assay was killed. With --run it runs that plan. Where the hypothesis asks for something by a plain GET, the plan asks for it four times a second, so that what users would feel is measured; add other load and faults to it as you like.\n\n" +
			"Refused, with what to write instead: Python providers, vaults, secrets that stand in the file. Every run of an experiment leaves Chaos Toolkit's journal in its directory; " +
			"assay report --format chaostoolkit writes one of any run with faults.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := toolkitPlan(args[0])
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			if !play {
				fmt.Fprint(io.out, text)
				return nil
			}
			p, err := plan.Parse(args[0], []byte(text))
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			o.plan = p
			s, err := newSession(io, o, nil)
			if err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&play, "run", false, "run the plan instead of printing it")
	f.StringVar(&o.dir, "dir", "runs", "with --run: directory that run directories are made in")
	f.StringVarP(&o.output, "output", "o", "text", "with --run: what goes to standard output: text, markdown or json")
	f.StringVar(&o.ui, "ui", "auto", "with --run: progress on standard error: auto, tui, plain, json or none")
	return cmd
}

// toolkitPlan returns the plan that plays an experiment.
func toolkitPlan(path string) (string, error) {
	x, err := toolkit.Read(path)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(x.Title), "-"), "-")
	name = strings.Trim(name[:min(len(name), 32)], "-")
	var b strings.Builder
	fmt.Fprintf(&b, "# Plays the experiment %q of Chaos Toolkit. The clock of the load phase stands still while it is played.\n", x.Title)
	for _, d := range x.Doubts {
		fmt.Fprintf(&b, "# Note: %s.\n", d)
	}
	url, asked := x.URL()
	fmt.Fprintf(&b, "apiVersion: assay/v1\nname: %s\ntarget: {kind: http, url: %q}\nload:\n", cmp.Or(name, "experiment"), url)
	if asked {
		fmt.Fprintf(&b, "  - {name: experiment, arrivals: {even: {rate: 4/s}}, for: 8s} # what the hypothesis asks for, as users would\n")
	} else {
		fmt.Fprintf(&b, "  - {name: experiment, for: 8s} # silent: the hypothesis asks for nothing by a plain GET; give arrivals and a url that users ask for\n")
	}
	fmt.Fprintf(&b, "chaos:\n  - {fault: experiment, phase: experiment, at: 3s, experiment: %q}\n", abs)
	return b.String(), nil
}

// writeJournals leaves the journal of each experiment that the run has played in its directory. It returns the paths, and what of the experiments'
// hypotheses was not met, or "".
func writeJournals(dir string) (files []string, unmet string, err error) {
	list, err := journals(dir)
	if err != nil {
		return nil, "", err
	}
	for i, j := range list {
		switch {
		case j.Deviated:
			unmet = "the state deviated from the experiment's hypothesis after its method"
		case j.States.Before != nil && !j.States.Before.Met:
			unmet = "the experiment's hypothesis was not met before its method, which was not played"
		}
		name := "journal.json"
		if i > 0 {
			name = fmt.Sprintf("journal-%d.json", i+1)
		}
		raw, err := encodeJournal(j)
		if err != nil {
			return files, unmet, err
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			return files, unmet, fmt.Errorf("write the journal: %w", err)
		}
		files = append(files, path)
	}
	return files, unmet, nil
}

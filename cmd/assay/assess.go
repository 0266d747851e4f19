package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/store"
)

// written are the views that a run leaves in its directory.
var written = []string{"json", "html", "markdown", "junit"}

// assessMemory is how much, in bytes, the assessment of a run may hold before garbage is collected as often as that takes: a run of any size is promised 1 GiB.
const assessMemory = 640 << 20

// frugal holds the process to assessMemory, or to less where GOMEMLIMIT says so, until what it returns is called.
func frugal() (as func()) {
	before := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(before, assessMemory))
	return func() { debug.SetMemoryLimit(before) }
}

// assess computes the report of the run in dir. With write it leaves result.json and the views there and returns their paths. Objectives
// and promises that are asked for come beside the run's own; what is written is never about these.
func assess(ctx context.Context, dir string, write bool, asked *demands) (*assay.Report, []string, error) {
	run, err := store.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer run.Close()
	defer frugal()()
	var opts analyzers.Options
	if asked != nil {
		if err := distinct(run.Manifest().SLOs, asked.slos); err != nil {
			return nil, nil, &status{assay.ExitUsage, err}
		}
		opts = asked.options(run.Manifest())
	}
	r, err := analyzers.Assess(ctx, run, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("assess %s: %w", dir, err)
	}
	if !write {
		return r, nil, nil
	}
	var files []string
	for _, name := range written {
		k, ok := dashboards.KindOf(name)
		if !ok {
			return nil, nil, fmt.Errorf("view %q is not in the table of views", name)
		}
		path := filepath.Join(dir, k.File)
		if err := writeView(path, k.Render, r); err != nil {
			return r, files, err
		}
		files = append(files, path)
	}
	return r, files, nil
}

// writeView writes a view whole or not at all: a reader never sees half a report.
func writeView(path string, render dashboards.Render, r *assay.Report) error {
	var b bytes.Buffer
	if err := render(&b, r); err != nil {
		return fmt.Errorf("render %s: %w", filepath.Base(path), err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = tmp.Write(b.Bytes())
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// textOptions suits the terminal view to where it is read.
func textOptions(io stdio) dashboards.TextOptions {
	width := 0
	if f, ok := io.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = w
		}
	}
	return dashboards.TextOptionsFor(width, os.Getenv)
}

// printReport writes one view to standard output.
func printReport(io stdio, r *assay.Report, format string, files []string) error {
	if format == "text" {
		o := textOptions(io)
		for i, f := range files {
			if filepath.Base(f) == "report.html" { // what people open first
				files[0], files[i] = files[i], files[0]
			}
		}
		o.Files = files
		return dashboards.Text(o)(io.out, r)
	}
	k, ok := dashboards.KindOf(format)
	if !ok {
		return fmt.Errorf("view %q is unknown", format)
	}
	return k.Render(io.out, r)
}

// openError gives the error of opening a run its exit status.
func openError(err error) error {
	if known := new(status); errors.As(err, &known) {
		return err
	}
	if errors.Is(err, store.ErrNotARun) {
		return &status{assay.ExitUsage, err}
	}
	return &status{assay.ExitError, err}
}

func assessCommand(io stdio) *cobra.Command {
	var output string
	var slo []string
	var replay replayOptions
	cmd := &cobra.Command{
		Use:   "assess DIR",
		Short: "Compute the findings of a run again, from its records alone",
		Long: "Computes the findings of the run in DIR again, from its records alone, prints the report and leaves result.json and the reports in DIR. " +
			"With --slo it judges these objectives beside the run's own, and only prints: the files in DIR follow from the run alone. A value of --slo may be an OpenSLO file. " +
			"The Prometheus rules of the run's promises, and those of --rules, are replayed on what it recorded: whether they would have fired for each fault and failure, how late, and whether without one.",
		Example: "  assay assess runs/20260101T000000Z-x --slo ttft/p95=2s\n  assay assess runs/20260101T000000Z-x --slo slos.yaml\n  assay assess runs/20260101T000000Z-x --rules alerts.yaml --rule-interval 5s",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := formatKnown("--output", output); err != nil {
				return err
			}
			asked, err := askedFor(slo, nil)
			if err != nil {
				return err
			}
			if asked, err = replay.asked(asked); err != nil {
				return err
			}
			r, files, err := assess(cmd.Context(), args[0], asked == nil, asked)
			if err != nil {
				return openError(err)
			}
			asked.tell(io)
			if err := printReport(io, r, output, files); err != nil {
				return &status{assay.ExitError, err}
			}
			if r.Exit != 0 {
				return &status{code: r.Exit}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "what goes to standard output: text, markdown, html, json, junit or annotations")
	cmd.Flags().StringArrayVar(&slo, "slo", nil, sloHelp)
	replay.flags(cmd)
	return cmd
}

func formatKnown(flag, name string) error {
	if _, ok := dashboards.KindOf(name); ok {
		return nil
	}
	var names []string
	for _, k := range dashboards.Kinds() {
		names = append(names, k.Name)
	}
	return exit(assay.ExitUsage, "%s %q is unknown; one of %v", flag, name, names)
}

func reportCommand(io stdio) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Render the report of a run: text, markdown, html, json, junit, annotations or chaostoolkit",
		Long:  "Renders the findings of the run in DIR to standard output, from its result.json, or from its records where there is none.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != journalFormat {
				if err := formatKnown("--format", format); err != nil {
					return err
				}
			}
			r, err := stored(args[0])
			if errors.Is(err, os.ErrNotExist) {
				r, _, err = assess(cmd.Context(), args[0], false, nil)
			}
			if err != nil {
				return openError(err)
			}
			if format == journalFormat {
				raw, err := journal(args[0], r)
				if err != nil {
					return openError(err)
				}
				_, err = io.out.Write(raw)
				return err
			}
			if err := printReport(io, r, format, nil); err != nil {
				return &status{assay.ExitError, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "text", "text, markdown, html, json, junit, annotations or chaostoolkit: the journal of Chaos Toolkit of a run with faults")
	return cmd
}

// stored reads the result.json of a run.
func stored(dir string) (*assay.Report, error) {
	f, err := os.Open(filepath.Join(dir, "result.json"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := dashboards.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return r, nil
}

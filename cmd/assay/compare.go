package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/analyzers/compare"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/plan"
)

// compareOptions are the flags of compare.
type compareOptions struct {
	by         string
	base       string
	metrics    []string
	margins    []string
	confidence string
	otherPlans bool
	output     string
	history    bool
	window     int
	maxP       float64
	live       bool
	race       raceOptions
}

func compareCommand(io stdio) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare BASE CANDIDATE [MORE…]",
		Short: "Say whether runs of a candidate are worse than runs of a base",
		Long: "Compares runs: is a candidate worse than the base by more than a margin? Each argument is one side: a run directory, a directory of runs, or a list of " +
			"either with commas; a pattern in quotes names what it matches. The unit is the run, so one run a side decides nothing: five or more a side do (six from 13 metrics that may fail on), made in turns (ABAB).\n\n" +
			"What must pass is what --metric names, else what the plan has objectives on, else TTFT, ITL and end-to-end time at p50 and p95 and goodput. The error ratio, failures and recovery " +
			"from faults may fail a comparison, and hold up a pass unless they are shown to be within their margins or the candidate's runs are free of them. Times and rates may be 5 % worse (recoveries half a second at least), shares half a percentage point, and failures may come twice as often, " +
			"unless --margin says otherwise.\n\n" +
			"With --history the arguments are one line of runs, and each change of level in it is told, with the releases before and after.\n\n" +
			"With --live the arguments are two URLs, of which neither has runs yet: both are loaded in turns, in short blocks with the same arrivals and in random order, until the answer is there or the budget is spent. " +
			"The bounds hold at every look, so stopping early is no cheating. A race passes only once it is shown that the candidate loses at most 2 percentage points more of its requests, or at most what " +
			"--margin error_ratio=… says, and fails where it surely loses more than the margin. What was seen is kept as two runs in one directory DIR, and assay compare DIR gives the same answer again.\n\n" +
			"Exit status: 0 all that must pass does (with --history: it was looked, whatever was found), 10 something is worse by more than its margin, 11 the runs cannot tell, and how many more would, 12 they cannot be compared.",
		Example: "  assay compare runs/v1 runs/v2\n" +
			"  assay compare runs/a1,runs/a2,runs/a3,runs/a4,runs/a5 'runs/b?' --margin 3% --margin error_ratio=0.1%\n" +
			"  assay compare --by release runs --metric e2e/p95 --output json\n" +
			"  assay compare --history runs\n" +
			"  assay compare --live http://localhost:8001/ http://localhost:8002/ --rate 20/s --budget requests=4000,time=5m --metric e2e/p50",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return err
			}
			if o.live {
				return o.runRace(cmd.Context(), io, args)
			}
			if len(args) == 1 && isRace(args[0]) {
				return o.rerun(cmd.Context(), io, args[0], cmd.Flags().Changed("confidence"))
			}
			if o.history {
				return o.look(cmd.Context(), io, args)
			}
			return o.compare(cmd.Context(), io, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.by, "by", "", "all arguments are one heap of runs, and the sides are their release, target, model or name")
	f.StringVar(&o.base, "base", "", "with --by: which of the sides is the base. Default: that of the oldest run")
	f.StringArrayVar(&o.metrics, "metric", nil, "what must pass, for example e2e/p95 or ttft/p95{phase=steady}; repeatable")
	f.StringArrayVar(&o.margins, "margin", nil, "largest change for the worse that passes: 3% of all times and rates, or error_ratio=0.1% (percentage points), ttft=10%, failure_rate=50%; repeatable")
	f.StringVar(&o.confidence, "confidence", "90%", "of the intervals, 80% to 99.9%: half of what is left is the chance of a wrong pass, and of a wrong fail")
	f.BoolVar(&o.otherPlans, "other-plans", false, "compare runs whose plans differ in load or faults, and say so among the doubts")
	f.StringVarP(&o.output, "output", "o", "text", "what goes to standard output: text, markdown, html or json")
	f.BoolVar(&o.live, "live", false, "load two URLs in turns until it is clear whether the second is worse, instead of comparing runs")
	f.BoolVar(&o.history, "history", false, "find changes of level over a line of runs of one plan, instead of comparing sides")
	f.IntVar(&o.window, "window", 50, "with --history: runs that are looked at together")
	f.Float64Var(&o.maxP, "p", 0.001, "with --history: a change of level counts below this chance of Student's t-test")
	o.race.flags(cmd)
	return cmd
}

// check refuses flags and arguments that make no sense.
func (o *compareOptions) check(args []string) error {
	switch {
	case !slices.Contains([]string{"text", "markdown", "html", "json"}, o.output):
		return exit(assay.ExitUsage, "--output %q is unknown; text, markdown, html or json", o.output)
	case o.by != "" && sideBy[o.by] == nil:
		return exit(assay.ExitUsage, "--by %q is unknown; release, target, model or name", o.by)
	case o.base != "" && o.by == "":
		return exit(assay.ExitUsage, "--base goes with --by; without it the first argument is the base")
	case o.history && o.by != "":
		return exit(assay.ExitUsage, "--by does not go with --history: its arguments are one line of runs")
	case o.window < 4 || o.window > 2000:
		return exit(assay.ExitUsage, "--window %d is out of range; 4 to 2000", o.window)
	case !(o.maxP > 0 && o.maxP < 0.5):
		return exit(assay.ExitUsage, "--p %g is out of range; above 0 and below 0.5", o.maxP)
	case o.history && len(args) == 0, o.by != "" && len(args) == 0:
		return exit(assay.ExitUsage, "name the runs: a directory of them, or several")
	case o.live && (o.history || o.by != "" || o.otherPlans):
		return exit(assay.ExitUsage, "--live goes neither with --history nor with --by or --other-plans: it makes its own runs")
	case o.live:
		return o.race.check(args)
	case len(args) == 1 && isRace(args[0]):
	case !o.history && o.by == "" && len(args) < 2:
		return exit(assay.ExitUsage, "name two sides or more: BASE CANDIDATE, for example runs/v1 runs/v2; or --by release runs")
	}
	return nil
}

// options reads what is asked of the comparison.
func (o *compareOptions) options() (compare.Options, error) {
	opts := compare.Options{OtherPlans: o.otherPlans}
	var share plan.Fraction
	if err := share.UnmarshalText([]byte(o.confidence)); err != nil || !(share >= 0.8 && share <= 0.999) {
		return opts, exit(assay.ExitUsage, "--confidence %q is out of range; 80%% to 99.9%%", o.confidence)
	}
	opts.Confidence = float64(share)
	for _, text := range o.metrics {
		name, labels, err := metricOf(text)
		if err != nil {
			return opts, err
		}
		opts.Gates = append(opts.Gates, assay.Objective{Metric: name, Labels: labels})
	}
	for _, text := range o.margins {
		name, value, named := strings.Cut(text, "=")
		if !named {
			name, value = "", text
		}
		var m plan.Fraction
		if err := m.UnmarshalText([]byte(value)); err != nil || !(m > 0) || math.IsInf(float64(m), 0) {
			return opts, exit(assay.ExitUsage, "--margin %q: write a share above 0, for example 3%% or error_ratio=0.1%%", text)
		}
		if named && !familyKnown(name) {
			return opts, exit(assay.ExitUsage, "--margin %q: no metric is called %s; for example e2e/p95, ttft or error_ratio", text, name)
		}
		if m >= 1 && !strings.HasPrefix(name, "failure_rate") {
			return opts, exit(assay.ExitUsage, "--margin %q: below 100%%; only failure_rate may have more", text)
		}
		if opts.Margins == nil {
			opts.Margins = map[string]float64{}
		}
		opts.Margins[name] = float64(m)
	}
	return opts, nil
}

// metricOf reads a metric with what it is of in braces.
func metricOf(text string) (string, map[string]string, error) {
	name, labels, _, ok := cutSLO(text + "=")
	if !ok {
		return "", nil, exit(assay.ExitUsage, "--metric %q: write metric or metric{label=value}, for example e2e/p95{phase=steady}", text)
	}
	d, known := analyzers.Lookup(name)
	switch {
	case !known:
		return "", nil, exit(assay.ExitUsage, "--metric %v", analyzers.Check(assay.Objective{Metric: name}))
	case d.Better == "":
		return "", nil, exit(assay.ExitUsage, "--metric %s: neither more nor less of it is better, so no change is for the worse", name)
	}
	if instead := compare.Refused(name); instead != "" {
		return "", nil, exit(assay.ExitUsage, "--metric %s: single runs hold too little of it to compare; ask for %s", name, instead)
	}
	return name, labels, nil
}

// familyKnown reports whether a metric, or one that begins so, is known.
func familyKnown(name string) bool {
	if _, ok := analyzers.Lookup(name); ok {
		return true
	}
	return slices.ContainsFunc(analyzers.Describe(), func(d assay.Desc) bool { return strings.HasPrefix(d.Metric, name+"/") })
}

func (o *compareOptions) compare(ctx context.Context, io stdio, args []string) error {
	opts, err := o.options()
	if err != nil {
		return err
	}
	base, others, err := o.sides(ctx, io, args, opts.Gates)
	if err != nil {
		return err
	}
	c := compare.Runs(base, others, opts)
	if err := printComparison(io, c, o.output); err != nil {
		return &status{assay.ExitError, err}
	}
	if c.Exit != assay.ExitGo {
		return &status{code: c.Exit}
	}
	return nil
}

func printComparison(io stdio, c *assay.Comparison, format string) error {
	switch format {
	case "json":
		return dashboards.ComparisonJSON(io.out, c)
	case "markdown":
		return dashboards.ComparisonMarkdown(io.out, c)
	case "html":
		return dashboards.ComparisonHTML(io.out, c)
	}
	return dashboards.ComparisonText(textOptions(io))(io.out, c)
}

func (o *compareOptions) look(ctx context.Context, io stdio, args []string) error {
	opts, err := o.options()
	if err != nil {
		return err
	}
	dirs, err := runDirs(args)
	if err != nil {
		return err
	}
	runs, err := readRuns(ctx, io, dirs, opts.Gates)
	if err != nil {
		return err
	}
	h, err := compare.Trace(runs, compare.TraceOptions{Options: opts, Window: o.window, MaxP: o.maxP})
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	switch o.output {
	case "json":
		err = dashboards.HistoryJSON(io.out, h)
	case "markdown":
		err = dashboards.HistoryMarkdown(io.out, h)
	case "html":
		return exit(assay.ExitUsage, "--output html does not go with --history; text, markdown or json")
	default:
		err = dashboards.HistoryText(textOptions(io))(io.out, h)
	}
	if err != nil {
		return &status{assay.ExitError, fmt.Errorf("print the history: %w", err)}
	}
	return nil
}

// runRace loads two targets in turns.
func (o *compareOptions) runRace(ctx context.Context, io stdio, args []string) error {
	opts, err := o.options()
	if err != nil {
		return err
	}
	r, err := o.race.race(io, args, opts)
	if err != nil {
		return err
	}
	return r.run(ctx, o.output)
}

// rerun judges a race of which the records are there.
func (o *compareOptions) rerun(ctx context.Context, io stdio, dir string, confident bool) error {
	if len(o.metrics)+len(o.margins) > 0 || confident {
		return exit(assay.ExitUsage, "%s is a race: its metrics, margins and confidence were set before it began, and choosing them afterwards would not be fair; leave out --metric, --margin and --confidence, or race again", dir)
	}
	c, err := readRace(ctx, dir)
	if err != nil {
		return openError(err)
	}
	if err := printComparison(io, c, o.output); err != nil {
		return &status{assay.ExitError, err}
	}
	if c.Exit != assay.ExitGo {
		return &status{code: c.Exit}
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/evidence"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/plan"
)

// A sieve says which runs are asked for. Empty settings let all through.
type sieve struct {
	target, model, release string
	since                  int64 // Unix ns
	anew                   bool  // assess also runs whose result is current
}

func (s *sieve) takes(m *assay.Manifest) bool {
	name := m.Target.Name
	if name == "" {
		name = m.Target.Kind
	}
	return strings.Contains(name, s.target) && (s.model == "" || s.model == m.Target.Model) && (s.release == "" || s.release == m.Target.Release) &&
		m.Epoch+m.End.At >= s.since
}

// maxRuns bounds how many runs one ledger is made of.
const maxRuns = 100_000

// gather reads the runs below directories. A run whose result is as new as its records is read from that; another one is assessed.
func gather(ctx context.Context, roots []string, s sieve, progress func(string)) ([]*evidence.Run, error) {
	var out []*evidence.Run
	seen := map[string]bool{}
	for _, root := range roots {
		if _, err := os.Stat(root); err != nil {
			return nil, exit(assay.ExitUsage, "read runs: %v", err)
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return fmt.Errorf("read runs: %w", err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if !d.IsDir() {
				return nil
			}
			raw, err := os.ReadFile(filepath.Join(path, "run.json"))
			if err != nil {
				return nil // no run, but there may be some below it
			}
			if abs, err := filepath.Abs(path); err == nil {
				if seen[abs] {
					return fs.SkipDir
				}
				seen[abs] = true
			}
			var m assay.Manifest
			if err := json.Unmarshal(raw, &m); err != nil {
				out = append(out, evidence.Of(path, &assay.Manifest{}, nil, fmt.Sprintf("its run.json is damaged: %v", err)))
				return fs.SkipDir
			}
			if !s.takes(&m) {
				return fs.SkipDir
			}
			if len(out) == maxRuns {
				return exit(assay.ExitUsage, "more than %d runs: name fewer directories, or use --since", maxRuns)
			}
			var r *assay.Report
			if !s.anew {
				r = current(path)
			}
			if r == nil {
				progress(path)
				if r, _, err = assess(ctx, path, false, nil); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					out = append(out, evidence.Of(path, &m, nil, fmt.Sprintf("it cannot be read: %v", err)))
					return fs.SkipDir
				}
			}
			out = append(out, evidence.Of(path, &m, r, ""))
			return fs.SkipDir
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// current returns the stored result of a run, or nil where there is none of this version that is as new as the records.
func current(dir string) *assay.Report {
	result, err := os.Stat(filepath.Join(dir, "result.json"))
	if err != nil {
		return nil
	}
	for _, name := range []string{"run.json", "events.jsonl", "guardian.jsonl", "requests", "spans", "metrics"} {
		if i, err := os.Stat(filepath.Join(dir, name)); err == nil && i.ModTime().After(result.ModTime()) {
			return nil
		}
	}
	r, err := stored(dir)
	if err != nil || r.Exposure == nil { // an older version left no exposure
		return nil
	}
	return r
}

// evidenceObjectives reads the values of --objective: metric{label=value}=bound@confidence.
func evidenceObjectives(texts []string) ([]evidence.Objective, error) {
	var out []evidence.Objective
	for _, text := range texts {
		metric, labels, rest, ok := cutSLO(text)
		if !ok {
			return nil, exit(assay.ExitUsage, "--objective %q: write metric=bound@confidence, for example mtbf/service=720h@95%%", text)
		}
		bound, sure, named := strings.Cut(rest, "@")
		o := evidence.Objective{Confidence: 0.95}
		if named {
			v, err := strconv.ParseFloat(strings.TrimSuffix(sure, "%"), 64)
			if strings.HasSuffix(sure, "%") {
				v /= 100
			}
			if err != nil || !(v > 0.5 && v < 1) {
				return nil, exit(assay.ExitUsage, "--objective %s: confidence %q is out of range; more than 50%% and less than 100%%, for example 95%%", metric, sure)
			}
			o.Confidence = v
		}
		known := evidence.Metrics()
		i := slices.IndexFunc(known, func(d assay.Desc) bool { return d.Metric == metric })
		if i < 0 {
			var names []string
			for _, d := range known {
				names = append(names, d.Metric)
			}
			return nil, exit(assay.ExitUsage, "--objective %q is unknown; one of %s", metric, strings.Join(names, ", "))
		}
		d := known[i]
		for k, v := range labels {
			fault := k == "fault" && slices.Contains([]string{"recovery/rate", "fault_tolerance", "mttr"}, metric)
			by := k == "by" && metric == "availability/natural" && (v == "time" || v == "request")
			if !fault && !by {
				return nil, exit(assay.ExitUsage, "--objective %s: there is no label %s=%s; %s", metric, k, v, d.Help)
			}
		}
		var v plan.Value
		if err := v.UnmarshalText([]byte(bound)); err != nil {
			return nil, exit(assay.ExitUsage, "--objective %s: %v", metric, err)
		}
		limit, err := v.In(d.Unit)
		if err != nil {
			return nil, exit(assay.ExitUsage, "--objective %s: %v", metric, err)
		}
		switch {
		case !(limit > 0):
			return nil, exit(assay.ExitUsage, "--objective %s: bound %s is out of range; more than 0", metric, bound)
		case d.Unit == assay.Ratio && limit > 1:
			return nil, exit(assay.ExitUsage, "--objective %s: bound %s is %g %%; at most 100%%, for example 99.9%% or 0.999", metric, bound, 100*limit)
		}
		o.Objective = assay.Objective{Metric: metric, Labels: labels, Unit: d.Unit}
		if d.Better == "lower" {
			o.Max = &limit
		} else {
			o.Min = &limit
		}
		out = append(out, o)
	}
	return out, nil
}

// sequentialOf reads the values of --sequential: metric=good:bad@confidence.
func sequentialOf(texts []string) ([]evidence.Objective, error) {
	var out []evidence.Objective
	for _, text := range texts {
		good, rest, ok := strings.Cut(text, ":")
		bad, sure, named := strings.Cut(rest, "@")
		if !ok || !strings.HasPrefix(text, "mtbf/") {
			return nil, exit(assay.ExitUsage, "--sequential %q: write mtbf/UNIT=good:bad@confidence, for example mtbf/service=720h:360h@90%%", text)
		}
		if !named {
			sure = "90%"
		}
		one, err := evidenceObjectives([]string{good + "@" + sure})
		if err != nil {
			return nil, exit(assay.ExitUsage, "%s", strings.Replace(err.Error(), "--objective", "--sequential", 1))
		}
		o := one[0]
		var v plan.Value
		if err = v.UnmarshalText([]byte(bad)); err == nil {
			o.Bad, err = v.In(assay.Seconds)
		}
		if err != nil {
			return nil, exit(assay.ExitUsage, "--sequential %s: %v", o.Metric, err)
		}
		if !(o.Bad > 0 && o.Bad < *o.Min) {
			return nil, exit(assay.ExitUsage, "--sequential %s: the bad %s is out of range; more than 0 and less than the good", o.Metric, bad)
		}
		out = append(out, o)
	}
	return out, nil
}

// weightsOf reads the values of --weight, each fault=share.
func weightsOf(texts []string) (map[string]float64, error) {
	var sum float64
	out := map[string]float64{}
	for _, text := range texts {
		kind, share, _ := strings.Cut(text, "=")
		v, err := strconv.ParseFloat(share, 64)
		if err != nil || !(v > 0 && v <= 1) {
			return nil, exit(assay.ExitUsage, "--weight %q: write fault=share, for example kill=0.7; more than 0 and at most 1", text)
		}
		if _, twice := out[kind]; twice {
			return nil, exit(assay.ExitUsage, "--weight %s stands twice", kind)
		}
		out[kind] = v
		sum += v
	}
	if len(out) > 0 && math.Abs(sum-1) > 1e-9 {
		return nil, exit(assay.ExitUsage, "--weight: the shares add up to %g; want 1", sum)
	}
	return out, nil
}

// knownFaults refuses a fault that neither the catalogue nor any run knows.
func knownFaults(o evidence.Options, drilled []string) error {
	known := func(kind string) bool {
		return slices.Contains(drilled, kind) || slices.ContainsFunc(chaos.Kinds(), func(k chaos.Kind) bool { return k.Name == kind })
	}
	const want = "no fault is named so, and no run has one; one of %s"
	for _, a := range o.Objectives {
		if kind, ok := a.Labels["fault"]; ok && !known(kind) {
			return exit(assay.ExitUsage, "--objective %s{fault=%s}: "+want, a.Metric, kind, strings.Join(drillable(), ", "))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(o.Weights)) {
		if !known(kind) {
			return exit(assay.ExitUsage, "--weight %s: "+want, kind, strings.Join(drillable(), ", "))
		}
	}
	return nil
}

// sinceOf reads --since: a day, an instant, or how long ago.
func sinceOf(text string, now time.Time) (int64, error) {
	if text == "" {
		return math.MinInt64, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixNano(), nil
		}
	}
	if v, isTime, err := parseNumber(text); err == nil && isTime && v >= 0 && v < 1e9 {
		return now.UnixNano() - int64(v*1e9), nil
	}
	return 0, exit(assay.ExitUsage, "--since %q is no time; for example 2026-10-01, 2026-10-01T08:00:00Z or 90d", text)
}

// carriers are faults that bring about whatever a person wrote, and no failure mode of their own.
var carriers = []string{"experiment", "manifest", "annotate"}

// drillable names the failure modes that a drill can bring about.
func drillable() []string {
	var out []string
	for _, k := range chaos.Kinds() {
		if !k.Simulated && !slices.Contains(carriers, k.Name) {
			out = append(out, k.Name)
		}
	}
	return out
}

func evidenceCommand(io stdio) *cobra.Command {
	var s sieve
	var since, output string
	var objectives, sequential, weights []string
	stale := amount{v: 90 * 86400, set: true, isTime: true}
	cmd := &cobra.Command{
		Use:   "evidence DIR…",
		Short: "Add up all runs of a service: MTBF, availability, recovery, and what was never drilled",
		Long: "Reads all runs, imports and drills below the directories and adds them up, service by service: natural failures of service, instances and GPUs with a test for a trend, " +
			"availability, recovery by fault, the last drill of each failure mode, and all attempts at one release. What two runs watched at once counts once; a run that could not measure adds nothing. " +
			"A result.json as new as the records is taken as it stands; other runs are assessed, and nothing is written.",
		Example: "  assay evidence runs\n  assay evidence runs drills --since 90d --objective mtbf/service=720h@95%\n  assay evidence runs --weight kill=0.7 --weight hang=0.3 --objective coverage=90% --output json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"text", "markdown", "json"}, output) {
				return exit(assay.ExitUsage, "--output %q is unknown; text, markdown or json", output)
			}
			now := time.Now()
			var err error
			if s.since, err = sinceOf(since, now); err != nil {
				return err
			}
			if !stale.isTime || !(stale.v > 0) {
				return exit(assay.ExitUsage, "--stale %s is out of range; a time above 0, for example 90d", stale.String())
			}
			o := evidence.Options{Now: now.UnixNano(), Stale: int64(stale.v * 1e9), Modes: drillable()}
			if o.Objectives, err = evidenceObjectives(objectives); err != nil {
				return err
			}
			tests, err := sequentialOf(sequential)
			if err != nil {
				return err
			}
			o.Objectives = append(o.Objectives, tests...)
			if o.Weights, err = weightsOf(weights); err != nil {
				return err
			}
			runs, err := gather(cmd.Context(), args, s, func(dir string) { fmt.Fprintf(io.err, "assess %s\n", dir) })
			if err != nil {
				var already *status
				if errors.As(err, &already) {
					return err
				}
				return &status{assay.ExitError, err}
			}
			if len(runs) == 0 {
				return exit(assay.ExitUsage, "no run that is asked for lies below %s; a run is a directory with a run.json", strings.Join(args, ", "))
			}
			if err := knownFaults(o, evidence.Drilled(runs)); err != nil {
				return err
			}
			e := evidence.Pool(runs, o)
			switch output {
			case "json":
				err = printJSON(io, e)
			case "markdown":
				err = dashboards.EvidenceMarkdown(io.out, e)
			default:
				err = dashboards.EvidenceText(textOptions(io))(io.out, e)
			}
			if err != nil {
				return &status{assay.ExitError, err}
			}
			if e.Exit != 0 {
				return &status{code: e.Exit}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.target, "target", "", "only runs whose target's name holds this")
	f.StringVar(&s.model, "model", "", "only runs of this model")
	f.StringVar(&s.release, "release", "", "only runs of this release")
	f.StringVar(&since, "since", "", "only runs that ended since: 2026-10-01, 2026-10-01T08:00:00Z or 90d")
	f.BoolVar(&s.anew, "assess", false, "assess every run, also where a result.json as new as its records is there")
	f.Var(&stale, "stale", "age after which a drill is stale, for example 90d")
	f.StringArrayVar(&objectives, "objective", nil, "what must be shown and how surely, for example mtbf/service=720h@95%, recovery/rate{fault=kill}=90% or availability/natural=99.9%; for one look at a time set beforehand; repeatable; sets the exit status: 0, 10 or 11")
	f.StringArrayVar(&sequential, "sequential", nil, "an MTBF tested against a bad one however often somebody looks, for example mtbf/service=720h:360h@90%: Wald's test with both risks 10%; repeatable; sets the exit status")
	f.StringArrayVar(&weights, "weight", nil, "share with which a fault strikes in operation, for example kill=0.7; repeatable, adds up to 1; without, coverage is not estimable")
	f.StringVarP(&output, "output", "o", "text", "text, markdown or json")
	return cmd
}

package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/trace"
)

func traceCommand(io stdio) *cobra.Command {
	var s trace.Settings
	var columns, output string
	var seed uint64
	var kinds, names strings.Builder
	for i, k := range trace.Kinds {
		fmt.Fprintf(&kinds, "  %-15s %s\n", k.Name, k.Help)
		if i > 0 {
			names.WriteString(", ")
		}
		names.WriteString(k.Name)
	}
	cmd := &cobra.Command{
		Use:   "trace FILE...",
		Short: "Tell what a recorded trace holds, to decide how to replay it",
		Long: "Reads the recorded trace in FILE... and tells how many requests it has, how they come, how long they are, how coarse its stamps are and how much of its prompts is shared, " +
			"and how a plan replays it. The flags are those of a plan's arrivals: {trace: …}, so that what they make of the trace shows before the run.\n\n" +
			"Kinds, most of them found by the first line:\n" + kinds.String(),
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			s.Paths = args
			var err error
			if s.Columns, err = traceColumns(columns); err != nil {
				return err
			}
			sum, err := s.Summarize(seed)
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			if output == "json" {
				return printJSON(io, sum)
			}
			for _, line := range traceLines(sum, s) {
				fmt.Fprintln(io.out, line)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Kind, "kind", "", "format: "+names.String())
	f.StringVar(&columns, "columns", "", "for csv (so where no kind is found) and jsonl (so by the file's ending), to change those of other kinds: field=column pairs with commas between them; fields: time, unit, in, out, class, session, took, blocks, block-tokens")
	f.DurationVar(&s.From, "from", 0, "begin of the window, from the first request")
	f.DurationVar(&s.To, "to", 0, "end of the window; 0: the trace's")
	f.Float64Var(&s.TimeScale, "time-scale", 1, "factor on time: 0.1 replays ten times as fast")
	f.Float64Var(&s.RateScale, "rate-scale", 1, "factor on the number of requests")
	f.StringVar(&s.Zero, "zero", "keep", "rows without tokens: keep, with one token, or drop")
	f.StringVar(&s.Spread, "spread", "", "requests with one stamp over its step: none, even or random; what is told is then of the spread requests")
	f.DurationVar(&s.Step, "step", 0, "that a stamp stands for")
	f.IntVar(&s.Max, "max", 0, "most requests; 0: all")
	f.Uint64Var(&seed, "seed", 1, "seed of what is drawn")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// traceColumns reads --columns.
func traceColumns(text string) (trace.Columns, error) {
	var c trace.Columns
	if text == "" {
		return c, nil
	}
	to := map[string]*string{"time": &c.Time, "unit": &c.Unit, "in": &c.In, "out": &c.Out, "class": &c.Class, "session": &c.Session, "took": &c.Took, "blocks": &c.Blocks}
	for pair := range strings.SplitSeq(text, ",") {
		name, column, ok := strings.Cut(pair, "=")
		switch {
		case !ok || column == "":
			return c, exit(assay.ExitUsage, "--columns: %q: want field=column", pair)
		case name == "block-tokens":
			n, err := strconv.Atoi(column)
			if err != nil || n < 1 {
				return c, exit(assay.ExitUsage, "--columns: block-tokens %q: want a number of tokens", column)
			}
			c.BlockTokens = n
		case to[name] == nil:
			return c, exit(assay.ExitUsage, "--columns: there is no field %q: want time, unit, in, out, class, session, took, blocks or block-tokens", name)
		default:
			*to[name] = column
		}
	}
	return c, nil
}

// traceLines says what a trace holds.
func traceLines(s *trace.Summary, set trace.Settings) []string {
	n := func(v float64) string { return dashboards.Number(v) }
	d := func(v float64) string { return dashboards.Duration(v) }
	name := filepath.Base(set.Paths[0])
	if more := len(set.Paths) - 1; more > 0 {
		name += fmt.Sprintf(" and %d more", more)
	}
	out := []string{fmt.Sprintf("%s: %s, %s in %s", name, s.Kind, dashboards.Things(s.Items, "requests"), d(s.Seconds))}
	line := func(label, format string, args ...any) {
		out = append(out, fmt.Sprintf("  %-9s %s", label, fmt.Sprintf(format, args...)))
	}
	if s.Items == 0 {
		line("rows", "%d read, %d outside the window, %d left out", s.Stats.Rows, s.Stats.Outside, s.Stats.Dropped+s.Stats.Thinned)
		return out
	}
	line("rate", "%s/s mean, %s in the fullest second; the longest gap is %s", n(s.Rate), n(s.Peak), d(s.GapMax))
	line("gaps", "coefficient of variation %s (1: Poisson, more: bursts)", n(s.GapCV))
	switch {
	case s.Step > 0:
		line("stamps", "coarse: %s on %s, which seem to stand for %s each", dashboards.Things(s.Items, "requests"), dashboards.Things(s.Distinct, "stamps"), d(s.Step))
		if s.Spread == "" && set.Spread == "" {
			line("", "as they are, all requests of a stamp are sent at once; {spread: even, step: %s} spreads them", time.Duration(s.Step*1e9))
		}
	default:
		line("stamps", "%s, multiples of %s", dashboards.Things(s.Distinct, "distinct stamps"), d(s.Grain))
	}
	if s.Spread != "" {
		line("", "a replay spreads them over their step, %s, as this kind has it", s.Spread)
	}
	for _, l := range []struct {
		label string
		trace.Lengths
	}{{"prompts", s.In}, {"answers", s.Out}} {
		if l.N == 0 {
			line(l.label, "lengths not told: those of the phase count")
			continue
		}
		line(l.label, "%s tokens mean, p50 %s, p95 %s, most %s%s", n(l.Mean), n(l.P50), n(l.P95), n(l.Max), ofAll(l.N, s.Items))
	}
	atLeast := ""
	if s.Truncated {
		atLeast = "at least "
	}
	if s.Blocks > 0 {
		line("prefixes", "%s of %d tokens, %s%s %% of them in an earlier prompt", dashboards.Things(s.Blocks, "blocks"), s.BlockTokens, atLeast, n(100*s.Reused))
	}
	if s.Sessions > 0 {
		line("sessions", "%s%d, %s requests each", atLeast, s.Sessions, n(float64(s.Items)/float64(s.Sessions)))
	}
	if len(s.Classes) > 0 {
		var parts []string
		for _, c := range s.Classes[:min(3, len(s.Classes))] {
			parts = append(parts, fmt.Sprintf("%s %s %%", c.Name, n(100*float64(c.Count)/float64(s.Items))))
		}
		line("classes", "%d: %s", len(s.Classes)+s.Others, strings.Join(parts, ", "))
	}
	if s.TookShare > 0 {
		line("took", "%s mean when it was recorded%s", d(s.TookMean), ofAll(int(s.TookShare*float64(s.Items)+0.5), s.Items))
	}
	st := &s.Stats
	line("rows", "%d read, %d outside the window, %d out of order", st.Rows, st.Outside, st.Disorder)
	if st.Zero > 0 {
		what := "kept with one token; {zero: drop} leaves them out"
		if st.Dropped > 0 {
			what = "left out"
		}
		line("", "%d with zero tokens, %s", st.Zero, what)
	}
	if st.Thinned+st.Copies > 0 {
		line("", "%d left out and %d copied by the rate scale", st.Thinned, st.Copies)
	}
	return append(out, "replay with", "  load: [{name: replay, arrivals: {trace: "+traceYAML(set, s)+"}}]")
}

// ofAll says of how many requests a figure speaks, where it is not all.
func ofAll(n, all int) string {
	if n == all {
		return ""
	}
	return fmt.Sprintf(" (of %d requests)", n)
}

// traceYAML writes the settings as a plan has them.
func traceYAML(s trace.Settings, sum *trace.Summary) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	var files []string
	for _, p := range s.Paths {
		files = append(files, strconv.Quote(p))
	}
	add("files: [%s]", strings.Join(files, ", "))
	if s.Kind != "" {
		add("kind: %s", s.Kind)
	}
	if s.From > 0 {
		add("from: %s", s.From)
	}
	if s.To > 0 {
		add("to: %s", s.To)
	}
	if s.TimeScale != 1 {
		add("timeScale: %g", s.TimeScale)
	}
	if s.RateScale != 1 {
		add("rateScale: %g", s.RateScale)
	}
	if s.Zero == "drop" {
		add("zero: drop")
	}
	switch {
	case s.Spread != "":
		add("spread: %s", s.Spread)
		if s.Step > 0 {
			add("step: %s", s.Step)
		}
	case sum.Step > 0 && sum.Spread == "":
		add("spread: even, step: %s", time.Duration(sum.Step*1e9))
	}
	if s.Max > 0 {
		add("max: %d", s.Max)
	}
	if c := s.Columns; c != (trace.Columns{}) {
		var cols []string
		for _, f := range [][2]string{{"time", c.Time}, {"unit", c.Unit}, {"in", c.In}, {"out", c.Out}, {"class", c.Class}, {"session", c.Session}, {"took", c.Took}, {"blocks", c.Blocks}} {
			if f[1] != "" {
				cols = append(cols, f[0]+": "+strconv.Quote(f[1]))
			}
		}
		if c.BlockTokens > 0 {
			cols = append(cols, fmt.Sprintf("blockTokens: %d", c.BlockTokens))
		}
		add("columns: {%s}", strings.Join(cols, ", "))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

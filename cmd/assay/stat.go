package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
)

// An solution is what a calculator gives: a quantity, and what else is worth knowing.
type solution struct {
	title  string
	q      assay.Quantity
	open   string        // why q has a value and no interval, where it should have one
	rows   []solutionRow // in the order people should read them
	source string        // of the method
	notes  []string      // doubts, and what would be enough where there is too little
}

// An solutionRow is one more result. Its value goes to JSON as it is.
type solutionRow struct {
	key   string // in JSON; "" for people alone
	name  string // for people; "" for JSON alone
	value any
	text  string
}

// add adds a row with a number, for people in the quantity's unit u.
func (a *solution) add(key, name string, v float64, u assay.Unit) {
	a.rows = append(a.rows, solutionRow{key, name, finite(v), inUnit(v, u)})
}

// finite is v for JSON, which has no infinities.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}

// inUnit writes v with six digits, seconds in the unit that suits them.
func inUnit(v float64, u assay.Unit) string {
	if u != assay.Seconds || math.IsInf(v, 0) || math.IsNaN(v) {
		text := strconv.FormatFloat(v, 'g', 6, 64)
		switch {
		case math.IsInf(v, 1):
			text = "∞"
		case math.IsInf(v, -1):
			text = "−∞"
		}
		if u == assay.PerHour {
			text += "/h"
		}
		return text
	}
	for _, s := range []struct {
		name string
		size float64
	}{{"h", 3600}, {"min", 60}, {"s", 1}, {"ms", 1e-3}} {
		if math.Abs(v) >= 2*s.size || s.name == "ms" {
			return strconv.FormatFloat(v/s.size, 'g', 6, 64) + " " + s.name
		}
	}
	return "0 s"
}

// print writes the solution as text or as one JSON object: the quantity with the rows beside it.
func (a *solution) print(w io.Writer, output string) error {
	if output == "json" {
		raw, err := json.Marshal(a.q)
		if err != nil {
			return err
		}
		m := map[string]any{}
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		for _, r := range a.rows {
			if r.key != "" {
				m[r.key] = r.value
			}
		}
		m["source"] = a.source
		if a.open != "" {
			m["reason"] = a.open
		}
		if len(a.notes) > 0 {
			m["notes"] = a.notes
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(m)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	switch q := a.q; {
	case !q.Known():
		fmt.Fprintf(tw, "%s\t%s\n", a.title, q.Reason)
	case math.IsNaN(q.Value) && !math.IsInf(q.Lo, -1):
		fmt.Fprintf(tw, "%s\t≥ %s (%g %%, one-sided)\n", a.title, inUnit(q.Lo, q.Unit), 100*q.Confidence)
	case math.IsNaN(q.Value):
		fmt.Fprintf(tw, "%s\t≤ %s (%g %%, one-sided)\n", a.title, inUnit(q.Hi, q.Unit), 100*q.Confidence)
	case a.open != "":
		fmt.Fprintf(tw, "%s\t%s  interval %s\n", a.title, inUnit(q.Value, q.Unit), a.open)
	case q.Confidence == 1 && q.Lo == q.Hi && q.Basis == assay.Assumed:
		fmt.Fprintf(tw, "%s\t%s  exact, from what was given\n", a.title, inUnit(q.Value, q.Unit))
	case q.Confidence == 1 && q.Lo == q.Hi:
		fmt.Fprintf(tw, "%s\t%s  exact, of these data\n", a.title, inUnit(q.Value, q.Unit))
	default:
		fmt.Fprintf(tw, "%s\t%s  [%s, %s] at %.4g %%\n", a.title, inUnit(q.Value, q.Unit), inUnit(q.Lo, q.Unit), inUnit(q.Hi, q.Unit), 100*q.Confidence)
	}
	for _, r := range a.rows {
		if r.name != "" {
			fmt.Fprintf(tw, "  %s\t%s\n", r.name, r.text)
		}
	}
	if a.q.N > 0 || a.q.Of != "" {
		fmt.Fprintf(tw, "n\t%d %s\n", a.q.N, a.q.Of)
	}
	if a.q.Method != "" {
		fmt.Fprintf(tw, "method\t%s\n", a.q.Method)
	}
	fmt.Fprintf(tw, "source\t%s\n", a.source)
	for _, n := range a.notes {
		fmt.Fprintf(tw, "note\t%s\n", n)
	}
	return tw.Flush()
}

// A calculator is one subcommand of stat. Its flags fill in what calc reads.
type calculator struct {
	cmd  *cobra.Command
	calc func(args []string) (*solution, error)
}

func statCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stat",
		Short: "Calculators: MTBF, trend, growth, lifetimes, availability, quantiles, comparisons, planning",
		Long: "Each calculator reads numbers from its arguments, from files that they name, or from standard input. A number may be a duration (5h, 300ms); then all are, and what comes " +
			"out is in seconds. Numbers are separated by spaces, commas or line ends; what follows a # is ignored. Each prints its method and its source, and with too little data what would be enough.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := &statFlags{in: io.in}
	for _, c := range []calculator{s.mtbf(), s.trend(), s.growth(), s.weibull(), s.lognormal(), s.survival(), s.availability(), s.proportion(), s.quantile(), s.mannWhitney(),
		s.usl(), s.erlang(), s.burn(), s.coverage(), s.plan(), s.changePoints()} {
		var output string
		c.cmd.RunE = func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			if f := c.cmd.Flags().Lookup("confidence"); f != nil {
				if v, err := strconv.ParseFloat(f.Value.String(), 64); err != nil || !(v > 0 && v < 1) {
					return exit(assay.ExitUsage, "--confidence %s is out of range; more than 0 and less than 1, for example 0.95", f.Value)
				}
			}
			a, err := c.calc(args)
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			if asked, err := c.cmd.Flags().GetFloat64("confidence"); err == nil && !a.q.Known() {
				a.q.Confidence = asked
			}
			return a.print(io.out, output)
		}
		c.cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
		cmd.AddCommand(c.cmd)
	}
	return cmd
}

// statFlags makes the calculators.
type statFlags struct{ in io.Reader }

// confidenceFlag adds --confidence.
func confidenceFlag(cmd *cobra.Command, into *float64) {
	cmd.Flags().Float64Var(into, "confidence", 0.95, "confidence of the interval, more than 0 and less than 1")
}

// maxNumbers bounds what a calculator reads.
const maxNumbers = 10_000_000

// data are numbers of one kind: plain ones, or durations in seconds.
type data struct {
	v    []float64
	unit assay.Unit // seconds, or "" for plain numbers
}

// read reads numbers from the arguments, each a number, a duration or the name of a file; from standard input without arguments or for "-".
func (s *statFlags) read(args []string) (data, error) {
	var d data
	timed, plain := "", ""
	take := func(where, token string) error {
		v, isTime, err := parseNumber(token)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if isTime {
			timed = token
		} else if v != 0 {
			plain = token
		}
		if timed != "" && plain != "" {
			return fmt.Errorf("%s: %s has a unit and %s has none; give one to both or to neither", where, timed, plain)
		}
		if d.v = append(d.v, v); len(d.v) > maxNumbers {
			return fmt.Errorf("%s: more than %d numbers", where, maxNumbers)
		}
		return nil
	}
	if len(args) == 0 {
		args = []string{"-"}
	}
	for i, arg := range args {
		if arg == "-" {
			if err := tokens(s.in, "standard input", take); err != nil {
				return d, err
			}
			continue
		}
		if _, _, err := parseNumber(arg); err == nil {
			if err := take(fmt.Sprintf("argument %d", i+1), arg); err != nil {
				return d, err
			}
			continue
		}
		if strings.Contains(arg, ",") {
			if _, err := os.Stat(arg); err != nil {
				if err := tokens(strings.NewReader(arg), fmt.Sprintf("argument %d", i+1), take); err != nil {
					return d, err
				}
				continue
			}
		}
		f, err := os.Open(arg)
		if err != nil {
			return d, fmt.Errorf("%q is neither a number, nor a duration such as 5h, nor a file: %w", arg, errors.Unwrap(err))
		}
		err = tokens(f, arg, take)
		f.Close()
		if err != nil {
			return d, err
		}
	}
	if timed != "" {
		d.unit = assay.Seconds
	}
	return d, nil
}

// tokens calls take with each number of r and where it stands.
func tokens(r io.Reader, name string, take func(where, token string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 1
	for ; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		for _, token := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '\r' }) {
			if err := take(fmt.Sprintf("%s:%d", name, n), token); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, n, err)
	}
	return nil
}

// parseNumber reads a finite number or a duration, which it gives in seconds.
func parseNumber(text string) (v float64, isTime bool, err error) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, false, fmt.Errorf("%q is not a finite number", text)
		}
		return v, false, nil
	}
	d, err := plan.ParseDuration(text)
	if err != nil {
		return 0, false, fmt.Errorf("%q is neither a number nor a duration such as 5h or 300ms", text)
	}
	return d.Seconds(), true, nil
}

// An amount is a flag that takes a number or a duration.
type amount struct {
	v      float64
	set    bool
	isTime bool
}

// String writes the value as it is set: a time of whole days as 90d, another one as 5h0m0s.
func (a *amount) String() string {
	switch days := a.v / 86400; {
	case a.isTime && days >= 1 && days == math.Trunc(days):
		return strconv.FormatFloat(days, 'f', -1, 64) + "d"
	case a.isTime && math.Abs(a.v) < 9e9:
		return time.Duration(math.Round(a.v * 1e9)).String()
	}
	return strconv.FormatFloat(a.v, 'g', -1, 64)
}

// Type names what is written.
func (a *amount) Type() string { return "number|duration" }

// Set parses the flag's value.
func (a *amount) Set(text string) (err error) {
	a.v, a.isTime, err = parseNumber(text)
	a.set = err == nil
	return err
}

func (a *amount) unit() assay.Unit {
	if a.isTime {
		return assay.Seconds
	}
	return ""
}

// estimated makes a quantity of an estimate with its interval.
func estimated(v, lo, hi, confidence float64, u assay.Unit, n int, of, method string) assay.Quantity {
	return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: confidence, Unit: u, N: n, Of: of, Method: method, Basis: assay.Estimated}
}

// exact is a quantity that follows from what was given without doubt: it is as good as that, and no sample stands behind it.
func exact(v float64, u assay.Unit, method string) assay.Quantity {
	return assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: u, Method: method, Basis: assay.Assumed}
}

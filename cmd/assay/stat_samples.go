package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/stat"
)

func (s *statFlags) proportion() calculator {
	var successes, n int
	var confidence float64
	var method string
	cmd := &cobra.Command{Use: "proportion --successes X --n N", Short: "Share of independent trials: Clopper-Pearson, Wilson or Jeffreys", Args: cobra.NoArgs,
		Long: "The share of successes among independent trials. Requests are not independent where failures cluster: see `assay stat availability`."}
	cmd.Flags().IntVar(&successes, "successes", -1, "successes")
	cmd.Flags().IntVar(&n, "n", 0, "trials")
	cmd.Flags().StringVar(&method, "method", "clopper-pearson", "clopper-pearson (exact), wilson or jeffreys")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func([]string) (*solution, error) {
		if n < 1 || successes < 0 || successes > n {
			return nil, fmt.Errorf("--successes %d of --n %d: want 0 <= successes <= n, and n 1 at least", successes, n)
		}
		a := &solution{title: "share"}
		var in stat.Interval
		switch method {
		case "clopper-pearson":
			in, a.source = stat.ClopperPearson(successes, n, confidence), "Clopper and Pearson 1934; NIST/SEMATECH e-Handbook 7.2.4.2"
		case "wilson":
			in, a.source = stat.Wilson(float64(successes), float64(n), confidence), "Wilson 1927; Newcombe, Stat. Med. 17, 1998"
		case "jeffreys":
			in, a.source = stat.Jeffreys(successes, n, confidence), "Brown, Cai and DasGupta, Stat. Sci. 16, 2001"
		default:
			return nil, fmt.Errorf("--method %q is unknown; clopper-pearson, wilson or jeffreys", method)
		}
		a.q = estimated(float64(successes)/float64(n), in.Lo, in.Hi, confidence, assay.Ratio, n, "trials", method)
		if bad := n - successes; bad == 0 {
			p := 1 - in.Lo
			a.notes = append(a.notes, fmt.Sprintf("no failure in %d: to show that fewer than %.3g fail with one failure among them takes %d trials", n, p, stat.Trials(p, 1, confidence)))
		}
		return a, nil
	}}
}

func (s *statFlags) quantile() calculator {
	var p, confidence float64
	var kind int
	cmd := &cobra.Command{Use: "quantile --p 0.95 NUMBER...", Short: "Quantile of a sample, by a named definition, with an interval from order statistics",
		Long: "The quantile by Hyndman and Fan's type 7 (NumPy, R, k6) or 6 (NIST), with an interval from order statistics, which holds whatever the distribution, for independent values."}
	cmd.Flags().Float64Var(&p, "p", 0.95, "which quantile, more than 0 and less than 1")
	cmd.Flags().IntVar(&kind, "type", stat.Type7, "definition: 6 or 7")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		switch {
		case !(p > 0 && p < 1):
			return nil, fmt.Errorf("--p %g is out of range; more than 0 and less than 1", p)
		case kind != stat.Type6 && kind != stat.Type7:
			return nil, fmt.Errorf("--type %d is unknown; 6 or 7", kind)
		}
		d, err := s.read(args)
		if err != nil {
			return nil, err
		}
		slices.Sort(d.v)
		n := len(d.v)
		a := &solution{title: fmt.Sprintf("p%g", 100*p), source: "Hyndman and Fan 1996; order statistics: NIST/SEMATECH e-Handbook 7.2.6"}
		least := stat.LeastN(p, confidence)
		lo, hi, attained, ok := stat.Ranks(n, p, confidence)
		if !ok {
			because := fmt.Sprintf("at %g %% it needs at least %d values and there are %d", 100*confidence, least, n)
			method := fmt.Sprintf("Hyndman-Fan type %d; order statistics", kind)
			if n == 0 {
				a.q = assay.NotEstimable(d.unit, n, "values", because)
				a.q.Method = method
				return a, nil
			}
			a.q = estimated(stat.Quantile(d.v, p, kind), math.NaN(), math.NaN(), confidence, d.unit, n, "values", method)
			a.open = "not estimable, because " + because
			return a, nil
		}
		a.q = estimated(stat.Quantile(d.v, p, kind), d.v[lo-1], d.v[hi-1], attained, d.unit, n, "values", fmt.Sprintf("Hyndman-Fan type %d; order statistics %d and %d", kind, lo, hi))
		return a, nil
	}}
}

func (s *statFlags) mannWhitney() calculator {
	var confidence float64
	cmd := &cobra.Command{Use: "mannwhitney FILE FILE", Short: "Do two samples differ? Mann-Whitney, and by how much (Hodges-Lehmann)", Args: cobra.ExactArgs(2),
		Long: "Compares the numbers of two files; either may be a list with commas. The main figure is the shift of the first against the second. Let a margin decide, not p: on real clouds p alone condemns up to half of the comparisons of equal releases."}
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		x, err := s.read(args[:1])
		if err != nil {
			return nil, err
		}
		y, err := s.read(args[1:])
		if err != nil {
			return nil, err
		}
		const most = 10_000
		switch {
		case len(x.v) == 0 || len(y.v) == 0:
			return nil, errors.New("both samples need values")
		case x.unit != y.unit:
			return nil, errors.New("both samples want the same unit, or none")
		case len(x.v) > most || len(y.v) > most:
			return nil, fmt.Errorf("more than %d values in one sample: compare runs, not requests", most)
		}
		t := stat.MannWhitney(x.v, y.v, confidence)
		how := "normal, corrected for ties and continuity"
		if t.Exact {
			how = "exact"
		}
		a := &solution{title: "shift", source: "Mann and Whitney 1947; Hodges and Lehmann 1963; R wilcox.test"}
		a.q = estimated(t.Shift, t.In.Lo, t.In.Hi, t.In.Confidence, x.unit, t.N+t.M, "values", "Hodges-Lehmann; "+how)
		if t.In.Lo == t.In.Hi && t.Shift == t.In.Lo { // ranks alone tell, and ties have none
			a.q = assay.NotEstimable(x.unit, t.N+t.M, "values", "so many values are equal that their order does not tell how far the samples lie apart: the shift between them would be shown without any doubt")
			a.q.Method = "Hodges-Lehmann; " + how
			a.add("sample", "of these values", t.Shift, x.unit)
		}
		a.add("u", "U", t.U, "")
		a.add("p", "p, two-sided", t.P, "")
		a.add("p_greater", "p, first not larger", t.PMore, "")
		a.add("p_less", "p, first not smaller", t.PLess, "")
		a.add("effect", "chance that one of the first is larger", t.Effect, "")
		if a.q.Known() && !a.q.Bounded() {
			least := stat.LeastRanks(confidence)
			a.q.Confidence = confidence
			a.open = fmt.Sprintf("not estimable, because %d and %d values bound no shift at %g %%; %d and %[4]d would", t.N, t.M, 100*confidence, least)
		}
		return a, nil
	}}
}

func (s *statFlags) usl() calculator {
	var confidence float64
	cmd := &cobra.Command{Use: "usl FILE", Short: "Universal scalability law: contention, coherence and the best concurrency", Args: cobra.MaximumNArgs(1),
		Long: "Fits Gunther's law to pairs of concurrency and throughput, one pair a line with a comma between them; a first line of names is skipped. The main figure is the concurrency at which throughput is highest."}
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		n, x, err := s.pairs(args)
		if err != nil {
			return nil, err
		}
		a := &solution{title: "best concurrency", source: "Gunther, Guerrilla Capacity Planning; R usl"}
		f, err := stat.FitUSL(n, x, nil)
		if err != nil {
			a.q = assay.NotEstimable(assay.Count, len(n), "pairs", err.Error())
			a.q.Method = "least squares; delta method"
			return a, nil
		}
		best, top, inBest, inTop, ok := f.Peak(confidence)
		if ok {
			a.q = estimated(best, inBest.Lo, inBest.Hi, confidence, assay.Count, len(n), "pairs", "least squares; delta method")
		} else {
			_, _, coherence := f.Coefficients(confidence)
			why := "throughput rises without a maximum: coherence is 0"
			if f.Kappa > 0 {
				why = fmt.Sprintf("there may be no maximum: the interval of coherence, [%.4g, %.4g] at %g %%, holds 0", coherence.Lo, coherence.Hi, 100*confidence)
			}
			if least := f.PeakLeast(confidence); !math.IsNaN(least) {
				why += fmt.Sprintf("; one would lie above %.4g", least)
			}
			a.q = assay.NotEstimable(assay.Count, len(n), "pairs", why)
			a.q.Method = "least squares; delta method"
			top, inTop = math.NaN(), stat.Interval{Lo: math.NaN(), Hi: math.NaN()}
		}
		l, sg, k := f.Coefficients(confidence)
		for i, c := range []struct {
			key, name string
			v         float64
			in        stat.Interval
		}{{"gamma", "throughput of one (gamma)", f.Lambda, l}, {"alpha", "contention (alpha)", f.Sigma, sg}, {"beta", "coherence (beta)", f.Kappa, k}} {
			a.rows = append(a.rows, solutionRow{c.key, c.name, map[string]any{"value": c.v, "lo": finite(c.in.Lo), "hi": finite(c.in.Hi), "se": finite(f.SE[i])}, fmt.Sprintf("%.6g  [%.4g, %.4g], se %.4g", c.v, c.in.Lo, c.in.Hi, f.SE[i])})
		}
		if ok {
			a.rows = append(a.rows, solutionRow{"peak", "highest throughput", map[string]any{"value": finite(top), "lo": finite(inTop.Lo), "hi": finite(inTop.Hi)}, fmt.Sprintf("%.6g  [%.6g, %.6g]", top, inTop.Lo, inTop.Hi)})
		}
		a.add("r2", "R²", f.R2, "")
		var points []map[string]any
		for i := range n {
			efficiency := x[i] / (n[i] * f.Lambda)
			points = append(points, map[string]any{"n": n[i], "x": x[i], "fitted": f.At(n[i]), "residual": x[i] - f.At(n[i]), "efficiency": efficiency})
			if i < 12 {
				a.rows = append(a.rows, solutionRow{"", "at " + inUnit(n[i], ""), nil, fmt.Sprintf("%.6g, fitted %.6g, residual %+.4g, efficiency %.4f", x[i], f.At(n[i]), x[i]-f.At(n[i]), efficiency)})
			}
		}
		a.rows = append(a.rows, solutionRow{"points", "", points, ""})
		return a, nil
	}}
}

// pairs reads lines of two numbers.
func (s *statFlags) pairs(args []string) (n, x []float64, err error) {
	in, where := s.in, "standard input"
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, nil, fmt.Errorf("read pairs: %w", err)
		}
		defer f.Close()
		in, where = f, args[0]
	}
	lines := bufio.NewScanner(in)
	line := 1
	for ; lines.Scan(); line++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '\r' })
		if len(f) == 0 {
			continue
		}
		var a, b float64
		ok := len(f) == 2
		if ok {
			var e1, e2 error
			a, e1 = strconv.ParseFloat(f[0], 64)
			b, e2 = strconv.ParseFloat(f[1], 64)
			ok = e1 == nil && e2 == nil
		}
		switch {
		case ok && (math.IsNaN(a+b) || math.IsInf(a+b, 0)):
			return nil, nil, fmt.Errorf("%s:%d: %q: want finite numbers", where, line, strings.TrimSpace(text))
		case ok:
			n, x = append(n, a), append(x, b)
		case len(n) == 0 && line == 1: // names
		default:
			return nil, nil, fmt.Errorf("%s:%d: %q: want concurrency and throughput, for example 18,995.9", where, line, strings.TrimSpace(text))
		}
		if len(n) > 100_000 {
			return nil, nil, fmt.Errorf("%s: more than 100000 pairs", where)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("%s:%d: %w", where, line, err)
	}
	return n, x, nil
}

func (s *statFlags) erlang() calculator {
	var servers int
	var ca2, cs2 float64
	var limit amount
	var arrivals, service pace
	cmd := &cobra.Command{Use: "erlang --servers C --arrivals R --service R", Short: "Waiting in a queue with several servers (Erlang C, Allen-Cunneen)", Args: cobra.NoArgs,
		Long: "The mean wait in queue, in seconds where a rate or the limit has a unit (3/s, 90/min, or 300ms for one), else in the unit of time of the rates. With --limit in place of --servers: the least number of servers that keeps it."}
	cmd.Flags().IntVar(&servers, "servers", 0, "servers: instances, or slots of a batch")
	cmd.Flags().Var(&arrivals, "arrivals", "arrivals per unit of time, for example 3/s")
	cmd.Flags().Var(&service, "service", "what one server completes per unit of time when busy, for example 2/s, or how long one takes: 500ms")
	cmd.Flags().Float64Var(&ca2, "ca2", 1, "squared coefficient of variation of times between arrivals; 1 is Poisson")
	cmd.Flags().Float64Var(&cs2, "cs2", 1, "squared coefficient of variation of service times; 1 is exponential")
	cmd.Flags().Var(&limit, "limit", "mean wait that must not be passed, in place of --servers")
	return calculator{cmd, func([]string) (*solution, error) {
		switch {
		case !(arrivals.v > 0) || !(service.v > 0):
			return nil, errors.New("--arrivals and --service are needed, both above 0")
		case arrivals.timed != service.timed && !limit.isTime:
			return nil, errors.New("--arrivals and --service want a unit both, as 3/s and 500ms, or none")
		case !(ca2 >= 0) || !(cs2 >= 0) || math.IsInf(ca2+cs2, 1):
			return nil, fmt.Errorf("--ca2 %g --cs2 %g: want 0 or more, and finite", ca2, cs2)
		case (servers > 0) == limit.set:
			return nil, errors.New("exactly one of --servers, 1 or more, and --limit is needed")
		case servers > 10_000_000:
			return nil, fmt.Errorf("--servers %d is out of range; at most ten million", servers)
		case arrivals.v/service.v > 1e6:
			return nil, fmt.Errorf("a load of %g servers is out of range; at most a million", arrivals.v/service.v)
		}
		var u assay.Unit
		if arrivals.timed || service.timed || limit.isTime { // a plain rate beside it is per second
			u = assay.Seconds
		}
		a := &solution{title: "mean wait", source: "Erlang 1917; Allen and Cunneen"}
		method := "Erlang C, exact for Poisson arrivals and exponential service"
		if ca2 != 1 || cs2 != 1 {
			method = "Allen-Cunneen, approximate"
		}
		var wait float64
		if limit.set {
			if servers, wait = stat.Servers(arrivals.v, service.v, ca2, cs2, limit.v); servers == 0 {
				return nil, errors.New("a million servers do not keep it")
			}
		} else {
			wait = stat.Wait(servers, arrivals.v, service.v, ca2, cs2)
		}
		a.rows = append(a.rows, solutionRow{"servers", "servers", servers, strconv.Itoa(servers)})
		a.add("utilization", "utilisation", arrivals.v/service.v/float64(servers), "")
		a.add("waiting", "share that waits", stat.ErlangC(servers, arrivals.v/service.v), "")
		if math.IsInf(wait, 1) {
			a.q = assay.NotEstimable(u, 0, "", fmt.Sprintf("%d servers complete %g and %g arrive: the queue grows without end; at least %d are needed", servers, float64(servers)*service.v, arrivals.v, int(arrivals.v/service.v)+1))
			return a, nil
		}
		a.q = exact(wait, u, method)
		return a, nil
	}}
}

// A pace is a flag that takes a rate: plain, per a unit of time, or as the time that one takes.
type pace struct {
	v     float64
	timed bool // per second
}

func (p *pace) String() string { return strconv.FormatFloat(p.v, 'g', -1, 64) }
func (p *pace) Type() string   { return "rate" }

// Set parses the flag's value.
func (p *pace) Set(text string) error {
	if n, per, ok := strings.Cut(text, "/"); ok {
		size := map[string]float64{"s": 1, "min": 60, "h": 3600, "d": 86400}[per]
		v, err := strconv.ParseFloat(n, 64)
		if err != nil || size == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is no rate; for example 3/s, 90/min or 10/h", text)
		}
		p.v, p.timed = v/size, true
		return nil
	}
	v, isTime, err := parseNumber(text)
	if err != nil {
		return fmt.Errorf("%q is no rate; for example 3/s, 90/min, or 300ms for one", text)
	}
	if p.v, p.timed = v, isTime; isTime {
		p.v = 1 / v
	}
	return nil
}

func (s *statFlags) plan() calculator {
	var goal, bad amount
	var failures int
	var confidence, proportion, quantile, alpha, beta float64
	cmd := &cobra.Command{Use: "plan --goal 720h | --proportion 0.001 | --quantile 0.99", Short: "How long to watch, or how many trials, to show an objective", Args: cobra.NoArgs,
		Long: "How much is needed to show an objective at a confidence. --goal: an MTBF, as time to watch; with --bad a sequential test that ends sooner. --proportion: a share of failures, " +
			"as trials. --quantile: values for an interval, and the sizes of MLPerf's LoadGen."}
	cmd.Flags().Var(&goal, "goal", "MTBF to show, for example 720h")
	cmd.Flags().Var(&bad, "bad", "MTBF that must not pass: makes the test sequential")
	cmd.Flags().Float64Var(&alpha, "alpha", 0.1, "sequential: chance of rejecting the good")
	cmd.Flags().Float64Var(&beta, "beta", 0.1, "sequential: chance of accepting the bad")
	cmd.Flags().IntVar(&failures, "failures", 0, "failures that are allowed")
	cmd.Flags().Float64Var(&proportion, "proportion", 0, "share of failures to stay below")
	cmd.Flags().Float64Var(&quantile, "quantile", 0, "quantile of latency to show")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func([]string) (*solution, error) {
		asked := 0
		for _, set := range []bool{goal.set, proportion != 0, quantile != 0} {
			if set {
				asked++
			}
		}
		switch {
		case asked != 1:
			return nil, errors.New("exactly one of --goal, --proportion and --quantile is needed")
		case failures < 0 || failures > 1_000_000:
			return nil, fmt.Errorf("--failures %d is out of range; 0 to a million", failures)
		case bad.set && !goal.set:
			return nil, errors.New("--bad goes with --goal")
		}
		switch {
		case goal.set && bad.set:
			return planSequential(goal, bad, alpha, beta)
		case goal.set:
			if !(goal.v > 0) {
				return nil, errors.New("--goal wants an MTBF above 0")
			}
			a := &solution{title: "time to watch", source: "NIST/SEMATECH e-Handbook 8.3.1.1"}
			a.q = exact(goal.v*stat.PlanningFactor(failures, confidence), goal.unit(), fmt.Sprintf("chi-square, at most %d failures, one-sided at %g %%", failures, 100*confidence))
			for r := range 4 {
				a.add(fmt.Sprintf("time_%d", r), "with "+dashboards.Things(r, "failures"), goal.v*stat.PlanningFactor(r, confidence), goal.unit())
			}
			return a, nil
		case proportion != 0:
			if !(proportion > 0 && proportion < 1) || proportion < 1e-9 {
				return nil, fmt.Errorf("--proportion %g is out of range; 1e-9 or more and less than 1", proportion)
			}
			a := &solution{title: "trials", source: "binomial, exact; the rule of three with none allowed"}
			a.q = exact(float64(stat.Trials(proportion, failures, confidence)), assay.Count, fmt.Sprintf("at most %d failures, one-sided at %g %%", failures, 100*confidence))
			for r := range 4 {
				a.add(fmt.Sprintf("trials_%d", r), "with "+dashboards.Things(r, "failures"), float64(stat.Trials(proportion, r, confidence)), "")
			}
			a.notes = append(a.notes, "for independent trials: where failures cluster, count episodes")
			return a, nil
		}
		if !(quantile > 0 && quantile < 1) {
			return nil, fmt.Errorf("--quantile %g is out of range; more than 0 and less than 1", quantile)
		}
		a := &solution{title: "values", source: "order statistics; MLPerf LoadGen"}
		least := stat.LeastN(quantile, confidence)
		a.q = exact(float64(least), assay.Count, fmt.Sprintf("least for a two-sided interval at %g %%, independent values", 100*confidence))
		a.notes = append(a.notes, fmt.Sprintf("of cold starts the values are instance starts, whatever the requests that each held: %d of them", least))
		a.add("loadgen_queries", "LoadGen parity", float64(stat.LoadGenQueries(quantile)), "")
		for r := range 4 {
			a.add(fmt.Sprintf("loadgen_early_%d", r), fmt.Sprintf("LoadGen early stopping, %d over the limit", r), float64(stat.LoadGenEarly(quantile, r)), "")
		}
		return a, nil
	}}
}

func planSequential(goal, bad amount, alpha, beta float64) (*solution, error) {
	if goal.unit() != bad.unit() {
		return nil, errors.New("--goal and --bad want the same unit, or none")
	}
	t := stat.Sequential{Good: goal.v, Bad: bad.v, Alpha: alpha, Beta: beta}
	if err := t.Check(); err != nil {
		return nil, err
	}
	a := &solution{title: "accept without failures after", source: "Wald 1947; MIL-HDBK-781"}
	a.q = exact(t.Accept(0), goal.unit(), fmt.Sprintf("sequential probability ratio, alpha %g, beta %g", alpha, beta))
	var table []map[string]any
	for r := range 8 {
		row := map[string]any{"failures": r, "accept_after": t.Accept(r), "reject_before": nil}
		text := "accept after " + inUnit(t.Accept(r), goal.unit())
		if v := t.Reject(r); v > 0 {
			row["reject_before"] = v
			text += ", reject up to " + inUnit(v, goal.unit())
		}
		table = append(table, row)
		a.rows = append(a.rows, solutionRow{"", dashboards.Things(r, "failures"), nil, text})
	}
	a.rows = append(a.rows, solutionRow{"boundaries", "", table, ""})
	u := goal.unit()
	a.rows = append(a.rows, solutionRow{"slope", "", finite(math.Log(goal.v/bad.v) / (1/bad.v - 1/goal.v)), ""})
	a.add("expected_if_good", "on average, if it is good", t.Expected(goal.v), u)
	a.add("expected_if_bad", "on average, if it is bad", t.Expected(bad.v), u)
	if time, r, ok := t.Fixed(); ok {
		a.rows = append(a.rows, solutionRow{"fixed_time", "", time, ""}, solutionRow{"fixed_failures", "", r, ""},
			solutionRow{"", "a set time of the same risks", nil, fmt.Sprintf("%s with at most %s", inUnit(time, u), dashboards.Things(r, "failures"))})
	}
	return a, nil
}

func (s *statFlags) changePoints() calculator {
	var window int
	var p, magnitude float64
	cmd := &cobra.Command{Use: "changepoints NUMBER...", Short: "Where the level of a series changes (E-divisive means, as Hunter and Otava)", Long: "Finds the indexes, from 0, at which the level of a series changes. The series is read in order from files or standard input."}
	cmd.Flags().IntVar(&window, "window", 50, "values that are looked at together")
	cmd.Flags().Float64Var(&p, "p", 0.001, "highest p of a change")
	cmd.Flags().Float64Var(&magnitude, "magnitude", 0, "least relative change, for example 0.05")
	return calculator{cmd, func(args []string) (*solution, error) {
		switch {
		case window < 2 || window > stat.MaxChangeWindow:
			return nil, fmt.Errorf("--window %d is out of range; 2 to %d", window, stat.MaxChangeWindow)
		case !(p > 0 && p <= 1):
			return nil, fmt.Errorf("--p %g is out of range; more than 0, at most 1", p)
		case !(magnitude >= 0) || math.IsInf(magnitude, 1):
			return nil, fmt.Errorf("--magnitude %g is out of range; 0 or more", magnitude)
		}
		d, err := s.read(args)
		if err != nil {
			return nil, err
		}
		points := stat.ChangePoints(d.v, window, p, magnitude)
		a := &solution{title: "change points", source: "Matteson and James, JASA 109, 2014; Fleming et al., ICPE 2023; Apache Otava"}
		a.q = assay.Quantity{Value: float64(len(points)), Lo: float64(len(points)), Hi: float64(len(points)), Confidence: 1, Unit: assay.Count, N: len(d.v), Of: "values", Method: fmt.Sprintf("E-divisive means, Student's t, window %d, p %g, magnitude %g", window, p, magnitude), Basis: assay.Measured}
		if side := min(window, len(d.v)) / 2; side < 2 {
			a.q = assay.NotEstimable(assay.Count, len(d.v), "values", fmt.Sprintf("a change shows between 2 values a side at least, so it needs 4 values in a window of 4; there are %d, in a window of %d", len(d.v), window))
		} else {
			a.notes = append(a.notes, fmt.Sprintf("with %d values a side a change is found where it is some %.2g times the spread within either", side, stat.StudentT(1-p/2, float64(2*side-2))*math.Sqrt(2/float64(side))))
		}
		list := []map[string]any{}
		for _, c := range points {
			change := finite(c.After/c.Before - 1)
			list = append(list, map[string]any{"index": c.Index, "before": c.Before, "after": c.After, "change": change, "p": c.P})
			text := fmt.Sprintf("%s to %s, p %.3g", inUnit(c.Before, d.unit), inUnit(c.After, d.unit), c.P)
			if change != nil {
				text = fmt.Sprintf("%+.2f %%: ", 100*change.(float64)) + text
			}
			a.rows = append(a.rows, solutionRow{"", fmt.Sprintf("at %d", c.Index), nil, text})
		}
		a.rows = append(a.rows, solutionRow{"change_points", "", list, ""})
		return a, nil
	}}
}

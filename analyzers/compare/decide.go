package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// suspect looks at what the runs are and says what speaks against comparing them.
func suspect(c *assay.Comparison, runs []Run, opts *Options) {
	for _, s := range append([]assay.Side{c.Base}, c.Candidates...) {
		if out := len(s.Runs) - s.Used(); out > 0 && s.Used() > 0 {
			i := slices.IndexFunc(s.Runs, func(r assay.ComparedRun) bool { return r.LeftOut != "" })
			c.Doubts = append(c.Doubts, fmt.Sprintf("%d of %d runs of %s are left out; of %s: %s", out, len(s.Runs), s.Name, s.Runs[i].Dir, s.Runs[i].LeftOut))
		}
	}
	if len(runs) == 0 {
		return
	}
	for i := range runs[1:] {
		if s := planDiffers(&runs[0], &runs[i+1]); s != "" {
			if opts.OtherPlans {
				c.Doubts = append(c.Doubts, s)
			} else {
				c.Problems = append(c.Problems, s)
			}
			break
		}
	}
	plans := 0
	for i := range runs {
		if len(runs[i].Manifest.Plan) > 0 {
			plans++
		}
	}
	if plans < len(runs) {
		c.Doubts = append(c.Doubts, noPlan)
	}
	differ := func(what string, f func(*Run) string) {
		if v := distinct(runs, f); len(v) > 1 {
			c.Doubts = append(c.Doubts, fmt.Sprintf("the runs were made %s: %s", what, strings.Join(v, "; ")))
		}
	}
	differ("on different machines", func(r *Run) string {
		if h := r.Manifest.Host; h.OS != "" {
			return fmt.Sprintf("%s/%s with %d CPUs, kernel %s", h.OS, h.Arch, h.CPUs, cmp.Or(h.Kernel, "not told"))
		}
		return ""
	})
	differ("by different versions of assay", func(r *Run) string { return r.Manifest.Version })
	differ("against different kinds of target", func(r *Run) string { return r.Manifest.Target.Kind })
	differ("with different models", func(r *Run) string { return r.Manifest.Target.Model })
	for i := range c.Changes {
		ch := &c.Changes[i]
		for _, s := range ch.Doubts {
			if ch.Role != assay.ChangeShow && (strings.Contains(s, notTelling) || strings.Contains(s, meanRate)) {
				c.Doubts = append(c.Doubts, ch.Title+": "+s)
			}
		}
	}
	var follow []string
	for i := range c.Changes {
		ch := &c.Changes[i]
		if ch.Role != assay.ChangeShow && slices.ContainsFunc(ch.Doubts, func(s string) bool { return strings.HasPrefix(s, "the values follow their order") }) && !slices.Contains(follow, ch.Title) {
			follow = append(follow, ch.Title)
		}
	}
	if len(follow) > 0 {
		c.Doubts = append(c.Doubts, fmt.Sprintf("runs are like their neighbours in %s: each was compared with its neighbour of the other side alone, which takes more runs", strings.Join(follow, "; ")))
	}
	for i := range c.Candidates {
		a, b := releases(&c.Base), releases(&c.Candidates[i])
		if len(a) == 1 && slices.Equal(a, b) {
			c.Doubts = append(c.Doubts, fmt.Sprintf("%s and %s are both of release %s: no change is to be expected", c.Base.Name, c.Candidates[i].Name, a[0]))
		}
	}
}

func releases(s *assay.Side) []string {
	var out []string
	for _, r := range s.Runs {
		if r.LeftOut == "" && r.Release != "" && !slices.Contains(out, r.Release) {
			out = append(out, r.Release)
		}
	}
	slices.Sort(out)
	return out
}

// holm lets failures stand only where they hold among all that might have failed.
func holm(c *assay.Comparison) {
	var may []*assay.Change
	var p []float64
	for i := range c.Changes {
		if ch := &c.Changes[i]; ch.Role != assay.ChangeShow && !math.IsNaN(float64(ch.P)) {
			may, p = append(may, ch), append(p, float64(ch.P))
		}
	}
	level := (1 - c.Confidence) / 2
	for i, adjusted := range stat.Holm(p) {
		ch := may[i]
		ch.Adjusted = assay.Num(adjusted)
		if ch.Verdict != assay.VerdictFail || adjusted <= level {
			continue
		}
		ch.Verdict = assay.VerdictInconclusive
		ch.Why = fmt.Sprintf("beyond the margin by itself, which is not enough among %d metrics that may fail (p %.2g, by Holm %.2g)", len(may), p[i], adjusted)
		if n := min(len(ch.BaseValues), len(ch.OtherValues)); n > 0 {
			ch.More = max(leastAmong(len(may), level)-n, 1)
		}
	}
}

// leastAmong returns how many runs a side let the smallest chance there is hold among k.
func leastAmong(k int, level float64) int {
	ways := 1.0 // 2n over n
	for n := 1; ; n++ {
		ways *= float64(2*n) * float64(2*n-1) / float64(n) / float64(n)
		if !(float64(k)/ways > level) || math.IsInf(ways, 1) { // NaN ends it too
			return n
		}
	}
}

// decide gives the answer of the whole comparison.
func decide(c *assay.Comparison) {
	var failed, open, held []*assay.Change
	gates := 0
	for i := range c.Changes {
		ch := &c.Changes[i]
		if ch.Verdict == assay.VerdictInconclusive && ch.Enough == "" {
			ch.Enough = enough(ch)
		}
		switch {
		case ch.Role == assay.ChangeShow:
		case ch.Verdict == assay.VerdictFail:
			failed = append(failed, ch)
		case ch.Role == assay.ChangeGate && ch.Verdict == assay.VerdictInconclusive:
			open = append(open, ch)
		case ch.Holds && ch.Verdict == assay.VerdictInconclusive:
			held = append(held, ch)
		}
		if ch.Role == assay.ChangeGate {
			gates++
		}
	}
	switch {
	case len(c.Problems) > 0:
		c.Verdict, c.Exit, c.Why = assay.VerdictInvalid, assay.ExitInvalid, c.Problems[0]
		if !strings.HasPrefix(c.Problems[0], "the plans") {
			c.Next = "make runs that count, and compare again"
		} else {
			c.Next = "compare runs of one plan, or say --other-plans if what differs does not matter"
		}
	case len(failed) > 0:
		c.Verdict, c.Exit = assay.VerdictFail, assay.ExitNoGo
		c.Why = said(failed[0], len(c.Candidates) > 1)
		if n := len(failed) - 1; n > 0 {
			c.Why += fmt.Sprintf("; and %d more", n)
		}
	case gates == 0:
		c.Verdict, c.Exit = assay.VerdictInconclusive, assay.ExitInconclusive
		c.Why = "nothing that both sides have must pass"
		c.Next = "name what must with --metric, for example --metric e2e/p95"
	case len(open) == 0 && len(held) > 0:
		c.Verdict, c.Exit = assay.VerdictInconclusive, assay.ExitInconclusive
		c.Why = fmt.Sprintf("%s within the margin, but %s is not shown to be: %s", plural(gates, "gated metric is", "gated metrics are all"), held[0].Title, held[0].Why)
		c.Next = next(held)
	case len(open) == 0:
		c.Verdict, c.Exit = assay.VerdictPass, assay.ExitGo
		c.Why = fmt.Sprintf("%s within the margin", plural(gates, "gated metric is", "gated metrics are all"))
		if s := clean(c); s != "" {
			c.Why += "; " + s
		}
	default:
		c.Verdict, c.Exit = assay.VerdictInconclusive, assay.ExitInconclusive
		c.Why = fmt.Sprintf("%d of %s not decided; %s: %s", len(open), plural(gates, "gated metric", "gated metrics"), open[0].Title, open[0].Why)
		c.Next = next(append(open, held...))
	}
	if n := amongOf(c); n > 0 && c.Verdict == assay.VerdictInconclusive {
		c.Next += fmt.Sprintf("; no failure holds before there are %d runs a side, since so many metrics may fail (Holm)", n)
	}
}

// amongOf returns how many runs a side let one metric fail by Holm's procedure among all that may, or 0 where there are as many.
func amongOf(c *assay.Comparison) int {
	may, runs := 0, 0
	for i := range c.Changes {
		if ch := &c.Changes[i]; ch.Role != assay.ChangeShow && !math.IsNaN(float64(ch.P)) {
			may, runs = may+1, max(runs, min(len(ch.BaseValues), len(ch.OtherValues)))
		}
	}
	if n := leastAmong(may, (1-c.Confidence)/2); c.Race == nil && may > 0 && n > runs && n > (stat.Gate{Alpha: (1 - c.Confidence) / 2}).Least() {
		return n
	}
	return 0
}

// next says how many runs would decide what is open.
func next(open []*assay.Change) string {
	most, never, instead := 0, "", ""
	for _, ch := range open {
		most = max(most, ch.More)
		switch {
		case ch.More > 0:
		case counted(ch.Metric) || strings.HasPrefix(ch.Enough, "runs ") || strings.HasPrefix(ch.Enough, "about "):
			instead = ch.Title + ": " + ch.Enough
		default:
			never = ch.Title
		}
	}
	switch {
	case most > 0 && never != "":
		return fmt.Sprintf("make about %s a side, in turns (ABAB); %s may stay open even so", plural(most, "more run", "more runs"), never)
	case most > 0:
		return fmt.Sprintf("make about %s a side, in turns (ABAB)", plural(most, "more run", "more runs"))
	}
	if never == "" {
		return "enough for " + instead
	}
	return "a wider margin, or runs that differ less among themselves: " + never + " is not decided by more of these"
}

func enough(ch *assay.Change) string {
	switch {
	case ch.More > 0:
		return fmt.Sprintf("about %s a side, if the change stays as it is", plural(ch.More, "more run", "more runs"))
	case ch.Change.Known():
		return fmt.Sprintf("more than %d further runs a side: the runs differ too much among themselves for so small a margin, or the change is as good as the margin", 1000)
	}
	return "runs on both sides that tell it"
}

// said tells of a failure in one sentence.
func said(ch *assay.Change, named bool) string {
	s := fmt.Sprintf("%s is %s, and %s is the margin", ch.Title, worseBy(ch), amount(ch, ch.Margin))
	if named {
		s = ch.Candidate + ": " + s
	}
	return s
}

// worseBy tells a change with its interval: 9.8 % higher (8.1 to 12.9 %).
func worseBy(ch *assay.Change) string {
	q, way := ch.Change, "higher"
	lo, hi, v := q.Lo, q.Hi, q.Value
	if v < 0 || math.IsNaN(v) && hi <= 0 {
		way, lo, hi, v = "lower", -hi, -lo, -v
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprintf("%s by at least %s", way, amount(ch, lo))
	}
	if math.IsInf(hi, 0) {
		return fmt.Sprintf("%s %s (at least %s)", amount(ch, v), way, amount(ch, lo))
	}
	return fmt.Sprintf("%s %s (%s to %s)", amount(ch, v), way, amount(ch, lo), amount(ch, hi))
}

// amount writes a change on its scale.
func amount(ch *assay.Change, v float64) string {
	switch {
	case ch.Scale != assay.ScaleDifference:
		return fmt.Sprintf("%.3g %%", v*100)
	case ch.Change.Unit == assay.Ratio:
		return fmt.Sprintf("%.3g points", v*100)
	}
	return fmt.Sprintf("%.3g %s", v, ch.Change.Unit)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package dashboards

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// mostSteps bounds the steps that a view tells one by one.
const mostSteps = 6

// stepLines say where a level changed within a phase, when, from what to what and how certainly. A step of a p95 is told where its median has none there.
func stepLines(r *assay.Report) (out []string) {
	for i := range r.Changes {
		c := &r.Changes[i]
		if median, ok := strings.CutSuffix(c.Of, "/p95"); ok && stepsAt(r, median, c) {
			continue
		}
		if len(out) == mostSteps {
			return append(out, fmt.Sprintf("and more steps: %d in all", len(r.Changes)))
		}
		out = append(out, phaseStepLine(r, c))
	}
	return out
}

// stepsAt reports whether another figure has a step within two blocks of that of c.
func stepsAt(r *assay.Report, of string, c *assay.PhaseStep) bool {
	for i := range r.Changes {
		if x := &r.Changes[i]; x.Of == of && x.Phase == c.Phase && x.Blocks == c.Blocks && max(x.Block-c.Block, c.Block-x.Block) <= 2 {
			return true
		}
	}
	return false
}

func phaseStepLine(r *assay.Report, c *assay.PhaseStep) string {
	what := words(c.Of)
	for _, l := range latencyNames {
		if rest, ok := strings.CutPrefix(c.Of, l.family); ok {
			what = l.title + " " + orElse(strings.TrimPrefix(rest, "/"), "p50")
		}
	}
	if c.Phase != "" {
		what = c.Phase + " " + what
	}
	if s := c.Labels["series"]; s != "" {
		what += " (" + s + ")"
	}
	s := fmt.Sprintf("step: %s by %s at %s, block %d of %d: from %s to %s, p = %.2g", what, Measure(c.Size), Instant(c.At, r.Begin), c.Block, c.Blocks, Measure(c.Before), Measure(c.After), c.P)
	if c.Beside != "" {
		s += "; " + c.Beside
	}
	return s
}

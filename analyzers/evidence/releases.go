package evidence

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// byRelease tells exposure and failures of one kind of unit apart by release, in the order in which they were first watched; nil where there are not several.
func (l *ledger) byRelease(s assay.Subject) []assay.ReleaseRate {
	var out []assay.ReleaseRate
	of := func(release string) *assay.ReleaseRate {
		i := slices.IndexFunc(out, func(r assay.ReleaseRate) bool { return r.Release == release })
		if i < 0 {
			i, out = len(out), append(out, assay.ReleaseRate{Release: release})
		}
		return &out[i]
	}
	for _, p := range l.exposure[s] {
		of(p.release).Exposure += p.each * seconds(p.in.End-p.in.Begin)
	}
	for _, f := range l.failures[s] {
		of(f.release).Failures++
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// uneven says where releases failed at rates that differ at 5 %, so that a rate of all is that of none: each against all others, given how many failures there are, and for as many as there
// are by Holm. It is "" where nothing shows.
func uneven(s assay.Subject, releases []assay.ReleaseRate) string {
	var total float64
	n := 0
	for _, r := range releases {
		total += r.Exposure
		n += r.Failures
	}
	var p []float64
	var said []string
	for _, r := range releases {
		said = append(said, fmt.Sprintf("%s %d in %s", release(r.Release), r.Failures, span(r.Exposure)))
		if r.Exposure <= 0 || r.Exposure >= total || len(releases) == 2 && len(p) == 1 { // of two, the second comparison is the first
			continue
		}
		one := stat.RateRatioOf(n-r.Failures, total-r.Exposure, r.Failures, r.Exposure, confidence)
		p = append(p, min(1, 2*min(one.PMore, one.PLess)))
	}
	if len(p) == 0 {
		return ""
	}
	least := slices.Min(stat.Holm(p))
	if least >= 1-confidence {
		return ""
	}
	return fmt.Sprintf("releases failed at different rates (%s; p %.2g, exact, given all failures): MTBF and rate of them together are those of none; ask for one with --release", strings.Join(said, ", "), least)
}

// release names one for people.
func release(name string) string {
	if name == "" {
		return "one without a name"
	}
	return name
}

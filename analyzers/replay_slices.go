package analyzers

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay"
)

// bySlices holds what the rules of a promise by slices of time look at, events, against what it is counted in: both shares of the run. It is empty for other promises.
func (p *replayPass) bySlices(name string) string {
	for i := range p.results {
		x := &p.results[i]
		s := &x.SLO
		if s.Name != name || s.Method == assay.Occurrences {
			continue
		}
		of := "of slices of " + sloSpan(s.Slice)
		if s.Method == assay.RatioTimeslices {
			of = "as the mean of slices of " + sloSpan(s.Slice)
		}
		text := fmt.Sprintf("the rules of %s count events, as its file of rules says, and not slices of time", name)
		w := p.made.windows(p.f, p.made.lines(p.f), s, 0)
		if w == nil || !x.Burn.Known() {
			return text
		}
		bad, all := w.count(time.Duration(p.f.End-p.f.Begin+3*w.step), p.ms(p.f.End+w.step)) // to the sample after the end
		if all == 0 {
			return text
		}
		budget := 1 - s.Target
		return text + fmt.Sprintf(": bad in this run were %.3g %% of events (burn rate %.3gx) and %.3g %% %s (%.3gx), and it allows %.3g %%",
			100*bad/all, burnRate(bad/all, s), 100*x.Burn.Value*budget, of, x.Burn.Value, 100*budget)
	}
	return ""
}

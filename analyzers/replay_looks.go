package analyzers

import (
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// engineFor is the length of a run up to which rules on recorded metrics are evaluated as they are written. To do so over days asks for each sample a thousand times.
const engineFor = time.Hour

// lookWindows are sums of what a promise's PromQL gives at steps over a run.
type lookWindows struct {
	begin, step int64 // run time
	bad, all    []float64
}

func newLookWindows(f *assay.Facts, s *assay.SLO) *lookWindows {
	looks, untold := newSLOCount(f, s).looks(f)
	if untold != "" {
		return nil
	}
	begin, end, _ := facts.MetricsSpan(f)
	w := &lookWindows{begin: begin, step: looks.step, bad: []float64{0}, all: []float64{0}}
	var bad, all float64
	for t := begin + w.step; t <= end; t += w.step {
		if n := looks.total[t]; n > 0 {
			all += n
			bad += min(n, max(0, looks.bad(t, n)))
		}
		w.bad, w.all = append(w.bad, bad), append(w.all, all)
	}
	return w
}

// ratio is the share that was bad in the steps of the window that ends at t, of at least one; it is not known where nothing was.
func (w *lookWindows) ratio(window time.Duration, t int64) (bad float64, known bool) {
	last := min(int((t-w.begin)/w.step), len(w.all)-1)
	if last <= 0 {
		return 0, false
	}
	first := max(0, last-max(1, int(int64(window)/w.step)))
	all := w.all[last] - w.all[first]
	return (w.bad[last] - w.bad[first]) / all, all > 0
}

// knownLooks gives a recording of a promise on recorded metrics in a long run; nil in a short one.
func (p *replayPass) knownLooks(s *assay.SLO, window, past time.Duration) func(int64) (float64, bool) {
	if p.f.End-p.f.Begin <= int64(engineFor) {
		return nil
	}
	w, asked := p.looked[s.Name]
	if !asked {
		w = newLookWindows(p.f, s)
		p.looked[s.Name] = w
	}
	if w == nil {
		return nil
	}
	return func(ms int64) (float64, bool) {
		bad, known := w.ratio(window, p.ns(ms))
		if past > 0 {
			bad *= p.there(window, ms)
		}
		return bad, known
	}
}

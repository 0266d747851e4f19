package facts

import (
	"cmp"
	"slices"

	"github.com/assay-dev/assay"
)

// Causes of the episodes that only the canary shows.
const (
	CauseWrong  = "wrong_content" // its answers said the wrong thing
	CauseCanary = "canary"        // it failed in another way, while the load saw no episode
)

// canaries finds the episodes that the canary shows.
type canaries struct {
	detector *Detector
	wrong    []int64 // when wrong answers were due
}

func newCanaries(m *assay.Manifest, faults []assay.FaultWindow) *canaries {
	period := m.Canary
	rules := Rules{Enter: 2, Ratio: 1, Least: 2, Window: 1<<63 - 1, Leave: 2, Merge: max(second, 2*period), Silence: max(10*second, 5*period)}
	return &canaries{detector: NewDetector(rules, faults)}
}

func (c *canaries) add(r *assay.Request) {
	c.detector.Add(r)
	if r.Outcome == assay.WrongContent || r.Outcome == assay.BadPayload {
		c.wrong = append(c.wrong, r.Due)
	}
}

// join adds the canary's episodes to those of the load, at the end of the watch.
func (c *canaries) join(load []assay.Episode, end int64) []assay.Episode {
	return c.joined(load, c.detector.Finish(end))
}

// joined adds episodes of the canary to those of the load. Two that overlap are one.
func (c *canaries) joined(load, own []assay.Episode) []assay.Episode {
	for _, e := range own {
		e.Cause = CauseCanary
		if i, _ := slices.BinarySearch(c.wrong, e.Begin); i < len(c.wrong) && c.wrong[i] <= e.End {
			e.Cause = CauseWrong
		}
		i := slices.IndexFunc(load, func(l assay.Episode) bool { return l.Begin <= e.EndHi && e.Begin <= l.EndHi })
		if i < 0 {
			load = append(load, e)
			continue
		}
		l := &load[i]
		if e.Begin < l.Begin {
			l.Begin, l.BeginLo, l.LeftCensored = e.Begin, e.BeginLo, e.LeftCensored
		}
		if e.EndHi > l.EndHi {
			l.End, l.EndHi, l.RightCensored = e.End, e.EndHi, e.RightCensored
		}
		l.Lost += e.Lost
		if e.Cause == CauseWrong {
			l.Cause = CauseWrong
		}
	}
	slices.SortStableFunc(load, func(a, b assay.Episode) int { return cmp.Compare(a.Begin, b.Begin) })
	return load
}

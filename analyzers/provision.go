package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
)

// provisioned is the longest time from a decision to add instances to the first one more that was ready, of a run whose load nothing tells of, as a week of series. Decisions are all
// that the platform told; of those that no instance followed before the next the time is not known.
func (s *scalingPass) provisioned(decisions []scaleEvent) assay.Finding {
	out := assay.Finding{Metric: "scaling/provision", Quantity: assay.NotMeasured(assay.Seconds, "no decision to add instances was followed by a ready one")}
	more, fewer, followed := 0, 0, 0
	worst := int64(-1)
	var resolution int64
	for i := 1; i < len(decisions); i++ {
		d := &decisions[i]
		switch was := decisions[i-1].desired; {
		case d.desired < was:
			fewer++
			continue
		case d.desired == was:
			continue
		}
		more++
		next := int64(math.MaxInt64)
		if i+1 < len(decisions) {
			next = decisions[i+1].at
		}
		ready := next
		for k := range s.f.Lives {
			if l := &s.f.Lives[k]; l.Ready >= d.at && l.Created >= d.at-2e9 {
				ready = min(ready, l.Ready)
			}
		}
		coarse := d.resolution
		for k := range s.f.Fleet {
			if x := &s.f.Fleet[k]; x.Begin >= d.at && x.Begin < ready {
				ready, coarse = x.Begin, max(d.resolution, x.Resolution)
			}
		}
		if ready < next {
			followed++
			if ready-d.at > worst {
				worst, resolution = ready-d.at, coarse
			}
		}
	}
	if more+fewer > 0 {
		out.Evidence = []string{fmt.Sprintf("%s to add instances and %s to remove some", things(more, "decision"), things(fewer, "decision"))}
	}
	if followed > 0 {
		out.Quantity = stretch(worst, max(0, worst-resolution), worst+resolution, followed, "decisions to add instances", "longest from a decision to a ready instance; interval is the resolution of both")
		out.Quantity.Resolution = seconds(resolution)
	}
	return out
}

package analyzers

import (
	"cmp"
	"strconv"

	"github.com/assay-dev/assay"
)

// clocksOf names, for each family of findings, the coarsest source that it rests on: no figure of the family is known better than that.
func clocksOf(f *assay.Facts, r *assay.Report, requests int) []assay.Clock {
	var out []assay.Clock
	coarsest := func(family string, each func(take func(source string, resolution int64))) {
		worst := assay.Clock{Family: family, Resolution: -1}
		each(func(source string, resolution int64) {
			if resolution > worst.Resolution {
				worst.Source, worst.Resolution = cmp.Or(source, "not told"), resolution
			}
		})
		if worst.Resolution < 0 {
			return
		}
		for _, o := range f.Manifest.Offsets {
			if o.Source == worst.Source {
				worst.Error = o.Error
			}
		}
		out = append(out, worst)
	}
	events := func(kinds ...string) func(take func(string, int64)) {
		return func(take func(string, int64)) {
			for i := range f.Events {
				e := &f.Events[i]
				for _, k := range kinds {
					if e.Kind == k {
						take(e.Source, e.Resolution)
					}
				}
			}
		}
	}
	if requests > 0 {
		coarsest("ttft, e2e, availability", func(take func(string, int64)) {
			who := "client"
			if f.Manifest.Imported {
				who = "the recording"
			}
			take(who, f.Manifest.Resolution)
		})
	}
	coarsest("cold", func(take func(string, int64)) {
		for i := range r.Starts {
			s := &r.Starts[i]
			coarse := int64(0)
			for _, p := range s.Phases {
				if p.Source != "client" {
					take(p.Source, p.Resolution)
					coarse = max(coarse, p.Resolution)
				}
			}
			if coarse > 0 && s.Resolution > coarse {
				take("when it was ready", s.Resolution)
			}
		}
	})
	coarsest("mtbf/instance, recovery/capacity", events(assay.EventInstanceReady, assay.EventInstanceUnready, assay.EventInstanceEjected, assay.EventInstanceExited))
	coarsest("scaling", events(assay.EventScale))
	coarsest("availability/live, availability/ready", func(take func(string, int64)) {
		for i := range f.Events {
			if e := &f.Events[i]; e.Kind == assay.EventInstanceProbe {
				if period, err := strconv.ParseInt(e.Attrs["period_ns"], 10, 64); err == nil {
					take(e.Source, period)
				}
			}
		}
	})
	return out
}

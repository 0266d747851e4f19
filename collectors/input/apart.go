package input

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// asunder is the shortest stretch with nothing in any input that is told of: a start that was logged may lie some minutes before the load.
const asunder = int64(5 * time.Minute)

// apart says where inputs have nothing of each other's time: a failure in one is then none in the time that another watched. Most often a clock, a zone
// or a file is the wrong one.
func apart(all []Summary) []string {
	var in []*Summary
	for i := range all {
		if all[i].Begin != 0 {
			in = append(in, &all[i])
		}
	}
	slices.SortStableFunc(in, func(a, b *Summary) int { return cmp.Compare(a.Begin, b.Begin) })
	var out []string
	var latest *Summary // of those so far the one that ends last
	for _, s := range in {
		if latest != nil && s.Begin-latest.End > asunder {
			out = append(out, fmt.Sprintf("%s ends %v before %s begins, and nothing was recorded in between: %s, and %s; want recordings of the same time, or shift= and zone= where a clock is off",
				filepath.Base(latest.Path), time.Duration(s.Begin-latest.End).Round(time.Second), filepath.Base(s.Path), window(latest), window(s)))
		}
		if latest == nil || s.End > latest.End {
			latest = s
		}
	}
	return out
}

// window is the time that an input tells of.
func window(s *Summary) string {
	at := func(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }
	return fmt.Sprintf("%s..%s (%s)", at(s.Begin), at(s.End), s.Kind)
}

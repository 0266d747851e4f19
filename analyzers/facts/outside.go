package facts

import "github.com/assay-dev/assay"

// watchedOnly leaves out, and keeps apart, the natural failures of instances that lie before the watch or after it: nothing watched says how long the instance had been
// well by then, so that counting them against the time that was watched would make a rate of two different times.
func watchedOnly(f *assay.Facts, es []assay.Episode) []assay.Episode {
	in := es[:0]
	for _, e := range es {
		if e.Ledger == assay.Natural && (e.Begin+second < f.Begin || e.BeginLo > f.End+second) { // clocks may be that coarse
			f.Outside = append(f.Outside, e)
			continue
		}
		in = append(in, e)
	}
	return in
}

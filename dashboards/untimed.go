package dashboards

import "github.com/assay-dev/assay"

// TimesUnknown stands in place of a length where requests have only the times that we gave them.
const TimesUnknown = "times unknown"

// length says how long a run was.
func length(r *assay.Report) string {
	if r.Untimed {
		return TimesUnknown
	}
	return Duration(seconds(r.End - r.Begin))
}

// watchedFor says for how long a run was watched without fault or overload.
func watchedFor(r *assay.Report) string {
	if r.Untimed {
		return TimesUnknown
	}
	return Duration(watched(r)) + " watched"
}

package figure

import (
	"regexp"
	"slices"
)

// Events are, beside all that is a plain count, what may be counted and found none of: there n is 0 and says so, and the interval rests on how long it was watched, which the method or the section tells.
var Events = []string{"failures", "episodes", "times that it fired", "changes of the number wanted", "requests", "bad events", "streams"}

// An Exception is a kind of figures that a view may show without n or interval beside them, and why.
type Exception struct {
	View  string // "" for all
	Kind  *regexp.Regexp
	Lacks string // "n" or "interval"
	Why   string
}

func exception(view, kind, lacks, why string) Exception {
	return Exception{view, regexp.MustCompile(kind), lacks, why}
}

// Exceptions are all that there are. A figure whose n is 1 needs none beside it: what it is of is named there. One of this run that cannot err, measured and of
// confidence 1 with both ends at the value, needs no interval beside it.
var Exceptions = []Exception{
	exception("text", `^findings\[(mtbf|failure_rate|watch)/`, "n", "failures are counted at the head of the section"),
	exception("", `^findings\[cold/start/`, "n", "starts are counted at the head of the line"),
	exception("", `^findings\[e2e/max\{cold\}\]`, "n", "cold requests are counted before it"),
	exception("", `^findings\[(load/sent|goodput)(\{phase\})?\]`, "n", "rates of counted requests over the length of the phase; the line tells how many were due"),
	exception("", `^findings\[engine/.*/p95\{engine\}\]`, "n", "of the observations of the mean before it, whose number stands after it"),
	exception("", `^findings\[gpu/(busy|memory)/max\]`, "n", "of the cards of the mean, whose number ends the line"),
	exception("", `^findings\[trace/late/(p95|max)\{source\}\]`, "n", "of the spans of the median before it"),
	exception("", `^findings\[usl/`, "n", "the coefficients of one law rest on the same steps, which stand once"),
	exception("text", `^attribution\[\]\.ratio`, "n", "the shares of one whole rest on the same requests, which stand once"),
	exception("html", `^faults\[\]\.user`, "interval", "the drawing over time has the value alone, and the table the interval"),
	exception("", `^findings\[error_ratio\]`, "n", "failed and judged requests are told as counts beside failures"),
	exception("", `^findings\[error_ratio\]`, "interval", "told as counts beside failures, and as a ratio with its interval under load"),
	exception("", `^faults\[\]\.(score|degraded)`, "n", "the row says of how many requests so many were lost"),
	exception("", `^starts\[\]\.total`, "interval", "the resolution of its clocks stands beside it"),
}

// Excepted reports whether a figure of a kind may lack n or the interval in a view.
func Excepted(view, kind, lacks string) bool {
	return slices.ContainsFunc(Exceptions, func(e Exception) bool {
		return (e.View == "" || e.View == view) && e.Kind.MatchString(kind) && e.Lacks == lacks
	})
}

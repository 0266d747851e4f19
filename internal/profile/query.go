package profile

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query returns the PromQL for q in its unit, "" if the vocabulary has no such quantity: a gauge's value or
// a counter's count. Pairs are names and values of labels that must match. For a histogram or a summary it is the number of observations.
func (p *Profile) Query(q Quantity, pairs ...string) string {
	return p.alternatives(q, func(n Name) string {
		switch n.Type {
		case Histogram, Summary:
			return n.selector("_count", pairs)
		case Gauge, Counter:
			return scaled(n.selector("", pairs)+n.divisor(pairs), n.Scale)
		}
		return ""
	})
}

// Last returns the PromQL for the latest look within window at what Query gives: for series that are looked at less often than the store holds a sample for
// the present one. Quotients have none.
func (p *Profile) Last(q Quantity, window time.Duration, pairs ...string) string {
	return p.overEach(q, "last_over_time", window, pairs)
}

// Looks returns the PromQL for how often each series of what Query gives was looked at within window.
func (p *Profile) Looks(q Quantity, window time.Duration, pairs ...string) string {
	return p.overEach(q, "count_over_time", window, pairs)
}

func (p *Profile) overEach(q Quantity, function string, window time.Duration, pairs []string) string {
	return p.alternatives(q, func(n Name) string {
		suffix, scale := "", n.Scale
		switch {
		case n.Type == Histogram || n.Type == Summary:
			suffix, scale = "_count", 1
		case n.Type != Gauge && n.Type != Counter || n.Per != "":
			return ""
		}
		if function == "count_over_time" {
			scale = 1
		}
		return scaled(function+"("+n.selector(suffix, pairs)+span(window)+")", scale)
	})
}

// divisor returns what a gauge is divided by, with the operator.
func (n Name) divisor(pairs []string) string {
	if n.Per == "" {
		return ""
	}
	ignoring := slices.Sorted(maps.Keys(n.Match))
	return " / ignoring(" + strings.Join(ignoring, ",") + ") " + n.Per + matchers(pairs, n.PerMatch)
}

// Rate returns the PromQL for the increase of a counter, or of a histogram's or summary's number of observations, per second over window.
func (p *Profile) Rate(q Quantity, window time.Duration, pairs ...string) string {
	return p.alternatives(q, func(n Name) string {
		switch n.Type {
		case Histogram, Summary:
			return "rate(" + n.selector("_count", pairs) + span(window) + ")"
		case Counter:
			return scaled("rate("+n.selector("", pairs)+span(window)+")", n.Scale)
		}
		return ""
	})
}

// Mean returns the PromQL for the mean of a histogram's or summary's observations over window, or a quotient over it.
func (p *Profile) Mean(q Quantity, window time.Duration, pairs ...string) string {
	return p.alternatives(q, func(n Name) string {
		sum, count := n.Growth(Sum, window, false, pairs...), n.Growth(Count, window, false, pairs...)
		if sum == "" || count == "" {
			return ""
		}
		return scaled(strings.ReplaceAll(sum, "increase(", "rate(")+" / "+strings.ReplaceAll(count, "increase(", "rate("), n.Scale)
	})
}

// Quantile returns the PromQL for a quantile of a histogram's observations over window, across all series that match.
// It reads the buckets from the exposition and interpolates within one, so it is no better than they are. Of a summary it is the
// largest of the series' quantiles, since quantiles cannot be joined.
func (p *Profile) Quantile(q Quantity, quantile float64, window time.Duration, pairs ...string) string {
	at := strconv.FormatFloat(quantile, 'g', -1, 64)
	return p.alternatives(q, func(n Name) string {
		switch n.Type {
		case Histogram:
			return scaled("histogram_quantile("+at+", sum by (le) (rate("+n.selector("_bucket", pairs)+span(window)+")))", n.Scale)
		case Summary:
			return scaled("max("+n.selector("", append([]string{"quantile", at}, pairs...))+")", n.Scale)
		}
		return ""
	})
}

// A Part is one of the things that a quantity is made of.
type Part uint8

// The parts of which the growth can be asked.
const (
	Count   Part = iota // observations, or what a counter counts; the divisor of a quotient
	Sum                 // of the observations; the dividend of a quotient
	Buckets             // of a histogram, by le
)

// Growth returns the PromQL for how much a part grew over window, summed over all series, resets taken into account; "" where the type
// has no such part. Where whole is set it is what stands there at the window's end: all since the exporter began. Not scaled.
func (n Name) Growth(part Part, window time.Duration, whole bool, pairs ...string) string {
	over := func(suffix, by string) string {
		f := "increase("
		if whole {
			f = "last_over_time("
		}
		return "sum" + by + "(" + f + n.selector(suffix, pairs) + span(window) + "))"
	}
	switch {
	case n.Type == Histogram && part == Buckets:
		return over("_bucket", " by (le) ")
	case part == Buckets:
		return ""
	case n.Type == Histogram || n.Type == Summary:
		return over([]string{Count: "_count", Sum: "_sum"}[part], "")
	case n.Type == Counter && part == Count, n.Type == Quotient && part == Sum:
		return over("", "")
	case n.Type == Quotient:
		d := Name{Type: Counter, Metric: n.Per, Match: n.PerMatch}
		if n.Per != "" {
			return d.Growth(Count, window, whole, pairs...)
		}
		d.Metric, d.Match = n.Beside, n.PerMatch
		return "(" + over("", "") + " + " + d.Growth(Count, window, whole, pairs...) + ")"
	}
	return ""
}

// Over returns the PromQL for what a gauge was over window, by a function of PromQL such as max_over_time, "" for what is no gauge.
func (n Name) Over(function string, window time.Duration, pairs ...string) string {
	if n.Type != Gauge {
		return ""
	}
	if n.Per == "" {
		return scaled(function+"("+n.selector("", pairs)+span(window)+")", n.Scale)
	}
	return scaled(function+"(("+n.selector("", pairs)+n.divisor(pairs)+")"+subspan(window)+")", n.Scale)
}

// alternatives joins the PromQL of each name so that the first that is exposed answers.
func (p *Profile) alternatives(q Quantity, promQL func(Name) string) string {
	s, _ := p.Spec(q)
	var parts []string
	for _, n := range s.Names {
		if text := promQL(n); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " or ")
}

func scaled(promQL string, scale float64) string {
	if scale == 0 || scale == 1 {
		return promQL
	}
	return promQL + " * " + strconv.FormatFloat(scale, 'f', -1, 64)
}

// selector returns the selector of the name's series.
func (n Name) selector(suffix string, pairs []string) string {
	return n.Metric + suffix + matchers(pairs, n.Match)
}

// matchers returns {name="value",…}; the values are quoted, so that any text is safe in them.
func matchers(pairs []string, match map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(match)) {
		operator, value := "=", match[name]
		for _, o := range []string{"!=", "=~", "!~"} {
			if v, ok := strings.CutPrefix(value, o); ok {
				operator, value = o, v
				break
			}
		}
		parts = append(parts, name+operator+strconv.Quote(value))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		parts = append(parts, pairs[i]+"="+strconv.Quote(pairs[i+1]))
	}
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func span(window time.Duration) string {
	return "[" + strconv.FormatInt(max(window.Milliseconds(), 1), 10) + "ms]"
}

// subspan is the window of a subquery of at most a thousand steps.
func subspan(window time.Duration) string {
	ms := max(window.Milliseconds(), 1)
	return "[" + strconv.FormatInt(ms, 10) + "ms:" + strconv.FormatInt(max(ms/1000, 1000), 10) + "ms]"
}

package profile

import (
	"strconv"
	"strings"
	"time"
)

// Query returns the PromQL for q in its unit, "" if the vocabulary has no such quantity: a gauge's value or
// a counter's count. Pairs are names and values of labels that must match. For a histogram it is the number of observations.
func (p *Profile) Query(q Quantity, pairs ...string) string {
	s, _ := p.Spec(q)
	suffix := ""
	if s.Type == Histogram {
		suffix = "_count"
	}
	return s.alternatives(func(n Name) string { return scaled(n.Metric+suffix+matchers(pairs), n.Scale) })
}

// Rate returns the PromQL for the increase of a counter, or of a histogram's number of observations, per second over window.
func (p *Profile) Rate(q Quantity, window time.Duration, pairs ...string) string {
	s, _ := p.Spec(q)
	suffix := ""
	switch s.Type {
	case Histogram:
		suffix = "_count"
	case Counter:
	default:
		return ""
	}
	return s.alternatives(func(n Name) string {
		return scaled("rate("+n.Metric+suffix+matchers(pairs)+span(window)+")", n.Scale)
	})
}

// Mean returns the PromQL for the mean of a histogram's observations over window.
func (p *Profile) Mean(q Quantity, window time.Duration, pairs ...string) string {
	s, _ := p.Spec(q)
	if s.Type != Histogram {
		return ""
	}
	return s.alternatives(func(n Name) string {
		tail := matchers(pairs) + span(window)
		return scaled("sum(rate("+n.Metric+"_sum"+tail+")) / sum(rate("+n.Metric+"_count"+tail+"))", n.Scale)
	})
}

// Quantile returns the PromQL for a quantile of a histogram's observations over window, across all series that match.
// It reads the buckets from the exposition and interpolates within one, so it is no better than they are.
func (p *Profile) Quantile(q Quantity, quantile float64, window time.Duration, pairs ...string) string {
	s, _ := p.Spec(q)
	if s.Type != Histogram {
		return ""
	}
	return s.alternatives(func(n Name) string {
		return scaled("histogram_quantile("+strconv.FormatFloat(quantile, 'g', -1, 64)+", sum by (le) (rate("+n.Metric+"_bucket"+matchers(pairs)+span(window)+")))", n.Scale)
	})
}

// alternatives joins the PromQL of each name so that the first that is exposed answers.
func (s Spec) alternatives(promQL func(Name) string) string {
	var parts []string
	for _, n := range s.Names {
		parts = append(parts, promQL(n))
	}
	return strings.Join(parts, " or ")
}

func scaled(promQL string, scale float64) string {
	if scale == 0 || scale == 1 {
		return promQL
	}
	return promQL + " * " + strconv.FormatFloat(scale, 'f', -1, 64)
}

// matchers returns {name="value",…}; the values are quoted, so that any text is safe in them.
func matchers(pairs []string) string {
	if len(pairs) < 2 {
		return ""
	}
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(pairs[i])
		b.WriteByte('=')
		b.WriteString(strconv.Quote(pairs[i+1]))
	}
	b.WriteByte('}')
	return b.String()
}

func span(window time.Duration) string {
	return "[" + strconv.FormatInt(max(window.Milliseconds(), 1), 10) + "ms]"
}

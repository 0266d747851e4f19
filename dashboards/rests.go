package dashboards

import (
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// rests is what a figure rests on, in brackets.
func rests(q assay.Quantity) string {
	if !q.Known() || q.N == 0 || q.Unit == assay.Count && q.Value == float64(q.N) { // a count is its own n
		return ""
	}
	return " (" + NText(q) + ")"
}

// restsToo is what a figure rests on, where that is not what the one said before it does.
func restsToo(q, before assay.Quantity) string {
	if q.N == before.N && q.Of == before.Of {
		return ""
	}
	return rests(q)
}

// An entry is one figure of a list, as it is written.
type entry struct {
	text string
	q    assay.Quantity
}

// listed joins figures. What several in a row rest on stands once, after the last of them.
func listed(figures []entry, sep string) string {
	var parts []string
	for i, f := range figures {
		if f.q.N != 1 && (i+1 == len(figures) || restsToo(f.q, figures[i+1].q) != "" || !figures[i+1].q.Known()) { // one is named by the figure
			f.text += rests(f.q)
		}
		parts = append(parts, f.text)
	}
	return strings.Join(parts, sep)
}

// wholePercents writes the interval of a share in whole percents, for lists of shares.
func wholePercents(q assay.Quantity) string {
	q.Lo, q.Hi = math.Floor(q.Lo*100)/100, math.Ceil(q.Hi*100)/100
	if !q.Bounded() || q.Lo == q.Hi && q.Confidence == 1 {
		return ""
	}
	return " [" + percent(q.Lo) + ", " + percent(q.Hi) + "]" + lessSure(q)
}

// restShares is what shares of one whole rest on.
func restShares(shares []assay.Share) string {
	for i := range shares {
		if s := rests(shares[i].Ratio); s != "" {
			return s
		}
	}
	return ""
}

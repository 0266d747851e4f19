package dashboards

import (
	"fmt"
	"html/template"
	"math"

	"github.com/assay-dev/assay"
)

// latenessChart draws how late requests were sent, in bins of a logarithmic scale; nothing where the report holds none. Heights are roots of the shares, so
// that the few late ones stay visible.
func latenessChart(id string, r *assay.Report) template.HTML {
	bins := r.Trust.Lateness
	total, most := 0, 0
	for _, b := range bins {
		total += b.N
		most = max(most, b.N)
	}
	if total == 0 {
		return ""
	}
	const left, top, height, below, room = 8.0, 16.0, 90.0, 34.0, float64(plotWidth)
	step := math.Min(56, (room-left)/float64(len(bins)))
	s := newSVG(id, room, top+height+below, "chart", "How late requests were sent",
		fmt.Sprintf("Histogram of %s by the time from due to the first write, on a logarithmic scale.", Things(total, "sends")))
	base := top + height
	for i, b := range bins {
		x := left + float64(i)*step
		h := height * math.Sqrt(float64(b.N)/float64(most))
		if b.N > 0 {
			h = math.Max(h, 1)
		}
		from := "0"
		if i > 0 {
			from = Duration(bins[i-1].To)
		}
		s.rect("bar f1", x+1, base-h, step-2, h, fmt.Sprintf("%s to %s: %s, %s", from, Duration(b.To), Things(b.N, "sends"), Percent(roundShare(float64(b.N)/float64(total)))))
		if b.N > 0 && step >= 30 {
			s.text("t", "middle", x+step/2, base-h-3, Integer(b.N))
		}
		if step >= 30 || i%3 == 0 {
			s.text("t", "middle", x+step, base+14, Duration(b.To))
		}
	}
	s.line("axis", left, base, left+step*float64(len(bins)), base)
	s.text("t", "start", left, base+29, "sent later than due by up to; heights are roots of the shares")
	return s.html()
}

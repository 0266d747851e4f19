package dashboards

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// A shownStart is one start that is shown whole.
type shownStart struct {
	which string // worst, median
	start *assay.Start
}

// A coldTimeline is one in the HTML view.
type coldTimeline struct {
	Said  string
	Lanes template.HTML
}

// timelines picks the longest start and the one in the middle, of natural starts where there are any; nothing where no start has phases.
func timelines(r *assay.Report) []shownStart {
	var all []*assay.Start
	for _, forced := range []bool{false, true} {
		for i := range r.Starts {
			if s := &r.Starts[i]; s.Forced == forced && len(s.Phases) > 0 {
				all = append(all, s)
			}
		}
		if len(all) > 0 {
			break
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *assay.Start) int { return cmp.Compare(endOf(b), endOf(a)) })
	out := []shownStart{{"worst", all[0]}}
	if m := all[len(all)/2]; m != all[0] && len(all) > 2 {
		out = append(out, shownStart{"median", m})
	}
	return out
}

// endOf is how long after its begin a start ended, in seconds.
func endOf(s *assay.Start) float64 {
	if s.End > s.Begin {
		return seconds(s.End - s.Begin)
	}
	return lengthOf(*s)
}

// said writes a timeline in one sentence: each phase from when to when after the trigger, what none covers, and what the sources do not agree on.
func (t shownStart) said() string {
	s := t.start
	clock := seconds(s.Resolution)
	head := fmt.Sprintf("%s %s, %s from trigger to ", t.which, s.Instance, Coarse(endOf(s), clock))
	if s.FirstToken.Known() && s.FirstToken.Unit != "" {
		head += "first token"
	} else {
		head += "ready"
	}
	if s.Resolution > 0 {
		head += ", clocks " + within(clock)
	}
	var parts []string
	for _, p := range s.Phases {
		parts = append(parts, words(p.Name)+" "+stretchText(s, p))
	}
	parts = append(parts, "unattributed "+Coarse(s.Unattributed, clock))
	return head + ": " + strings.Join(parts, " · ")
}

// stretchText writes when a phase began and ended, by the clock that saw it.
func stretchText(s *assay.Start, p assay.Interval) string {
	q := rounded(assay.Quantity{Value: math.NaN(), Lo: seconds(p.Begin - s.Begin), Hi: seconds(p.End - s.Begin), Unit: assay.Seconds, Resolution: seconds(p.Resolution)})
	if q.Lo == q.Hi {
		return "at " + In(q.Lo, q.Unit)
	}
	return bounds(q.Lo, q.Hi, q.Unit)
}

// startDoubts are what the sources of the starts do not agree on, each once with the first start that shows it.
func startDoubts(r *assay.Report) []string {
	const most = 3
	var out []string
	n := 0
	for i := range r.Starts {
		s := &r.Starts[i]
		if len(s.Doubts) == 0 {
			continue
		}
		if n++; n <= most {
			out = append(out, s.Instance+": "+strings.Join(s.Doubts, "; "))
		}
	}
	if n > most {
		out = append(out, fmt.Sprintf("and of %s more", Things(n-most, "starts")))
	}
	return out
}

// lanePitch is the height of a lane.
const lanePitch = 22.0

// coldLanes draws one start with a lane for each phase, so that those that overlap show it. The resolution of its clock stands in each lane as a thin bar at both ends.
func coldLanes(id string, t shownStart) template.HTML {
	s := t.start
	whole := endOf(s)
	for _, p := range s.Phases {
		whole = math.Max(whole, seconds(p.End-s.Begin))
	}
	if !(whole > 0) {
		return ""
	}
	phases := s.Phases
	const most = 24
	phases = phases[:min(len(phases), most)]
	vals, roof := ticks(0, whole, 7)
	bottom := 8 + float64(len(phases)+1)*lanePitch
	v := newSVG(id, plotWidth, bottom+22, "chart", fmt.Sprintf("The %s start, phase by phase", t.which), t.said())
	x := scale{0, roof, barLeft, barRight}
	for _, tick := range vals {
		v.line("grid", x.at(tick), 8, x.at(tick), bottom)
		v.text("t", "middle", x.at(tick), bottom+15, Duration(tick))
	}
	for i, p := range phases {
		y := 8 + float64(i)*lanePitch
		r := seconds(p.Resolution)
		from, to := math.Max(0, seconds(p.Begin-s.Begin)), math.Max(0, seconds(p.End-s.Begin))
		c := classOf(p.Name)
		told := words(p.Name) + " " + stretchText(s, p)
		if p.Source != "" {
			told += ", told by " + p.Source
		}
		v.text("t strong", "end", barLeft-8, y+14, clip(words(p.Name), barLeft-16))
		v.rect("bar f8", x.at(math.Max(0, from-r)), y+8, x.at(math.Min(roof, to+r))-x.at(math.Max(0, from-r)), 4, within(r))
		v.rect(fmt.Sprintf("bar solid f%d", c), x.at(from), y+3, math.Max(1, x.at(to)-x.at(from)), 14, told)
		v.rect(fmt.Sprintf("pat p%d", c), x.at(from), y+3, math.Max(1, x.at(to)-x.at(from)), 14, told)
		note := Coarse(to-from, r)
		if r > 0 {
			note += " " + within(r)
		}
		v.text("t", "start", x.at(to)+6, y+14, clip(strings.TrimSpace(note+" "+p.Source), plotWidth-x.at(to)-6))
	}
	y := 8 + float64(len(phases))*lanePitch
	v.text("t strong", "end", barLeft-8, y+14, "unattributed")
	for _, g := range gaps(s) {
		v.rect("bar f8", x.at(g[0]), y+3, x.at(g[1])-x.at(g[0]), 14, "no source tells of this time")
		v.rect("pat p8", x.at(g[0]), y+3, x.at(g[1])-x.at(g[0]), 14, "no source tells of this time")
	}
	v.text("t", "start", x.at(endOf(s))+6, y+14, Coarse(s.Unattributed, seconds(s.Resolution)))
	return v.html()
}

// gaps are the stretches of a start that no phase covers, in seconds after its begin.
func gaps(s *assay.Start) [][2]float64 {
	sorted := slices.Clone(s.Phases)
	slices.SortFunc(sorted, func(a, b assay.Interval) int { return cmp.Compare(a.Begin, b.Begin) })
	var out [][2]float64
	at, end := 0.0, endOf(s)
	for _, p := range sorted {
		if from := seconds(p.Begin - s.Begin); from > at && at < end {
			out = append(out, [2]float64{at, math.Min(from, end)})
		}
		at = math.Max(at, seconds(p.End-s.Begin))
	}
	if at < end {
		out = append(out, [2]float64{at, end})
	}
	return out
}

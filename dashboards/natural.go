package dashboards

import (
	"strings"

	"github.com/assay-dev/assay"
)

// naturalLines say what stands behind the figures of the natural ledger, where there is something to say: by what it failed, for how long nothing was known, how
// instances age, and what is doubtful about the counts.
func naturalLines(r *assay.Report) []string {
	var out []string
	add := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	if r.Soak != nil {
		add("soak: " + r.Soak.Said)
	}
	add(causesLine(r))
	add(watchLine(r))
	add(longestRepair(r))
	add(usersLine(r))
	add(mttrLine(r, "service", "instance"))
	add(lifetimeLine(r))
	seen := map[string]bool{}
	for _, m := range []string{"episodes/service", "mtbf/service", "mtbf/instance"} {
		f := r.Find(m)
		if f == nil || !f.Quantity.Known() {
			continue
		}
		for _, w := range f.Warnings {
			if !seen[w] && (m == "episodes/service" || ofTrend(w)) {
				add("doubt: " + m[strings.IndexByte(m, '/')+1:] + ": " + w)
			}
			seen[w] = true
		}
	}
	return out
}

// ofTrend reports whether a warning says that a rate changed over the watch, or may have.
func ofTrend(w string) bool {
	return strings.HasPrefix(w, "the rate is not constant") || strings.HasPrefix(w, "no trend was found") || strings.HasPrefix(w, "a test doubts")
}

// causesLine says by what the service and its instances failed, most frequent first. Where all failed by one cause, its rate is the whole.
func causesLine(r *assay.Report) string {
	var parts []string
	mean := false
	for _, subject := range []string{"service", "instance"} {
		var causes []string
		var all []*assay.Finding
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Metric == "failure_rate/"+subject && f.Labels["cause"] != "" {
				all = append(all, f)
			}
		}
		for _, f := range all {
			s := Integer(f.Quantity.N) + " " + words(f.Labels["cause"])
			if len(all) > 1 {
				s += " (" + Measure(f.Quantity) + ")"
				mean = mean || strings.Contains(f.Quantity.Method, "not constant")
			}
			causes = append(causes, s)
		}
		if len(causes) > 0 {
			parts = append(parts, subject+" "+strings.Join(causes, ", "))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	s := "by cause: " + strings.Join(parts, "; ")
	if mean {
		s += "; rates by cause are means over the watch"
	}
	return s
}

// watchLine says for how long the service was good, bad and unknown, where it was not good all the time.
func watchLine(r *assay.Report) string {
	good, bad, unknown := r.Find("watch/good"), r.Find("watch/bad"), r.Find("watch/unknown")
	if good == nil || bad == nil || unknown == nil || !good.Quantity.Known() || bad.Quantity.Value == 0 && unknown.Quantity.Value < 0.01*good.Quantity.Value {
		return ""
	}
	s := "good " + Measure(good.Quantity) + ", bad " + Measure(bad.Quantity) + ", unknown " + Measure(unknown.Quantity)
	if f := r.Find("episodes/service"); f != nil && f.Quantity.Known() && f.Quantity.Lo != f.Quantity.Hi && len(f.Warnings) == 0 {
		s += "; " + Measure(f.Quantity) + " episodes by rules halved and doubled"
	}
	return s
}

// lifetimeLine says how long instances live until they fail, where that is known.
func lifetimeLine(r *assay.Report) string {
	m, k := r.Find("lifetime/instance"), r.Find("lifetime/instance/shape")
	if m == nil || k == nil || !m.Quantity.Known() && !k.Quantity.Known() {
		return ""
	}
	s := "instances live " + Measure(m.Quantity) + " in the median until they fail" + rests(m.Quantity)
	if k.Quantity.Known() {
		s += ", Weibull shape " + Measure(k.Quantity) + restsToo(k.Quantity, m.Quantity)
	}
	return s + "; " + strings.Join(m.Evidence, "; ")
}

// availabilityLine says how available the service was of itself, by each way to count that tells something.
func availabilityLine(r *assay.Report) string {
	f := availability(r)
	if f == nil {
		return "availability not measured, because no request was judged"
	}
	s := "availability " + Measure(f.Quantity)
	if !f.Quantity.Known() {
		return s
	}
	said, nines := []entry{{s, f.Quantity}}, "request"
	if serviceProbed(r) {
		said[0].text, nines = s+" of the time", "time"
	}
	for _, by := range []struct{ label, words string }{{"time", " of the time"}, {"user", " of " + usersTime(r)}} {
		if x := r.Find("availability/natural", "by", by.label); x != nil && x.Quantity.Known() && x != f && (by.label != "user" || len(x.Warnings) == 0) { // one user is no user
			if len(said) == 1 && f.Labels["by"] == "request" {
				said[0].text += " of requests"
			}
			said = append(said, entry{Measure(x.Quantity) + by.words, x.Quantity})
		}
	}
	s = listed(said, ", ")
	if n := r.Find("availability/nines", "by", nines); n != nil && n.Quantity.Known() {
		s += "; nines " + Measure(n.Quantity) + restsToo(n.Quantity, f.Quantity)
	}
	if w, x := worstWindow(r), r.Find("availability/natural", "by", "user"); w != nil && x != nil && len(x.Warnings) == 0 {
		s += "; worst " + w.Labels["window"] + " " + Measure(w.Quantity) + " of " + usersTime(r) + rests(w.Quantity)
	}
	return s
}

// worstWindow returns the shortest window of users' time that was not good throughout, or nil.
func worstWindow(r *assay.Report) *assay.Finding {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Metric == "availability/windowed" && f.Quantity.Known() && f.Quantity.Value < 1 {
			return f
		}
	}
	return nil
}

package facts

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// leastIdle is the shortest gap without a request that may make a platform unload a model of itself.
const leastIdle = second

// idleness learns from the requests when instances had nothing to do, and after how long a gap they were still warm. A gap no longer than one after which an
// instance answered warm is not what made it cold: that is the longest that is known not to.
type idleness struct {
	by    map[string]*idleOf
	last  string    // instance of the latest answer
	moved []suspect // another instance answers
	cold  []suspect
}

// idleOf is one instance, with those that come in its place, or all where requests do not tell which served them.
type idleOf struct {
	end     int64 // of what was in flight
	warmEnd int64 // of the last answer
	lost    int   // since then
	lostAt  int64 // the first of these
	longest int64 // gap after which it was warm
	busy    []assay.Interval
	heldTil int64 // end of the cold answer that was taken note of last
	gaps    []int64
}

// mostIdle bounds instances and stretches that are kept.
const mostIdle = 1 << 14

func newIdleness() *idleness { return &idleness{by: map[string]*idleOf{}} }

// add takes the next request in order of due.
func (d *idleness) add(r *assay.Request) {
	if r.Outcome == assay.RefusedByCap || r.Outcome == assay.Unfinished {
		return
	}
	slot := slotOf(r.Instance)
	x := d.by[slot]
	if x == nil {
		if len(d.by) >= mostIdle {
			return
		}
		x = &idleOf{}
		d.by[slot] = x
	}
	gap := r.Due - x.end
	if x.end == 0 || gap > leastIdle {
		if len(x.busy) < mostIdle {
			x.busy = append(x.busy, assay.Interval{Begin: r.Due, End: r.End})
		}
	} else if n := len(x.busy); n > 0 {
		x.busy[n-1].End = max(x.busy[n-1].End, r.End)
	}
	if r.Outcome.Failed() {
		if x.lost++; x.lost == 1 {
			x.lostAt = r.Due
		}
		x.end = max(x.end, r.End)
		return
	}
	if r.Outcome != assay.OK {
		x.end = max(x.end, r.End)
		return
	}
	alone := r.Instance != "" || gap >= 0 // what comes while another is in flight may be cold because one more was needed
	switch {
	case r.Cold == assay.ColdYes && x.warmEnd != 0 && x.warmEnd < r.Due && r.Due >= x.heldTil && alone && !r.Forced && !r.Canary:
		begin := answered(r)
		if x.lost > 0 {
			begin = min(begin, x.lostAt)
		}
		if len(d.cold) < mostIdle {
			d.cold = append(d.cold, suspect{id: slot, lo: x.warmEnd, hi: min(begin, r.Due), end: answered(r), cause: "restart", lost: x.lost})
			x.gaps = append(x.gaps, gap)
		}
		x.heldTil = answered(r)
	case r.Cold == assay.ColdNo && x.end != 0 && gap > x.longest:
		x.longest = gap
	}
	d.move(r, x)
	x.warmEnd, x.lost = max(x.warmEnd, r.End), 0
	x.end = max(x.end, r.End)
}

// move takes note of an instance that answers for the first time, right after another whose requests were lost.
func (d *idleness) move(r *assay.Request, x *idleOf) {
	slot := slotOf(r.Instance)
	if was := d.by[d.last]; slot != "" && d.last != "" && d.last != slot && x.warmEnd == 0 && was != nil && was.lost > 0 && was.end <= r.Due && len(d.moved) < mostIdle {
		d.moved = append(d.moved, suspect{id: d.last, lo: was.warmEnd, hi: was.lostAt, end: answered(r), cause: "restart", lost: was.lost, told: "from then on " + r.Instance + " answers in its place"})
	}
	if slot != "" {
		d.last = slot
	}
}

// threshold is the gap that is known not to make an instance cold.
func (d *idleness) threshold(id string) int64 {
	if x := d.by[id]; x != nil {
		return max(leastIdle, x.longest)
	}
	return leastIdle
}

// before returns how long an instance had had nothing to do at t, and whether that is longer than it is known to stay warm.
func (d *idleness) before(id string, t int64) (int64, bool) {
	id = slotOf(id)
	x := d.by[id]
	if x == nil {
		if x, id = d.by[""], ""; x == nil {
			return 0, false
		}
	}
	i, _ := slices.BinarySearchFunc(x.busy, t, func(b assay.Interval, t int64) int {
		if b.Begin < t {
			return -1
		}
		return 1
	})
	if i == 0 || x.busy[i-1].End >= t {
		return 0, false
	}
	gap := t - x.busy[i-1].End
	return gap, gap > d.threshold(id)
}

// oneServer reports whether all answers of a target come from one process a model, as those of Ollama do.
func oneServer(m *assay.Manifest) bool {
	return slices.Contains(strings.Split(m.Target.Kind, "+"), "ollama")
}

// hiddenCold returns the episodes of instances whose answers alone tell that they were started anew.
func (s *instanceScan) hiddenCold() []assay.Episode {
	var out []assay.Episode
	seen := map[string]int{}
	for _, p := range s.idle.cold {
		gap := s.idle.by[p.id].gaps[seen[p.id]]
		seen[p.id]++
		if p.id == "" && p.lost == 0 && !oneServer(s.f.Manifest) {
			continue
		}
		if s.told(p.id, p.lo, p.end) {
			continue // its life tells more
		}
		p.told = coldAfter(gap)
		out = append(out, s.episode(p))
	}
	for _, p := range s.idle.moved {
		if !s.told(p.id, p.lo, p.end) && len(s.f.Lives) == 0 {
			out = append(out, s.episode(p))
		}
	}
	return out
}

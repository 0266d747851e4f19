package analyzers

import (
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// signalOf follows what a platform told of a probe of its instances, where nothing looked all the time: the target is alive, or ready, while at least one instance is, and is
// not while one should be. Of several that told, the one that knows of most of the natural time speaks. Nil where none did.
func signalOf(f *assay.Facts, probe string) *probed {
	var best *probed
	var most int64
	for i := range f.Signals {
		s := &f.Signals[i]
		if s.Probe != probe {
			continue
		}
		p := stretchesOf(s)
		var known int64
		for _, x := range p.stretches {
			known += facts.Within(f, assay.Natural, x.begin, x.end)
		}
		if known > most {
			best, most = p, known
		}
	}
	return best
}

// stretchesOf lays what is known of all instances over one another.
func stretchesOf(s *assay.Signal) *probed {
	p := &probed{period: s.Resolution}
	who := map[string]bool{}
	edges := make([]int64, 0, 2*(len(s.Up)+len(s.Down)))
	type change struct{ up, down int }
	at := map[int64]*change{}
	mark := func(t int64, up, down int) {
		if at[t] == nil {
			at[t] = &change{}
			edges = append(edges, t)
		}
		at[t].up, at[t].down = at[t].up+up, at[t].down+down
	}
	for _, u := range s.Up {
		who[u.Name] = true
		mark(u.Begin, 1, 0)
		mark(max(u.Begin, u.End), -1, 0)
	}
	for _, d := range s.Down {
		who[d.Name] = true
		mark(d.Begin, 0, 1)
		mark(max(d.Begin, d.End), 0, -1)
	}
	slices.Sort(edges)
	up, down := 0, 0
	for i, t := range edges {
		up, down = up+at[t].up, down+at[t].down
		if i+1 == len(edges) || up == 0 && down == 0 {
			continue
		}
		result := "ok"
		if up == 0 {
			result = map[string]string{"liveness": "not_running", "readiness": "not_ready"}[s.Probe]
		}
		if n := len(p.stretches); n > 0 && p.stretches[n-1].result == result && p.stretches[n-1].end == t {
			p.stretches[n-1].end = edges[i+1]
			continue
		}
		p.stretches = append(p.stretches, probedStretch{begin: t, end: edges[i+1], result: result})
	}
	p.by = fmt.Sprintf("by %s of %s, of which at least one", s.By, things(len(who), "instance"))
	return p
}

// failedLooks counts the failed liveness probes that a platform told of, which tells of no good ones. What failed probes of readiness bring about, the conditions of pods tell.
func failedLooks(f *assay.Facts, probe string) (n int) {
	for i := range f.Events {
		e := &f.Events[i]
		if e.Kind == assay.EventInstanceProbe && probe == "liveness" && e.Attrs["probe"] == probe && e.Attrs["ok"] == "false" && e.Attrs["period_ns"] == "" {
			if l, _ := f.At(e.Time); l == assay.Natural {
				n++
			}
		}
	}
	return n
}

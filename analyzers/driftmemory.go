package analyzers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
	"github.com/assay-dev/assay/internal/stat"
)

const (
	memoryLooks  = 480 // at the series of memory, over the steady phases
	memoryPoints = 60  // of each life: medians of as many consecutive readings as need be
	memoryLeast  = 5   // readings in the second half of a life, for it to count
	memoryFall   = 10  // median steps between readings that a fall is more than, if it ends a life
)

// memoryKinds are the vocabularies that tell of memory, in the order in which they are tried, and what tells its limit.
var memoryKinds = []struct {
	of       string // "": of instances
	kinds    []string
	q, limit profile.Quantity
}{
	{"", []string{"prometheus", "cadvisor", "table"}, profile.Memory, profile.MemoryLimit},
	{"gpu", profile.GPUs, profile.GPUMemUsed, profile.GPUMemTotal},
}

// memory is the growth of the instance, and of the card, that certainly grew most.
func (p *driftPass) memory() (out []assay.Finding) {
	for i, m := range memoryKinds {
		found := p.memoryOf(m.of, m.kinds, m.q, m.limit)
		if i > 0 && !found[0].Quantity.Known() {
			continue // most targets have no GPU, and who has not is told so elsewhere
		}
		out = append(out, found...)
	}
	return out
}

// A growth is what the memory of one instance did.
type growth struct {
	s           *assay.Series
	stretches   []stat.Stretch
	whole       []stat.Stretch // all of each life
	lives       int
	falls       int     // lives that ended by a fall which no event tells of
	watched     float64 // s, of all lives
	begin, last float64 // s
	level       float64 // at last
	n           int
}

func (p *driftPass) memoryOf(of string, kinds []string, quantity, limit profile.Quantity) []assay.Finding {
	var labels map[string]string
	if of != "" {
		labels = map[string]string{"of": of}
	}
	none := func(q func(assay.Unit) assay.Quantity) []assay.Finding {
		return []assay.Finding{{Metric: "drift/memory", Labels: labels, Quantity: q(assay.Bytes)}, {Metric: "drift/memory/rate", Labels: labels, Quantity: q(assay.BytesPerHour)},
			{Metric: "drift/memory/left", Labels: labels, Quantity: q(assay.Seconds)}}
	}
	not := func(because string) []assay.Finding {
		return none(func(u assay.Unit) assay.Quantity { return assay.NotMeasured(u, because) })
	}
	begin, end := p.steady()
	if end > begin && end-begin < driftLength {
		return none(func(u assay.Unit) assay.Quantity {
			return assay.NotEstimable(u, 0, "readings", fmt.Sprintf("the steady phases lasted %s, and growth that matters needs at least %s", duration(seconds(end-begin)), duration(seconds(driftLength))))
		})
	}
	if p.f.Metrics == nil || end <= begin {
		return not("the run has no metrics of a steady phase")
	}
	seen, readings := 0, 0
	for _, kind := range kinds {
		grown, err := p.growths(kind, quantity, begin, end)
		if err != nil {
			return not("the series of memory cannot be read: " + err.Error())
		}
		var all []growth
		for _, g := range grown {
			seen, readings = seen+1, max(readings, g.n)
			if _, ok := g.rate(Confidence); ok {
				all = append(all, g)
			}
		}
		var worst *growth
		var most assay.Quantity
		for i := range all {
			if q, ok := all[i].rate(apiece(len(all))); ok && (worst == nil || q.Lo > most.Lo) {
				worst, most = &all[i], ofSeveral(q, len(all), map[string]string{"": "instances", "gpu": "cards"}[of])
			}
		}
		if worst == nil {
			continue
		}
		amount := most
		amount.Unit, amount.Value, amount.Lo, amount.Hi = assay.Bytes, most.Value*worst.watched/3600, most.Lo*worst.watched/3600, most.Hi*worst.watched/3600
		amount.Method += ", times the " + duration(worst.watched) + " for which it was watched"
		evidence := worst.evidence(nameOf(kind, quantity))
		return []assay.Finding{{Metric: "drift/memory", Labels: labels, Quantity: amount, Evidence: evidence}, {Metric: "drift/memory/rate", Labels: labels, Quantity: most, Evidence: evidence},
			p.left(labels, worst, most, kinds, limit, begin, end)}
	}
	if seen > 0 {
		return none(func(u assay.Unit) assay.Quantity {
			return assay.NotEstimable(u, readings, "readings", fmt.Sprintf("of %d series of memory none has %d readings in the second halves of its lives that bound a slope", seen, driftBlocks/2))
		})
	}
	return not("no series of memory was read in the steady phases")
}

// steady is from the begin of the first steady phase to the end of the last.
func (p *driftPass) steady() (begin, end int64) {
	for _, ph := range p.phases {
		if begin == 0 || ph.begin < begin {
			begin = ph.begin
		}
		end = max(end, ph.begin+ph.length)
	}
	return begin, end
}

// nameOf is the newest name of a quantity's series.
func nameOf(kind string, q profile.Quantity) string {
	if names := namesOf(profile.For(kind), q); len(names) > 0 {
		return names[0].Metric
	}
	return kind
}

// growths are what each instance's memory did by one vocabulary.
func (p *driftPass) growths(kind string, q profile.Quantity, begin, end int64) (out []growth, _ error) {
	series, err := readingsOf(p.f, profile.For(kind), q, begin, end)
	for i := range series {
		out = append(out, p.growth(&series[i]))
	}
	return out, err
}

// readingsOf asks for the last reading of each step: what was not read in a step is not there.
func readingsOf(f *assay.Facts, p *profile.Profile, q profile.Quantity, begin, end int64) ([]assay.Series, error) {
	step := max(int64(1e9), (end-begin)/memoryLooks)
	query := p.Last(q, time.Duration(step))
	if query == "" {
		return nil, nil
	}
	return f.Metrics.Range(context.Background(), query, begin, end, step)
}

// unnamed are the labels but for the name of the metric.
func unnamed(labels []assay.Label) []assay.Label {
	return slices.DeleteFunc(slices.Clone(labels), func(l assay.Label) bool { return l.Name == "__name__" })
}

// growth cuts a series into the lives of its instance.
func (p *driftPass) growth(s *assay.Series) growth {
	g := growth{s: s}
	var at, v []float64
	for i, x := range s.Values {
		if f := float64(x); !math.IsNaN(f) && !math.IsInf(f, 0) {
			at, v = append(at, seconds(s.Times[i])), append(v, f)
		}
	}
	if g.n = len(at); g.n == 0 {
		return g
	}
	g.begin, g.last, g.level = at[0], at[g.n-1], v[g.n-1]
	ends := p.ends(s.Labels)
	var cuts []int
	for i := 1; i < g.n; i++ {
		if slices.ContainsFunc(ends, func(t float64) bool { return at[i-1] < t && t <= at[i] }) {
			cuts = append(cuts, i)
		}
	}
	falls := fallsOf(v, cuts)
	g.falls = len(falls)
	cuts = append(cuts, falls...)
	slices.Sort(cuts)
	from := 0
	for _, to := range append(cuts, g.n) {
		if to-from >= 2 {
			g.lives++
			g.watched += at[to-1] - at[from]
		}
		if to-from >= memoryLeast {
			g.whole = append(g.whole, thinned(at[from:to], v[from:to], shiftBlocks))
		}
		half := from
		for half < to && at[half] < (at[from]+at[to-1])/2 {
			half++
		}
		if to-half >= memoryLeast {
			g.stretches = append(g.stretches, thinned(at[half:to], v[half:to], memoryPoints))
		}
		from = to
	}
	return g
}

// ends are when a life of the instance of a series ended or began, in s.
func (p *driftPass) ends(labels []assay.Label) (out []float64) {
	for i := range p.f.Lives {
		l := &p.f.Lives[i]
		if !slices.ContainsFunc(labels, func(x assay.Label) bool { return x.Value == l.Instance }) {
			continue
		}
		for _, t := range []int64{l.Started, l.Exited} {
			if t != 0 {
				out = append(out, seconds(t))
			}
		}
	}
	return out
}

// fallsOf are the readings that begin a life which no event tells of: memory fell by far more than it moves from one reading to the next, and gave back at least half of what
// it had gained since its life began.
func fallsOf(v []float64, cuts []int) (out []int) {
	if len(v) < 2*memoryLeast {
		return nil
	}
	var moves []float64
	for i := 1; i < len(v); i++ {
		moves = append(moves, math.Abs(v[i]-v[i-1]))
	}
	slices.Sort(moves)
	typical := stat.Quantile(moves, 0.5, stat.Type7)
	from := 0
	for i := 1; i < len(v); i++ {
		if slices.Contains(cuts, i) {
			from = i
			continue
		}
		if fall := v[i-1] - v[i]; i-from < 2*memoryLeast || fall <= memoryFall*typical {
			continue
		}
		first := slices.Sorted(slices.Values(v[from : from+3]))[1]
		if v[i] <= first+(v[i-1]-first)/2 && v[i-1] > first {
			out, from = append(out, i), i
		}
	}
	return out
}

// thinned makes at most so many points of readings: medians of consecutive ones.
func thinned(at, v []float64, most int) (out stat.Stretch) {
	m := min(len(at), most)
	for k := range m {
		lo, hi := stat.Split(len(at), m, k)
		sorted := slices.Sorted(slices.Values(v[lo:hi]))
		out.X, out.Y = append(out.X, (at[lo]+at[hi-1])/2), append(out.Y, stat.Quantile(sorted, 0.5, stat.Type7))
	}
	return out
}

// rate is the slope that the second halves of the lives share, by the hour.
func (g *growth) rate(confidence float64) (assay.Quantity, bool) {
	slope, ok := stat.SlopeWithin(g.stretches, confidence)
	if !ok || slope.N < driftBlocks/2 || math.IsInf(slope.Interval.Lo, 0) || math.IsInf(slope.Interval.Hi, 0) {
		return assay.Quantity{}, false
	}
	return assay.Quantity{Value: slope.PerX * 3600, Lo: slope.Interval.Lo * 3600, Hi: slope.Interval.Hi * 3600, Confidence: slope.Interval.Confidence, Unit: assay.BytesPerHour, N: g.n,
		Of: "readings of " + livesText(g.lives), Method: fmt.Sprintf("Theil-Sen slope within the second halves of %s, over %s; Mann-Kendall p = %.2g", livesText(g.lives), duration(g.last-g.begin), slope.P), Basis: assay.Estimated}, true
}

func livesText(n int) string {
	if n == 1 {
		return "1 life"
	}
	return fmt.Sprintf("%d lives", n)
}

func (g *growth) evidence(name string) []string {
	out := []string{name + " of " + labelsText(unnamed(g.s.Labels)), fmt.Sprintf("%s in %s over %s", things(g.n, "reading"), livesText(g.lives), duration(g.last-g.begin))}
	if g.falls > 0 {
		out = append(out, fmt.Sprintf("%s of memory that no event tells of: a restart, or memory that was given back", things(g.falls, "fall")))
	}
	return out
}

// left projects when the limit of the instance that grew most is reached.
func (p *driftPass) left(labels map[string]string, g *growth, rate assay.Quantity, kinds []string, limit profile.Quantity, begin, end int64) assay.Finding {
	f := assay.Finding{Metric: "drift/memory/left", Labels: labels}
	for _, kind := range kinds {
		series, err := readingsOf(p.f, profile.For(kind), limit, begin, end)
		if err != nil {
			continue
		}
		for i := range series {
			s := &series[i]
			n := len(s.Values)
			if n == 0 || !(float64(s.Values[n-1]) > 0) || !sameThing(s.Labels, g.s.Labels) {
				continue
			}
			most := float64(s.Values[n-1])
			f.Evidence = []string{fmt.Sprintf("%s %.4g GB", nameOf(kind, limit), most/1e9), fmt.Sprintf("%.4g GB at the last reading", g.level/1e9)}
			if rate.Lo <= 0 {
				f.Quantity = assay.NotEstimable(assay.Seconds, g.n, rate.Of, "memory does not certainly grow")
				return f
			}
			room := max(0, most-g.level) * 3600
			f.Quantity = assay.Quantity{Value: room / rate.Value, Lo: room / rate.Hi, Hi: room / rate.Lo, Confidence: rate.Confidence, Unit: assay.Seconds, N: g.n, Of: rate.Of,
				Method: "projection: room up to the limit from the last reading on, over the rate of growth, if it goes on like that and nothing starts the instance anew", Basis: assay.Assumed}
			return f
		}
	}
	f.Quantity = assay.NotMeasured(assay.Seconds, "no limit of the memory is known")
	return f
}

// sameThing reports whether two series are of one thing: they share a label, and none that both have differs.
func sameThing(a, b []assay.Label) bool {
	shared := 0
	for _, x := range unnamed(a) {
		for _, y := range b {
			if x.Name == y.Name && x.Value != y.Value {
				return false
			}
			if x.Name == y.Name && x.Name != "job" && x.Name != "namespace" {
				shared++
			}
		}
	}
	return shared > 0
}

package analyzers

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

const (
	neighbourCells = 120 // blocks of equal length that the run is cut into
	neighbourMost  = 8   // classes that are held against each other: those seen first
	neighbourLeast = 3   // served requests of a block, for its median to count
	neighbourApart = 2.0 // how many times its usual load a class sends when it is loud
	neighbourNear  = 1.3 // and at most when it is not
	neighbourNeed  = 6   // blocks of either kind
)

// neighbourBlocks holds, for blocks of equal length, how many requests of each class were due and how long those took that were served. The
// effect of one class on another is the shift of Hodges and Lehmann between the logarithms of the medians of blocks in which the one was loud and
// those in which it was not. Blocks in which the other's own load was far from usual are left out, since it would wait for itself. Neighbouring
// blocks resemble each other: as many are skipped as their correlation asks for.
type neighbourBlocks struct {
	begin, length int64
	cells         [neighbourCells][neighbourMost]neighbourCell
}

type neighbourCell struct {
	due   int
	times stat.Sketch
}

func (b *neighbourBlocks) of(f *assay.Facts) { b.begin, b.length = f.Begin, f.End-f.Begin }

// add takes a request of class number class.
func (b *neighbourBlocks) add(class int, r *assay.Request) {
	if class >= neighbourMost || b.length <= 0 || r.Due < b.begin {
		return
	}
	c := &b.cells[min((r.Due-b.begin)*neighbourCells/b.length, neighbourCells-1)][class]
	c.due++
	if r.Outcome != assay.OK || r.Cold == assay.ColdYes {
		return
	}
	if t := r.FirstToken; t > r.Due {
		c.times.Add(float64(t - r.Due))
	} else if r.End > r.Due {
		c.times.Add(float64(r.End - r.Due))
	}
}

// report gives the effect of each class on each other, and first of all the surest one.
func (b *neighbourBlocks) report(names []string) []assay.Finding {
	if len(names) > neighbourMost {
		names = names[:neighbourMost]
	}
	const metric = "neighbour/latency"
	var pairs []assay.Finding
	known := 0
	for v := range names {
		for a := range names {
			if a == v {
				continue
			}
			f := assay.Finding{Metric: metric, Labels: map[string]string{"class": names[v], "by": names[a]}, Ledger: assay.Natural, Quantity: b.effect(v, a, Confidence)}
			if f.Quantity.Known() {
				known++
			}
			pairs = append(pairs, f)
		}
	}
	worst := assay.Finding{Metric: metric, Ledger: assay.Natural, Quantity: pairs[0].Quantity}
	found := false
	for i := range pairs {
		p := &pairs[i]
		if !p.Quantity.Known() {
			continue
		}
		q := ofSeveral(b.effect(slices.Index(names, p.Labels["class"]), slices.Index(names, p.Labels["by"]), apiece(known)), known, "pairs of classes")
		if q.Known() && (!found || q.Lo > worst.Quantity.Lo) {
			found = true
			worst.Quantity, worst.Evidence = q, []string{fmt.Sprintf("%s waits while %s is loud", p.Labels["class"], p.Labels["by"])}
		}
	}
	return append([]assay.Finding{worst}, pairs...)
}

// effect is how many times longer class v waits while class a is loud.
func (b *neighbourBlocks) effect(v, a int, confidence float64) assay.Quantity {
	var own, others []float64
	for i := range b.cells {
		if c := &b.cells[i][v]; c.times.N >= neighbourLeast {
			own, others = append(own, float64(c.due)), append(others, float64(b.cells[i][a].due))
		}
	}
	if len(own) < 2*neighbourNeed {
		return assay.NotEstimable(assay.Ratio, len(own), "blocks", fmt.Sprintf("%d of %d blocks of the run hold %d served requests of the class; %d are the least", len(own), neighbourCells, neighbourLeast, 2*neighbourNeed))
	}
	slices.Sort(own)
	slices.Sort(others)
	usual := stat.Quantile(own, 0.5, stat.Type7)
	calm := math.Max(1, stat.Quantile(others, 0.25, stat.Type7))
	var x [2][]float64 // logarithms of medians: calm, loud
	for i := range b.cells {
		c, by := &b.cells[i][v], float64(b.cells[i][a].due)
		if c.times.N < neighbourLeast || float64(c.due) < usual/2 || float64(c.due) > usual*3/2 {
			continue
		}
		switch m := math.Log(c.times.Quantile(0.5)); {
		case by >= neighbourApart*calm:
			x[1] = append(x[1], m)
		case by <= neighbourNear*calm:
			x[0] = append(x[0], m)
		}
	}
	if len(x[1]) < neighbourNeed || len(x[0]) < neighbourNeed {
		return assay.NotMeasured(assay.Ratio, fmt.Sprintf("the other's load was at least %g times its usual one in %d blocks of the run and about usual in %d; each needs %d", neighbourApart, len(x[1]), len(x[0]), neighbourNeed))
	}
	every := max(skip(x[0]), skip(x[1]))
	t := stat.MannWhitney(thin(x[1], every), thin(x[0], every), confidence)
	if math.IsInf(t.In.Lo, 0) || math.IsInf(t.In.Hi, 0) || math.IsNaN(t.Shift) {
		return assay.NotEstimable(assay.Ratio, t.N+t.M, "blocks", fmt.Sprintf("%d loud and %d calm blocks that may be taken for independent cannot bound it", t.N, t.M))
	}
	return assay.Quantity{Value: math.Exp(t.Shift), Lo: math.Exp(t.In.Lo), Hi: math.Exp(t.In.Hi), Confidence: t.In.Confidence, Unit: assay.Ratio, N: t.N + t.M, Of: fmt.Sprintf("blocks, %d of them loud", t.N),
		Method: fmt.Sprintf("Hodges-Lehmann shift between logarithms of medians, of one in each %d blocks as their correlation asks for; Mann-Whitney p = %.2g", every, t.P), Basis: assay.Estimated}
}

// skip is how many consecutive values are worth one, by their correlation with the next: (1+r)/(1-r).
func skip(x []float64) int {
	mean, squares, products := 0.0, 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i, v := range x {
		squares += (v - mean) * (v - mean)
		if i > 0 {
			products += (v - mean) * (x[i-1] - mean)
		}
	}
	if squares == 0 || products <= 0 {
		return 1
	}
	r := math.Min(products/squares, 0.9)
	return int(math.Ceil((1+r)/(1-r) - 0.5))
}

// thin keeps every k-th value.
func thin(x []float64, k int) []float64 {
	var out []float64
	for i := k / 2; i < len(x); i += k {
		out = append(out, x[i])
	}
	return out
}

package analyzers

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// slowing is a phase of ten minutes at 2/s whose latency grows by the given share of its median, with lognormal noise.
func slowing(rng *rand.Rand, grow float64) (*assay.Facts, []assay.Request) {
	const length = 600 * sec
	var list []assay.Request
	for due := sec; due < sec+length; due += sec / 2 {
		share := float64(due-sec)/float64(length) - 0.5
		e2e := 0.1 * (1 + grow*share) * math.Exp(0.3*rng.NormFloat64())
		list = append(list, assay.Request{Phase: "s", Due: due, Sent: due, FirstToken: due + int64(0.5e9*e2e), End: due + int64(1e9*e2e), Outcome: assay.OK})
	}
	return &assay.Facts{Phases: []assay.Phase{{Name: "s", Role: assay.RoleSteady, Begin: sec, End: sec + length}}}, list
}

func drift(t *testing.T, f *assay.Facts, list []assay.Request) *assay.Report {
	t.Helper()
	p, r := Drift{}.Begin(f), &assay.Report{}
	p.Requests(list[:len(list)/3])
	p.Requests(list[len(list)/3:])
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDriftCovers: the interval holds the true drift as often as it says, and one of a third is told from none.
func TestDriftCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	const runs = 200
	hit, told, wrong, tails := 0, 0, 0, 0
	for range runs {
		f, list := slowing(rng, 0.33)
		q := drift(t, f, list).Find("drift/e2e").Quantity
		if q.Lo <= 0.33 && 0.33 <= q.Hi {
			hit++
		}
		if q.Lo > 0 {
			told++
		}
		if tail := drift(t, f, list).Find("drift/e2e/p95").Quantity; tail.Lo <= 0.33 && 0.33 <= tail.Hi {
			tails++
		}
		f, list = slowing(rng, 0)
		if q := drift(t, f, list).Find("drift/ttft", "phase", "s").Quantity; q.Lo > 0 || q.Hi < 0 {
			wrong++
		}
	}
	t.Logf("covered %d, told %d, wrongly told %d of %d", hit, told, wrong, runs)
	if tails < 178 {
		t.Errorf("of p95 covered %d of %d", tails, runs)
	}
	if hit < 178 || told < 190 || wrong > 22 {
		t.Errorf("covered %d, told %d, wrongly told %d of %d", hit, told, wrong, runs)
	}
}

// TestDriftOfTheWorstCovers: of several phases without drift the worst is chosen, and is not told to drift more often than one is.
func TestDriftOfTheWorstCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	const runs, phases = 40, 8
	wrong := 0
	for range runs {
		all, list := &assay.Facts{}, []assay.Request(nil)
		for k := range int64(phases) {
			f, l := slowing(rng, 0)
			name := string(rune('a' + k))
			f.Phases[0].Name = name
			f.Phases[0].Begin, f.Phases[0].End = f.Phases[0].Begin+k*1000*sec, f.Phases[0].End+k*1000*sec
			for i := range l {
				l[i].Phase, l[i].Due, l[i].Sent, l[i].FirstToken, l[i].End = name, l[i].Due+k*1000*sec, l[i].Sent+k*1000*sec, l[i].FirstToken+k*1000*sec, l[i].End+k*1000*sec
			}
			all.Phases, list = append(all.Phases, f.Phases...), append(list, l...)
		}
		r := drift(t, all, list)
		f := r.Find("drift/e2e")
		worst := f.Quantity
		if own := r.Find("drift/e2e", "phase", strings.TrimPrefix(f.Evidence[0], "phase ")).Quantity; worst.Value != own.Value || worst.Lo >= own.Lo || worst.Hi <= own.Hi {
			t.Fatalf("worst %s, want it wider than %s of that phase alone", worst, own)
		}
		if worst.Lo > 0 {
			wrong++
		}
		if one := r.Find("drift/e2e", "phase", "a").Quantity; !strings.Contains(worst.Method, "the worst of 8 phases, each at 99.38 %") || strings.Contains(one.Method, "worst") || worst.Confidence < .95 {
			t.Fatalf("worst %s, one %s", worst, one)
		}
	}
	t.Logf("wrongly told %d of %d", wrong, runs)
	if wrong > 5 { // one-sided 2.5 % are to be expected, and 6 of 40 are seen by chance once in a thousand
		t.Errorf("wrongly told %d of %d", wrong, runs)
	}
}

func TestDriftLeavesOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	f, list := slowing(rng, 0)
	for i := range list { // what is cold, failed, a canary or of another phase grows and must not show
		switch i % 8 {
		case 0:
			list[i].Cold = assay.ColdYes
		case 1:
			list[i].Outcome = assay.Timeout
		case 2:
			list[i].Canary = true
		case 3:
			list[i].Phase = "other"
		default:
			continue
		}
		list[i].End += int64(i) * sec / 100
	}
	q := drift(t, f, list).Find("drift/e2e").Quantity
	if q.N != len(list)/2 || q.Lo > 0 || q.Hi < 0 || q.Hi > 0.3 {
		t.Errorf("got %s", q)
	}
	few := drift(t, f, list[:100])
	if q := few.Find("drift/e2e").Quantity; !strings.Contains(q.Reason, "blocks have 5 requests or more; 10 are the least") {
		t.Errorf("got %s", q)
	}
	brief := *f
	brief.Phases = []assay.Phase{{Name: "s", Role: assay.RoleSteady, Begin: sec, End: 101 * sec}}
	for _, m := range []string{"drift/e2e", "drift/ttft/p95"} {
		if q := drift(t, &brief, list).Find(m).Quantity; q.Reason != "not estimable, because the phase lasted 100 s, and a drift that matters needs at least 120 s" {
			t.Errorf("%s of 100 s: %s", m, q)
		}
	}
	if q := drift(t, &assay.Facts{}, list).Find("drift/e2e").Quantity; q.Reason != "not measured, because the run has no steady phase with it" {
		t.Errorf("got %s", q)
	}
}

// levels answers queries with one series an instance.
type levels map[string]func(t float64) float64

func (l levels) Range(_ context.Context, expr string, begin, end, step int64) (out []assay.Series, _ error) {
	if !strings.Contains(expr, "container_memory_working_set_bytes") {
		return nil, nil
	}
	for _, name := range keys(l) {
		s := assay.Series{Labels: []assay.Label{{Name: "instance", Value: name}}}
		for t := begin; t <= end; t += step {
			s.Times, s.Values = append(s.Times, t), append(s.Values, assay.Num(l[name](seconds(t))))
		}
		out = append(out, s)
	}
	return out, nil
}

func TestDriftOfMemory(t *testing.T) {
	f, list := slowing(rand.New(rand.NewPCG(4, 5)), 0)
	f.Metrics = levels{
		"leaks":  func(t float64) float64 { return 1e9 + 1e5*t },
		"fills":  func(t float64) float64 { return 1e9 + 5e8*math.Min(t, 200) },
		"steady": func(float64) float64 { return 2e9 },
	}
	g := drift(t, f, list).Find("drift/memory")
	if q := g.Quantity; math.Abs(q.Value-6e7) > 1e5 || !strings.Contains(q.Method, "the worst of 3 instances") || q.Unit != assay.Bytes || !strings.Contains(g.Evidence[0], "instance=leaks") {
		t.Errorf("got %s, %v; want 60 MB in 600 s", q, g.Evidence)
	}
	if q := drift(t, f, list).Find("drift/memory/rate").Quantity; math.Abs(q.Value-3.6e8) > 1 || q.Unit != assay.BytesPerHour {
		t.Errorf("got %s, want 360 MB/h", q)
	}
	if q := drift(t, f, list).Find("drift/memory/left").Quantity; q.Reason != "not measured, because no limit of the memory is known" {
		t.Errorf("left %s", q)
	}
	f.Metrics = levels{}
	if q := drift(t, f, list).Find("drift/memory").Quantity; !strings.HasPrefix(q.Reason, "not measured, because no series of memory") {
		t.Errorf("got %s", q)
	}
}

// TestDriftWithinABucket: blocks whose medians lie in one bucket of the sketch do not tie, and the interval is not narrower than what a sketch knows.
func TestDriftWithinABucket(t *testing.T) {
	const length, grow = 600 * sec, 0.006
	rng := rand.New(rand.NewPCG(1, 7))
	var list []assay.Request
	for due := sec; due < sec+length; due += sec / 20 {
		e2e := 0.1 * (1 + grow*(float64(due-sec)/float64(length)-0.5)) * math.Exp(0.01*rng.NormFloat64())
		list = append(list, assay.Request{Phase: "s", Due: due, Sent: due, End: due + int64(1e9*e2e), Outcome: assay.OK})
	}
	f := &assay.Facts{Phases: []assay.Phase{{Name: "s", Role: assay.RoleSteady, Begin: sec, End: sec + length}}}
	q := drift(t, f, list).Find("drift/e2e").Quantity
	if math.Abs(q.Value-grow) > 0.002 || q.Lo > grow-0.005 || q.Hi < grow+0.005 || q.Hi-q.Lo > 0.03 {
		t.Errorf("drift %g [%g, %g], want %g with half a bucket about it", q.Value, q.Lo, q.Hi, grow)
	}
}

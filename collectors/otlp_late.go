package collectors

import (
	"cmp"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// A lateness is how long after their end spans came. The zero value is empty.
type lateness struct {
	mu       sync.Mutex
	after    stat.Sketch // ns
	ahead    int64       // spans that ended after they came, by our clock
	furthest int64       // ns: of these the one that did most
}

// add counts spans that came at once.
func (l *lateness) add(came int64, ends []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, end := range ends {
		late := came - end
		if late < -clockSame {
			l.ahead++
			l.furthest = max(l.furthest, -late)
		}
		l.after.Add(float64(max(0, late)))
	}
}

// clockSame is how far, in ns, two clocks may be apart before it is told.
const clockSame = int64(time.Millisecond)

// of returns how late all but a share of the spans came at most, and how many there are.
func (l *lateness) of(share float64) (late time.Duration, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.after.N == 0 {
		return 0, 0
	}
	return time.Duration(l.after.Rank(int((1-share)*float64(l.after.N) + 0.999999))), l.after.N
}

// linger waits for late batches after the end: for the grace, and beyond it for as long as spans used to come late, within what was allowed.
func (o *OTLP) linger(failed <-chan error) error {
	wait := cmp.Or(o.Grace, otlpGrace)
	if late, _ := o.late.of(0.05); late <= o.LateWait { // what came later was no batch of this run
		wait += late
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-o.Hurry:
	case err := <-failed:
		return err
	}
	return nil
}

// tellLate tells how late spans came, if any did.
func (o *OTLP) tellLate(waited time.Duration) {
	p50, _ := o.late.of(0.5)
	p95, _ := o.late.of(0.05)
	most, n := o.late.of(0)
	if n == 0 {
		return
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	o.late.mu.Lock()
	ahead, furthest := o.late.ahead, o.late.furthest
	o.late.mu.Unlock()
	_ = o.emit(&assay.Event{Time: o.Clock.Now(), Kind: assay.EventTraceIntake, Source: "otlp", Text: fmt.Sprintf("%d spans came", n), Attrs: map[string]string{"spans": number(int64(n)),
		"p50_ns": number(int64(p50)), "p95_ns": number(int64(p95)), "max_ns": number(int64(most)), "ahead": number(ahead), "ahead_ns": number(furthest), "waited_ns": number(int64(waited))}})
}

package facts

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// held is for how long a look at a series is taken for the present, at least.
const held = 15 * second

// lookedAt returns the series of a quantity in steps, each with its latest look, and how far apart looks are, 0 where there are no two of one series. A week of Prometheus was looked at once a minute:
// a look is then held for as long as to the next, and a little, since they are not made by the clock.
func lookedAt(ctx context.Context, f *assay.Facts, p *profile.Profile, q profile.Quantity, step int64) (series []assay.Series, every int64, err error) {
	looks := p.Looks(q, time.Duration(f.End-f.Begin)+time.Second)
	if looks == "" {
		return nil, 0, nil
	}
	counts, err := f.Metrics.Range(ctx, "max("+looks+")", f.End, f.End, second)
	if err != nil {
		return nil, 0, fmt.Errorf("count the looks at %s of %s: %w", q, p.Title, err)
	}
	if len(counts) == 0 || len(counts[0].Values) == 0 {
		return nil, 0, nil
	}
	if n := float64(counts[0].Values[0]); n > 1 {
		every = int64(float64(f.End-f.Begin) / (n - 1))
	}
	expr := p.Last(q, time.Duration(max(held, every+every/2)))
	if series, err = f.Metrics.Range(ctx, expr, f.Begin, f.End, step); err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", expr, err)
	}
	return series, every, nil
}

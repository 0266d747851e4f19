package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/assay-dev/assay"
)

// metrics answers PromQL over the TSDB of one run: its blocks, read where they
// are, and, if the run was killed, the head recovered from a copy of its write-ahead log.
type metrics struct {
	epoch   int64
	engine  *promql.Engine
	blocks  []*tsdb.Block
	head    *tsdb.DB // nil when sealed
	closers []io.Closer
}

// Metrics returns what answers PromQL over the run's samples, or nil where it has none. It is valid until Close.
func (r *Run) Metrics() (assay.Metrics, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.opened {
		m, err := r.openMetrics()
		if err != nil {
			return nil, fmt.Errorf("open metrics of %s: %w", r.dir, err)
		}
		r.metrics, r.opened = m, true
	}
	if r.metrics == nil {
		return nil, nil
	}
	return r.metrics, nil
}

// ulidLen is the length of the name of a block; a block being made or removed has a suffix.
const ulidLen = 26

func (r *Run) openMetrics() (_ *metrics, err error) {
	lookBack := r.LookBack
	if lookBack == 0 {
		lookBack = DefaultLookBack
	}
	m := &metrics{epoch: r.manifest.Epoch}
	defer func() {
		if err != nil {
			_ = m.close()
		}
	}()
	dir := filepath.Join(r.dir, metricsDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if len(e.Name()) != ulidLen || !e.IsDir() {
			continue
		}
		b, err := tsdb.OpenBlock(nil, filepath.Join(dir, e.Name()), nil, nil)
		if err != nil {
			r.warn(fmt.Sprintf("%s: this block of metrics cannot be read: %v", filepath.Join(dir, e.Name()), err))
			continue
		}
		m.blocks = append(m.blocks, b)
	}
	// Blocks and head may hold the same samples, if the run was killed while it moved them; the merge gives them once.
	if _, err := os.Stat(filepath.Join(dir, "wal")); err == nil {
		if err := r.recoverHead(m, dir); err != nil {
			return nil, err
		}
	}
	if len(m.blocks) == 0 && (m.head == nil || m.head.Head().NumSeries() == 0) {
		return nil, m.close()
	}
	m.engine = promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: 5 * time.Minute, LookbackDelta: lookBack,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Second.Milliseconds() },
	})
	return m, nil
}

// recoverHead replays a copy of the write-ahead log. Opening the log itself would repair it in place.
func (r *Run) recoverHead(m *metrics, dir string) error {
	copied, err := r.tempDir(metricsDir)
	if err != nil {
		return err
	}
	for _, d := range headDirs {
		if err := copyTree(filepath.Join(copied, d), filepath.Join(dir, d)); err != nil {
			return fmt.Errorf("copy what was not sealed: %w", err)
		}
	}
	db, err := tsdb.Open(copied, nil, nil, tsdbOptions(), nil)
	if err != nil {
		return err
	}
	db.DisableCompactions()
	m.head = db
	return nil
}

func (m *metrics) close() error {
	var errs []error
	if m.engine != nil {
		errs = append(errs, m.engine.Close())
	}
	for _, b := range m.blocks {
		errs = append(errs, b.Close())
	}
	if m.head != nil {
		errs = append(errs, m.head.Close())
	}
	return errors.Join(errs...)
}

// Querier implements storage.Queryable.
func (m *metrics) Querier(mint, maxt int64) (storage.Querier, error) {
	var qs []storage.Querier
	fail := func(err error) (storage.Querier, error) {
		for _, q := range qs {
			_ = q.Close()
		}
		return nil, err
	}
	for _, b := range m.blocks {
		if !b.OverlapsClosedInterval(mint, maxt) {
			continue
		}
		q, err := tsdb.NewBlockQuerier(b, mint, maxt)
		if err != nil {
			return fail(err)
		}
		qs = append(qs, q)
	}
	if m.head != nil {
		q, err := m.head.Querier(mint, maxt)
		if err != nil {
			return fail(err)
		}
		qs = append(qs, q)
	}
	return storage.NewMergeQuerier(qs, nil, storage.ChainedSeriesMerge), nil
}

// Range implements assay.Metrics. Series come in order of their labels; their
// times are begin plus multiples of step, which is rounded to milliseconds.
func (m *metrics) Range(ctx context.Context, expr string, begin, end, step int64) ([]assay.Series, error) {
	stepMS := max(1, (step+int64(time.Millisecond)/2)/int64(time.Millisecond))
	beginMS, endMS := millis(begin, m.epoch), millis(end, m.epoch)
	q, err := m.engine.NewRangeQuery(ctx, m, nil, expr, time.UnixMilli(beginMS), time.UnixMilli(endMS), time.Duration(stepMS)*time.Millisecond)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, res.Err)
	}
	matrix, err := res.Matrix()
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	sort.Sort(matrix)
	out := make([]assay.Series, 0, len(matrix))
	for _, s := range matrix {
		if len(s.Floats) == 0 {
			continue
		}
		series := assay.Series{Times: make([]int64, len(s.Floats)), Values: make([]assay.Num, len(s.Floats))}
		s.Metric.Range(func(l labels.Label) {
			if l.Name == "__name__" {
				series.Name = l.Value
			} else {
				series.Labels = append(series.Labels, assay.Label{Name: l.Name, Value: l.Value})
			}
		})
		for i, p := range s.Floats {
			series.Times[i] = begin + (p.T-beginMS)*int64(time.Millisecond)
			series.Values[i] = assay.Num(p.F)
		}
		out = append(out, series)
	}
	return out, nil
}

var _ assay.Metrics = (*metrics)(nil)

// Package factstest makes runs in memory for tests: by hand, or of a simulated deployment whose truth is known.
package factstest

import (
	"context"
	"slices"

	"github.com/assay-dev/assay"
)

// A Run is a run in memory. It satisfies facts.Source.
type Run struct {
	M     assay.Manifest
	E     []assay.Event
	R     []assay.Request
	T     []assay.Trace
	Q     assay.Metrics
	Block int // requests a block; 0: 500
}

// Manifest returns the manifest.
func (r *Run) Manifest() *assay.Manifest { return &r.M }

// Events returns the events.
func (r *Run) Events() ([]assay.Event, error) { return r.E, nil }

// Metrics returns the metrics.
func (r *Run) Metrics() (assay.Metrics, error) { return r.Q, nil }

// Requests hands out copies of the requests in blocks, and spoils each block after use, so that a pass that keeps one is found out.
func (r *Run) Requests(ctx context.Context, block func([]assay.Request) error) error {
	n := r.Block
	if n == 0 {
		n = 500
	}
	buf := make([]assay.Request, n)
	for chunk := range slices.Chunk(r.R, n) {
		b := buf[:copy(buf, chunk)]
		if err := block(b); err != nil {
			return err
		}
		clear(b)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Traces hands out the traces, requests copied.
func (r *Run) Traces(ctx context.Context, block func([]assay.Trace) error) error {
	for chunk := range slices.Chunk(r.T, 200) {
		b := slices.Clone(chunk)
		for i := range b {
			if b[i].Request != nil {
				c := *b[i].Request
				b[i].Request = &c
			}
		}
		if err := block(b); err != nil {
			return err
		}
		clear(b)
	}
	return ctx.Err()
}

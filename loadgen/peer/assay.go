//go:build linux

package main

import (
	"context"
	"io/fs"

	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/live"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/loadgen"
)

// attackAssay is the child that runs assay's engine: schedule, pacing, client, and for a record the live window and the run store.
func attackAssay(ctx context.Context, j job) (*attack, error) {
	clk := clock.New()
	client, err := loadgen.NewHTTP(loadgen.Endpoint{URL: j.URL, Clock: clk})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	cfg := loadgen.Config{Clock: clk, Client: client, RunID: "peer", Seed: 1,
		Phases: []loadgen.Phase{{Name: "peer", Arrivals: loadgen.Even{Profile: loadgen.Profile{Rate: j.Rate}}, For: j.For}}}
	keep := func(assay.Record) error { return nil }
	var run *store.Writer
	if j.Record != "" {
		run, err = store.Create(j.Record, &assay.Manifest{ID: "peer", Name: "peer", Epoch: clk.Epoch()})
		if err != nil {
			return nil, err
		}
		window := live.New(live.Options{Clock: clk})
		cfg.Observe = func(r *assay.Request) { window.Observe(r) }
		keep = run.Emit
	}
	g, err := loadgen.New(cfg)
	if err != nil {
		return nil, err
	}
	l := newLedger(j.Rate, j.For)
	var ok atomic.Int64
	err = g.Run(ctx, func(rec assay.Record) error {
		if r, is := rec.(*assay.Request); is && r.ID <= uint64(len(l.late)) { // by rounding, there may be one more
			if r.Sent != 0 {
				l.late[r.ID-1] = r.Sent - r.Due
			}
			if r.Outcome == assay.OK {
				ok.Add(1)
			}
		}
		return keep(rec)
	})
	if err != nil {
		return nil, err
	}
	a := l.done(int(ok.Load()))
	if run != nil {
		before := cpuTime()
		if err := run.Seal(assay.Ending{Status: assay.EndComplete, At: clk.Now()}); err != nil {
			return nil, err
		}
		a.Sealing = (cpuTime() - before) / time.Duration(a.Planned)
		a.Size = float64(sizeOf(j.Record)) / float64(a.Planned)
		a.Peak = peak()
	}
	return a, nil
}

// sizeOf returns the bytes in the files below path.
func sizeOf(path string) int64 {
	var n int64
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

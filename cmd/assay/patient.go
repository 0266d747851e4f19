package main

import (
	"context"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/cloud"
	"github.com/assay-dev/assay/collectors/front"
	"github.com/assay-dev/assay/collectors/gpu"
	"github.com/assay-dev/assay/collectors/kubernetes"
	"github.com/assay-dev/assay/collectors/logs"
	"github.com/assay-dev/assay/collectors/traces"
)

// emitOf is emit for a source of a run. One that can wait waits for a disk that does not keep up: nothing of it need be lost.
func (s *session) emitOf(ctx context.Context, src assay.Source) func(assay.Record) error {
	if !canWait(src) {
		return s.emit
	}
	record := waiting(ctx, s.store)
	return func(r assay.Record) error {
		s.observe(r)
		return record(r)
	}
}

// canWait tells of sources that read what stays where it is, as the lines of a log and the traces of a store do.
func canWait(src assay.Source) bool {
	switch src.(type) {
	case *logs.Tail, *logs.Query, *cloud.CloudWatch, *front.Log, *gpu.FollowKernel, *kubernetes.Watch, *traces.ReadBack:
		return true
	}
	return false
}

// A recorder takes records, as a store.Writer does.
type recorder interface {
	Emit(assay.Record) error                      // a record that is not taken is counted
	EmitWait(context.Context, assay.Record) error // one that is not taken before ctx is done is not
}

// waiting records what there is room for, however long that takes, and after the end what there is room for then.
func waiting(ctx context.Context, to recorder) func(assay.Record) error {
	return func(r assay.Record) error {
		if err := to.EmitWait(ctx, r); err == nil || ctx.Err() == nil {
			return err
		}
		return to.Emit(r)
	}
}

package main

import (
	"context"
	"errors"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/logs"
	"github.com/assay-dev/assay/collectors/traces"
)

// A fullDisk has no room: whoever waits, waits until the end.
type fullDisk struct {
	end    context.CancelFunc
	broken error
	counts int
}

func (f *fullDisk) Emit(assay.Record) error { f.counts++; return assay.ErrFull }

func (f *fullDisk) EmitWait(ctx context.Context, _ assay.Record) error {
	if f.broken != nil {
		return f.broken
	}
	f.end()
	return ctx.Err()
}

// TestCanWait: what a source would lose for good it does not lose for want of room; what is pushed to us the sender keeps.
func TestCanWait(t *testing.T) {
	for src, want := range map[assay.Source]bool{&traces.ReadBack{}: true, &logs.Tail{}: true, &logs.Query{}: true, &collectors.OTLP{}: false, &collectors.Prometheus{}: false} {
		if got := canWait(src); got != want {
			t.Errorf("%T: %v, want %v", src, got, want)
		}
	}
}

// TestPatient: a record that finds no room until the end is counted once, and a disk that is broken is told at once.
func TestPatient(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := &fullDisk{end: cancel, broken: errors.New("broken")}
	emit := waiting(ctx, f)
	if err := emit(&assay.Event{}); !errors.Is(err, f.broken) || f.counts != 0 {
		t.Errorf("on a broken disk: %v, %d counted", err, f.counts)
	}
	f.broken = nil
	if err := emit(&assay.Event{}); !errors.Is(err, assay.ErrFull) || f.counts != 1 {
		t.Errorf("on a full one: %v, %d counted; want one", err, f.counts)
	}
}

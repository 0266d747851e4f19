package stream

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// ErrCut says that a stream ended without an ending: its sender died or was killed.
var ErrCut = errors.New("the stream ended without an ending")

const (
	maxLine   = 16 << 20 // bytes: a request with half a million tokens
	wallError = int64(1e6)
	monoError = int64(1e3)
)

// A Receiver takes one stream. Clock and Emit are required.
type Receiver struct {
	Clock *clock.Clock
	Emit  func(assay.Record) error // gets each record on the run's clock, from the goroutine of Receive; what it refuses is counted

	// Begin sees the sender's manifest and its clock against the run's before the first record. May be nil.
	Begin func(m *assay.Manifest, offset assay.Offset)

	manifest *assay.Manifest
	shift    int64 // from Unix time to run time
	refused  int64
}

// Receive reads the stream to its end and returns the sender's manifest as it was last, with its ending. Of a cut stream it returns what it
// has and [ErrCut].
func (v *Receiver) Receive(r io.Reader) (*assay.Manifest, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return v.manifest, fmt.Errorf("read line %d of the stream: %w", n, err)
		}
		if v.manifest == nil && l.Manifest == nil {
			return nil, fmt.Errorf("read line %d of the stream: want the manifest first", n)
		}
		if l.End != nil {
			v.manifest.End = *l.End
			v.manifest.End.At = moved(l.End.At, v.shift)
			return v.manifest, nil
		}
		if err := v.take(&l); err != nil {
			return v.manifest, fmt.Errorf("read line %d of the stream: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return v.manifest, fmt.Errorf("read the stream: %w", err)
	}
	return v.manifest, ErrCut
}

// Refused returns how many records Emit refused.
func (v *Receiver) Refused() int64 { return v.refused }

func (v *Receiver) take(l *Line) error {
	switch {
	case l.Manifest != nil && v.manifest != nil:
		v.manifest = l.Manifest
		return nil
	case l.Manifest != nil:
		v.manifest = l.Manifest
		offset := v.align(l.Monotonic)
		if v.Begin != nil {
			v.Begin(v.manifest, offset)
		}
		return nil
	case l.Request != nil:
		r, err := l.Request.Record(v.shift)
		if err != nil {
			return err
		}
		v.emit(r)
	case l.Event != nil:
		l.Event.Time = moved(l.Event.Time, v.shift)
		v.emit(l.Event)
	}
	return nil // a line of a later version says something else
}

func (v *Receiver) emit(r assay.Record) {
	if v.Emit(r) != nil {
		v.refused++
	}
}

// align finds how far the sender's clock is from ours: its time 0 is ours plus ahead.
func (v *Receiver) align(monotonic int64) assay.Offset {
	ahead, within := v.manifest.Epoch-v.Clock.Epoch(), wallError
	if here, ok := v.Clock.Monotonic(); ok && monotonic != 0 {
		ahead, within = monotonic-here, monoError
	}
	v.shift = ahead - v.manifest.Epoch
	return assay.Offset{Offset: -ahead, Error: within}
}

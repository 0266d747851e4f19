package series

import (
	"fmt"
	"os"
	"time"

	"github.com/assay-dev/assay/collectors/input"
)

// when stamps looks that have no time of their own.
type when struct {
	in    *input.Input
	first time.Time
	every time.Duration
	looks int64
	told  bool // by an option
}

func newWhen(in *input.Input) (*when, error) {
	w := &when{in: in}
	if text := in.Option("at"); text != "" {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("%s: at %q: want RFC 3339, such as 2026-11-18T10:00:00Z", in.Path, text)
		}
		w.first, w.told = t, true
	}
	if text := in.Option("every"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("%s: every %q: want a duration such as 15s", in.Path, text)
		}
		w.every = d
	}
	return w, nil
}

// next begins another look without a time. It is false where nothing tells when that was.
func (w *when) next() bool {
	w.looks++
	return w.looks == 1 || w.every > 0
}

// at is when the present look was.
func (w *when) at() (int64, error) {
	if w.first.IsZero() {
		st, err := os.Stat(w.in.Path)
		if err != nil {
			return 0, fmt.Errorf("%s has no times, and none of its own: give the option at: %w", w.in.Path, err)
		}
		w.first = st.ModTime()
	}
	return w.first.UnixNano() + max(w.looks-1, 0)*int64(w.every), nil
}

// note says how the looks were stamped.
func (w *when) note() {
	if !w.told && w.looks > 0 {
		w.in.Tally.Note("without times of its own: stamped with the time of the file; the option at gives another", 1)
	}
}

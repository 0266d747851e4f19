package store

import (
	"os"
	"sync/atomic"
)

// A shared file is closed by the last that lets go of it.
type shared struct {
	f *os.File
	n atomic.Int64
}

func newShared(f *os.File) *shared {
	s := &shared{f: f}
	s.n.Store(1)
	return s
}

func (s *shared) hold() { s.n.Add(1) }

func (s *shared) release() {
	if s.n.Add(-1) == 0 {
		_ = s.f.Close() // it was only read
	}
}

package worker

import "sync"

// A Meter knows when the accelerator computed: it keeps the latest forward passes.
type Meter struct {
	mu      sync.Mutex
	ring    [4096]pass
	n       int   // passes ever ended
	current int64 // start of the running pass; 0 when idle
}

type pass struct {
	start, end int64
	tensor     float64
}

// Begin notes that a pass starts at an instant, in Unix nanoseconds.
func (m *Meter) Begin(at int64) {
	m.mu.Lock()
	m.current = at
	m.mu.Unlock()
}

// End notes that it has ended. tensor is the share of it that the kind of model counts as bound by
// arithmetic; the rest counts as bound by memory.
func (m *Meter) End(at int64, tensor float64) {
	m.mu.Lock()
	m.ring[m.n%len(m.ring)] = pass{m.current, at, tensor}
	m.n++
	m.current = 0
	m.mu.Unlock()
}

// A Load is the share of a window in which the accelerator computed, and its two parts.
type Load struct{ Busy, Tensor, Memory float64 }

// Since returns the load over the window from..to, the running pass included; that one counts as
// the last ended one did. A window with more than 4096 passes is
// judged by the newest of them.
func (m *Meter) Since(from, to int64) Load {
	m.mu.Lock()
	defer m.mu.Unlock()
	var l Load
	count := func(p pass) {
		if t := min(p.end, to) - max(p.start, from); t > 0 {
			l.Busy += float64(t)
			l.Tensor += float64(t) * p.tensor
		}
	}
	oldest, share := max(0, m.n-len(m.ring)), 0.0
	if m.n > 0 {
		share = m.ring[(m.n-1)%len(m.ring)].tensor
	}
	if m.n > len(m.ring) {
		from = max(from, m.ring[m.n%len(m.ring)].start)
	}
	for i := m.n - 1; i >= oldest && m.ring[i%len(m.ring)].end > from; i-- {
		count(m.ring[i%len(m.ring)])
	}
	if m.current != 0 {
		count(pass{m.current, to, share})
	}
	if to <= from {
		return Load{}
	}
	l.Memory = l.Busy - l.Tensor
	window := float64(to - from)
	return Load{l.Busy / window, l.Tensor / window, l.Memory / window}
}

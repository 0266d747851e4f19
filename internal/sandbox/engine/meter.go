package engine

import "sync"

// A meter knows when the accelerator computed: it keeps the latest forward passes.
type meter struct {
	mu      sync.Mutex
	ring    [4096]pass
	n       int   // passes ever ended
	current int64 // start of the running pass; 0 when idle
}

type pass struct {
	start, end   int64
	prefillShare float64
}

func (m *meter) begin(at int64) {
	m.mu.Lock()
	m.current = at
	m.mu.Unlock()
}

func (m *meter) end(at int64, prefillShare float64) {
	m.mu.Lock()
	m.ring[m.n%len(m.ring)] = pass{m.current, at, prefillShare}
	m.n++
	m.current = 0
	m.mu.Unlock()
}

// A load is the share of a window in which the accelerator computed, and its parts by kind of row.
type load struct{ busy, prefill, decode float64 }

// since returns the load over the window from..to, the running pass included; that one counts as
// the last ended one did. A window with more than 4096 passes is
// judged by the newest of them.
func (m *meter) since(from, to int64) load {
	m.mu.Lock()
	defer m.mu.Unlock()
	var l load
	count := func(p pass) {
		if t := min(p.end, to) - max(p.start, from); t > 0 {
			l.busy += float64(t)
			l.prefill += float64(t) * p.prefillShare
		}
	}
	oldest, share := max(0, m.n-len(m.ring)), 0.0
	if m.n > 0 {
		share = m.ring[(m.n-1)%len(m.ring)].prefillShare
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
		return load{}
	}
	l.decode = l.busy - l.prefill
	window := float64(to - from)
	return load{l.busy / window, l.prefill / window, l.decode / window}
}

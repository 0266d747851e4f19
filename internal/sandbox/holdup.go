package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Starts is the answer of GET /admin/starts: how long instances are held back before their process is made, and which were.
type Starts struct {
	Delay     time.Duration `json:"delay_ns"`
	Holding   int           `json:"holding"`    // held back now
	HoldingNS int64         `json:"holding_ns"` // for how long the first of them
	Held      int           `json:"held"`       // let go since the delay was set
	LastNS    int64         `json:"last_ns"`    // how long the last of them was held
}

// A holdup holds instances back before their process is made. It is gone with the platform, and with it what it held.
type holdup struct {
	mu     sync.Mutex
	starts Starts
	lifted chan struct{} // closed when the delay ends or changes
	since  map[*instance]time.Time
}

func newHoldup() *holdup {
	return &holdup{lifted: make(chan struct{}), since: map[*instance]time.Time{}}
}

// set changes the delay; 0 lifts it. Who is held back is let go.
func (h *holdup) set(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.lifted)
	h.lifted = make(chan struct{})
	h.starts = Starts{Delay: d}
}

// wait holds an instance back, until its time has come, the delay is lifted, or the instance is to end. It returns for how long.
func (h *holdup) wait(in *instance) time.Duration {
	h.mu.Lock()
	d, lifted, begin := h.starts.Delay, h.lifted, time.Now()
	if d == 0 {
		h.mu.Unlock()
		return 0
	}
	h.since[in] = begin
	h.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-lifted:
	case <-in.ending:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.since, in)
	took := time.Since(begin)
	if h.lifted == lifted { // else the count is another's
		h.starts.Held++
		h.starts.LastNS = int64(took)
	}
	return took
}

// report returns the delay and what it has done.
func (h *holdup) report() Starts {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.starts
	out.Holding = len(h.since)
	for _, t := range h.since {
		out.HoldingNS = max(out.HoldingNS, int64(time.Since(t)))
	}
	return out
}

// maxStartDelay is the longest delay of a start. Beyond it a mistake is likelier than a wish.
const maxStartDelay = 10 * time.Minute

// starts shows (GET), sets (PUT) or lifts (DELETE) the delay of starts.
func (a *admin) starts(w http.ResponseWriter, r *http.Request) {
	switch h := a.sup.holdup; r.Method {
	case http.MethodGet:
		writeJSON(w, http.StatusOK, h.report())
	case http.MethodPut:
		var want struct {
			Delay time.Duration `json:"delay_ns"`
		}
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&want); err != nil || want.Delay < 0 || want.Delay > maxStartDelay {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("delay_ns is to be 0 to %d", maxStartDelay)})
			return
		}
		h.set(want.Delay)
		writeJSON(w, http.StatusOK, h.report())
	case http.MethodDelete:
		h.set(0)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": r.Method + " is not allowed here"})
	}
}

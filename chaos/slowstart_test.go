package chaos

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// starts stands in for a platform that is about to start an instance whenever it is asked to delay starts.
type starts struct {
	mu    sync.Mutex
	delay time.Duration
	since time.Time
}

func (s *starts) report() Starts {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Starts{Delay: s.delay}
	if held := time.Since(s.since); s.delay > 0 && held < s.delay {
		out.Holding, out.HoldingNS = 1, held
	} else if s.delay > 0 {
		out.Held, out.LastNS = 1, s.delay
	}
	return out
}

func (s *starts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var want Starts
	if r.Method == http.MethodPut && json.NewDecoder(r.Body).Decode(&want) != nil {
		http.Error(w, "bad delay", http.StatusBadRequest)
		return
	}
	if r.Method != http.MethodGet {
		s.mu.Lock()
		s.delay, s.since = want.Delay, time.Now()
		s.mu.Unlock()
	}
	json.NewEncoder(w).Encode(s.report())
}

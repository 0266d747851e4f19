// Package standin is an Alertmanager for tests: silences that begin, expire and are deleted as the real one's are, and alerts that are set by hand.
package standin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/alertmanager"
)

// A Server answers API v2. The zero value is ready to use as a handler.
type Server struct {
	mu       sync.Mutex
	silences []alertmanager.Silence
	alerts   []alertmanager.Alert
	runs     []string // run ids that came with requests
	Token    string   // demanded where not empty
	Deaf     bool     // refuses to make silences
}

// Fire sets what fires.
func (s *Server) Fire(alerts ...alertmanager.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts = alerts
}

// Silences returns all silences with their state now.
func (s *Server) Silences() []alertmanager.Silence {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	out := append([]alertmanager.Silence(nil), s.silences...)
	for i := range out {
		state := "active"
		switch {
		case !out[i].EndsAt.After(now):
			state = "expired"
		case out[i].StartsAt.After(now):
			state = "pending"
		}
		out[i].Status = &struct {
			State string `json:"state"`
		}{state}
	}
	return out
}

// Runs returns the run ids that came with requests.
func (s *Server) Runs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.runs...)
}

// ServeHTTP answers as Alertmanager 0.25 does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.runs = append(s.runs, r.Header.Get("X-Assay-Run"))
	s.mu.Unlock()
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	id, one := strings.CutPrefix(r.URL.Path, "/api/v2/silence/")
	switch {
	case r.URL.Path == "/api/v2/silences" && r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(append([]alertmanager.Silence{}, s.Silences()...))
	case r.URL.Path == "/api/v2/silences" && r.Method == http.MethodPost:
		s.add(w, r.Body)
	case one && r.Method == http.MethodDelete:
		s.expire(w, id)
	case r.URL.Path == "/api/v2/alerts":
		s.list(w, r.URL.Query()["filter"])
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) add(w http.ResponseWriter, body io.Reader) {
	var x alertmanager.Silence
	err := json.NewDecoder(body).Decode(&x)
	switch {
	case err == nil && s.Deaf:
		http.Error(w, `"no room"`, http.StatusInternalServerError)
	case err != nil || len(x.Matchers) == 0 || x.CreatedBy == "" || x.Comment == "" || !x.EndsAt.After(x.StartsAt) || !x.EndsAt.After(time.Now()):
		http.Error(w, fmt.Sprintf("%q", fmt.Sprint("bad silence: ", err)), http.StatusBadRequest)
	default:
		if x.ID = s.set(x); x.ID == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"silenceID": x.ID})
	}
}

// set changes the silence of that id where only its end is another, else ends it and makes a new one. It returns the id; "" where there was none.
func (s *Server) set(x alertmanager.Silence) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if x.ID != "" {
		i := slices.IndexFunc(s.silences, func(old alertmanager.Silence) bool { return old.ID == x.ID })
		if i < 0 {
			return ""
		}
		old := &s.silences[i]
		if old.EndsAt.After(now) {
			if slices.Equal(old.Matchers, x.Matchers) && old.StartsAt.Unix() == x.StartsAt.Unix() {
				*old = x
				return x.ID
			}
			old.EndsAt = now
		}
	}
	x.ID = fmt.Sprintf("silence-%d", len(s.silences)+1)
	if x.StartsAt.Before(now) {
		x.StartsAt = now.UTC()
	}
	s.silences = append(s.silences, x)
	return x.ID
}

func (s *Server) expire(w http.ResponseWriter, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.silences {
		x := &s.silences[i]
		switch {
		case x.ID != id:
			continue
		case !x.EndsAt.After(time.Now()):
			http.Error(w, `"silence already expired"`, http.StatusInternalServerError)
		default:
			x.EndsAt = time.Now()
		}
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

var filterForm = regexp.MustCompile(`^(\w+)(=~|=)"(.*)"$`)

func (s *Server) list(w http.ResponseWriter, filters []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []alertmanager.Alert{}
next:
	for _, a := range s.alerts {
		for _, f := range filters {
			m := filterForm.FindStringSubmatch(f)
			if m == nil {
				http.Error(w, `"bad filter"`, http.StatusBadRequest)
				return
			}
			value := m[3]
			if m[2] == "=" {
				value = regexp.QuoteMeta(value)
			}
			if !regexp.MustCompile("^(?:" + value + ")$").MatchString(a.Labels[m[1]]) {
				continue next
			}
		}
		out = append(out, a)
	}
	_ = json.NewEncoder(w).Encode(out)
}

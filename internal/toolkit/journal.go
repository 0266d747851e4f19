package toolkit

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A Journal is the journal of Chaos Toolkit.
type Journal struct {
	Version    string          `json:"chaoslib-version"`
	Platform   string          `json:"platform"`
	Node       string          `json:"node"`
	Experiment json.RawMessage `json:"experiment"`
	Start      string          `json:"start"`
	Status     string          `json:"status"` // completed, failed, interrupted, aborted
	Deviated   bool            `json:"deviated"`
	States     States          `json:"steady_states"`
	Run        []Entry         `json:"run"`
	Rollbacks  []Entry         `json:"rollbacks"`
	End        string          `json:"end"`
	Duration   float64         `json:"duration"` // seconds
}

// States are what was seen of the hypothesis.
type States struct {
	Before *State  `json:"before"`
	After  *State  `json:"after"`
	During []State `json:"during"`
}

// State is one look at the hypothesis.
type State struct {
	Met    bool    `json:"steady_state_met"`
	Probes []Entry `json:"probes"`
}

// An Entry is one activity in a journal.
type Entry struct {
	Activity  json.RawMessage `json:"activity"`
	Status    string          `json:"status"`
	Start     string          `json:"start"`
	End       string          `json:"end"`
	Duration  float64         `json:"duration"`
	Output    any             `json:"output"`
	Tolerance *bool           `json:"tolerance_met,omitempty"`
	Exception []string        `json:"exception,omitempty"`
}

// Stamp writes an instant as journals do.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// ReadJournal makes the journal of the experiment that was played in dir. What only the run knows is for the caller: version, platform, node, status, start
// and end, which are those of the first and the last activity.
func ReadJournal(dir string) (*Journal, error) {
	raw, err := os.ReadFile(filepath.Join(dir, fileExperiment))
	if err != nil {
		return nil, fmt.Errorf("read what was played: %w", err)
	}
	list, err := results(dir)
	if err != nil {
		return nil, fmt.Errorf("read what was played: %w", err)
	}
	j := &Journal{Experiment: raw, Status: "completed", States: States{During: []State{}}, Run: []Entry{}, Rollbacks: []Entry{}}
	if !json.Valid(raw) {
		return nil, fmt.Errorf("%s holds no JSON", filepath.Join(dir, fileExperiment))
	}
	var begin, end time.Time
	for i := range list {
		r := &list[i]
		if begin.IsZero() || r.Start.Before(begin) {
			begin = r.Start
		}
		if r.End.After(end) {
			end = r.End
		}
		switch r.Stage {
		case "before":
			j.States.Before = j.States.Before.with(r)
		case "after":
			j.States.After = j.States.After.with(r)
		case "method":
			j.Run = append(j.Run, r.entry())
		case "rollback":
			j.Rollbacks = append(j.Rollbacks, r.entry())
		}
	}
	if s := j.States.Before; s != nil && !s.Met {
		j.Status = "failed"
	}
	if s := j.States.After; s != nil && !s.Met {
		j.Deviated = true
	}
	j.Span(begin, end)
	return j, nil
}

// Span sets start, end and duration.
func (j *Journal) Span(begin, end time.Time) {
	j.Start, j.End, j.Duration = Stamp(begin), Stamp(end), end.Sub(begin).Seconds()
}

// with adds a probe to a look, which is met while all its probes are.
func (s *State) with(r *Result) *State {
	if s == nil {
		s = &State{Met: true}
	}
	s.Met = s.Met && r.Tolerance != nil && *r.Tolerance
	s.Probes = append(s.Probes, r.entry())
	return s
}

func (r *Result) entry() Entry {
	e := Entry{Activity: r.Activity, Status: r.Status, Start: Stamp(r.Start), End: Stamp(r.End), Duration: r.End.Sub(r.Start).Seconds(), Tolerance: r.Tolerance}
	if r.Output != nil {
		e.Output = r.Output
	}
	if r.Status == Failed && r.Why != "" {
		e.Exception = []string{r.Why}
	}
	return e
}

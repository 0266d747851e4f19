package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/assay-dev/assay"
)

// eventLine is an event as it stands in a file. Other processes stamp Unix time.
type eventLine struct {
	assay.Event
	Unix int64 `json:"time_unix_ns"`
}

// Events returns the run's events, with those of the guardian, in order of time. The caller must not change them.
func (r *Run) Events() ([]assay.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events != nil {
		return r.events, nil
	}
	events := []assay.Event{}
	for _, name := range []string{eventsName, guardianName} {
		path := filepath.Join(r.dir, name)
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // the guardian had nothing to say, or the run nothing happened in
		} else if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		more, warnings := parseEvents(data, path, r.manifest.Epoch)
		events = append(events, more...)
		for _, w := range warnings {
			r.warn(w)
		}
	}
	slices.SortStableFunc(events, func(a, b assay.Event) int { return cmp.Compare(a.Time, b.Time) })
	r.events = events
	return events, nil
}

// parseEvents reads lines of events. A line that is none is a warning.
func parseEvents(data []byte, path string, epoch int64) (events []assay.Event, warnings []string) {
	for at := 0; at < len(data); {
		line, _, whole := bytes.Cut(data[at:], []byte{'\n'})
		from := at
		at += len(line) + 1
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var e eventLine
		err := json.Unmarshal(line, &e)
		switch {
		case err != nil && !whole:
			warnings = append(warnings, fmt.Sprintf("%s: the last line, at byte %d, is torn and was not read", path, from))
		case err != nil:
			warnings = append(warnings, fmt.Sprintf("%s: the line at byte %d is no event and was not read: %v", path, from, err))
		default:
			if e.Unix != 0 {
				if e.Time = e.Unix - epoch; e.Time == 0 {
					e.Time = 1 // zero is "not seen"
				}
			}
			events = append(events, e.Event)
		}
	}
	return events, warnings
}

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
	"strings"

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

// Unreadable lists the lines of the run's journal and of its guardian's notes that hold something and are no event: what was armed there, or
// cleared, is not known. A last line that was not written to its end is none of them, since nothing was done before it was.
func (r *Run) Unreadable() (lines []string, err error) {
	for _, name := range []string{eventsName, guardianName} {
		data, err := os.ReadFile(filepath.Join(r.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return lines, fmt.Errorf("read events: %w", err)
		}
		n := 0
		for line := range bytes.Lines(data) {
			n++
			text := bytes.TrimSpace(line)
			var e eventLine
			if len(text) == 0 || line[len(line)-1] != '\n' {
				continue
			}
			err := json.Unmarshal(text, &e)
			if err == nil && e.Kind == "" {
				err = errors.New("it has no kind")
			}
			if err == nil || name == guardianName && tornNote(text, err) {
				continue
			}
			lines = append(lines, fmt.Sprintf("line %d of %s cannot be read: %v", n, name, err))
		}
	}
	return lines, nil
}

// tornNote reports whether a line is the beginning of a note: its writer was killed within it, before it answered for it, and the next ended it.
func tornNote(line []byte, err error) bool {
	var syntax *json.SyntaxError
	return line[0] == '{' && errors.As(err, &syntax) && syntax.Offset >= int64(len(line)) && strings.HasPrefix(err.Error(), "unexpected end")
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

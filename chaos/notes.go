package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

// NotesFile is the name, within a run's directory, of what the guardian and Heal did. It is a
// file of its own since they write when the run's own writer is dead, or must be taken for dead.
const NotesFile = "guardian.jsonl"

// A note is an event as it stands in the notes: stamped with the wall clock, since the
// run's own clock ended with the run.
type note struct {
	assay.Event
	Hidden *int64 `json:"time_ns,omitempty"` // hides the event's own
	Unix   int64  `json:"time_unix_ns"`
}

// Attributes of the notes that keep account of the process groups of the run.
const (
	attrOwn       = "own"     // a Process whose group the guardian owns from here
	attrRelease   = "release" // a Process whose group it no longer owns
	attrRun       = "run"     // the Process of the run itself
	attrBoot      = "boot_id"
	attrUndo      = "undo"
	attrStop      = "stop"  // why the guardian stopped the run
	attrHeard     = "heard" // what made the fault was answered
	attrKind      = "kind"
	attrTarget    = "target"
	attrHealthy   = "healthy"
	attrEffect    = "effect"
	attrBasis     = "basis" // measured, told, untested: what the effect is known by
	attrTook      = "took_ns"
	attrFor       = "for_ns" // how long the fault is to hold
	attrSimulated = "simulated"
)

// A notebook appends notes to a run's directory. The zero value keeps none.
type notebook struct {
	dir    string
	source string // who writes
}

// write appends the events, each stamped now unless it has a time (Unix ns), and syncs them.
func (n *notebook) write(events ...assay.Event) (err error) {
	if n.dir == "" || len(events) == 0 {
		return nil
	}
	var buf bytes.Buffer
	for _, e := range events {
		e.Source = n.source
		at := e.Time
		if at == 0 {
			at = time.Now().UnixNano()
		}
		b, err := json.Marshal(note{Event: e, Unix: at})
		if err != nil {
			return fmt.Errorf("write notes: %w", err)
		}
		buf.Write(append(b, '\n'))
	}
	f, err := os.OpenFile(filepath.Join(n.dir, NotesFile), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("write notes: %w", err)
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	// A line that its writer did not live to finish must not swallow the next one.
	if st, err := f.Stat(); err == nil && st.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, st.Size()-1); err == nil && last[0] != '\n' {
			buf = *bytes.NewBuffer(append([]byte{'\n'}, buf.Bytes()...))
		}
	}
	if _, err := f.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("write notes: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write notes: %w", err)
	}
	return nil
}

// ReadNotes returns what the guardian and Heal wrote into the run's directory, in order, each
// time converted by fromUnix. A run without notes has none. A line that was
// not written to its end is left out.
func ReadNotes(dir string, fromUnix func(unixNano int64) int64) ([]assay.Event, error) {
	b, err := os.ReadFile(filepath.Join(dir, NotesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	var events []assay.Event
	for line := range bytes.Lines(b) {
		var n note
		if json.Unmarshal(line, &n) != nil || n.Kind == "" {
			continue
		}
		n.Event.Time = fromUnix(n.Unix)
		events = append(events, n.Event)
	}
	return events, nil
}

// process reads a Process from an attribute.
func attrProcess(e *assay.Event, key string) (p Process, ok bool) {
	s, ok := e.Attrs[key]
	return p, ok && json.Unmarshal([]byte(s), &p) == nil && p.PID > 1
}

// ownership is the event that says that the group of p is or is no longer the guardian's.
func ownership(key string, p, run Process) assay.Event {
	verb := map[string]string{attrOwn: "owns", attrRelease: "no longer owns"}[key]
	return assay.Event{Kind: assay.EventAnnotation, Text: fmt.Sprintf("the guardian %s process group %d", verb, p.PID),
		Attrs: placed(key, asJSON(p), attrRun, asJSON(run))}
}

// guards is the event that says whose guardian it is.
func guards(run Process) assay.Event {
	return assay.Event{Kind: assay.EventAnnotation, Text: fmt.Sprintf("the guardian guards %v", run), Attrs: placed(attrRun, asJSON(run))}
}

// placed returns attributes of pairs of key and value, and where this process is.
func placed(pairs ...string) map[string]string {
	attrs := here()
	for i := 0; i < len(pairs); i += 2 {
		attrs[pairs[i]] = pairs[i+1]
	}
	return attrs
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return string(b)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

package worker

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// A TruthLog is the file of what really happened, one JSON line each, written
// with one call so that several workers may share it. A nil one writes nothing.
type TruthLog struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first failure
}

// A Phase is one finished phase of the start, as printed on stdout and, with kind "phase", in the truth log.
type Phase struct {
	Kind     string `json:"kind,omitempty"`
	Instance string `json:"instance,omitempty"`
	Phase    string `json:"phase"`
	Start    int64  `json:"start_unix_ns"`
	End      int64  `json:"end_unix_ns"`
}

func openTruth(path string) (*TruthLog, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open truth log: %w", err)
	}
	return &TruthLog{file: f}, nil
}

// Write appends one line. Its first failure is told when the process ends.
func (t *TruthLog) Write(v any) {
	if t == nil {
		return
	}
	b, err := json.Marshal(v)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		_, err = t.file.Write(append(b, '\n'))
	}
	if t.err == nil {
		t.err = err
	}
}

// close returns the first failure of any write.
func (t *TruthLog) close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.file.Close(); t.err == nil {
		t.err = err
	}
	if t.err != nil {
		return fmt.Errorf("write truth log: %w", t.err)
	}
	return nil
}

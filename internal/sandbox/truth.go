package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/assay-dev/assay/internal/sandbox/engine"
	"github.com/assay-dev/assay/internal/sandbox/vision"
)

// Truth is what really happened in a deployment, from the truth logs of the platform and
// of its workers. Slices are in order of time.
type Truth struct {
	Config   Config
	Requests []TruthRequest        // at the gateway, by arrival
	Events   []Event               // life-cycle events and scaling, as they were streamed
	Engine   []engine.TruthRequest // at the workers, by arrival
	Vision   []vision.TruthRequest // at the image classifiers, by arrival
	Phases   []engine.Phase        // of starts, as the workers timed them
}

// ReadTruth reads the truth logs in dir. A torn last line, which a killed process leaves, is left out.
func ReadTruth(dir string) (*Truth, error) {
	t := &Truth{}
	err := readLines(filepath.Join(dir, platformTruth), func(line []byte) error {
		var v truthLine
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		switch {
		case v.Request != nil:
			t.Requests = append(t.Requests, *v.Request)
		case v.Event != nil:
			t.Events = append(t.Events, *v.Event)
		case v.Config != nil:
			t.Config = *v.Config
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for kind, request := range map[string]func([]byte) error{
		"engine": func(line []byte) error { return appendJSON(&t.Engine, line) },
		"vision": func(line []byte) error { return appendJSON(&t.Vision, line) },
	} {
		files, err := filepath.Glob(filepath.Join(dir, kind+"-*.jsonl"))
		if err != nil {
			return nil, fmt.Errorf("list the truth logs of workers: %w", err)
		}
		for _, f := range files {
			if err := readLines(f, func(line []byte) error { return t.workerLine(line, request) }); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(t.Requests, func(a, b TruthRequest) int { return cmp.Compare(a.Arrived, b.Arrived) })
	slices.SortStableFunc(t.Events, func(a, b Event) int { return cmp.Compare(a.Seq, b.Seq) })
	slices.SortStableFunc(t.Engine, func(a, b engine.TruthRequest) int { return cmp.Compare(a.Arrived, b.Arrived) })
	slices.SortStableFunc(t.Vision, func(a, b vision.TruthRequest) int { return cmp.Compare(a.Arrived, b.Arrived) })
	slices.SortStableFunc(t.Phases, func(a, b engine.Phase) int { return cmp.Compare(a.Start, b.Start) })
	return t, nil
}

// workerLine takes in one line of a worker; request does so for one of a request.
func (t *Truth) workerLine(line []byte, request func([]byte) error) error {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "request":
		return request(line)
	case "phase":
		return appendJSON(&t.Phases, line)
	}
	return nil
}

func appendJSON[T any](list *[]T, line []byte) error {
	var v T
	if err := json.Unmarshal(line, &v); err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}

// readLines calls each with the lines of a file.
func readLines(path string, each func([]byte) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read truth log: %w", err)
	}
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		data = rest
		if err := each(line); err != nil && whole {
			return fmt.Errorf("read truth log: %s:%d: %w", path, n, err)
		}
	}
	return nil
}

// Find returns the request with the trace id, or nil.
func (t *Truth) Find(traceID string) *TruthRequest {
	for i := range t.Requests {
		if t.Requests[i].TraceID == traceID {
			return &t.Requests[i]
		}
	}
	return nil
}

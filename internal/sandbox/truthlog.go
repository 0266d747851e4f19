package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// platformTruth is the name of the platform's file in the truth directory.
const platformTruth = "platform.jsonl"

// A TruthRequest is what really happened to one request at the gateway. Instants are Unix nanoseconds; 0 is never.
type TruthRequest struct {
	TraceID       string `json:"trace_id"`
	Parent        string `json:"parent_span_id,omitempty"` // the client's span
	Run           string `json:"run,omitempty"`            // of the run-id header
	Route         string `json:"route"`
	Tenant        string `json:"tenant,omitempty"` // with tenants configured
	Arrived       int64  `json:"arrived_unix_ns"`
	RetrievalFrom int64  `json:"retrieval_begin_unix_ns,omitempty"`
	RetrievalTo   int64  `json:"retrieval_end_unix_ns,omitempty"`
	Queued        int64  `json:"queued_unix_ns,omitempty"`  // arrival at the activator
	Granted       int64  `json:"granted_unix_ns,omitempty"` // an instance was chosen
	Wait          int64  `json:"wait_ns"`                   // sum of all waits at the activator
	Reason        string `json:"reason,omitempty"`          // of the first wait
	Cold          *bool  `json:"cold,omitempty"`            // absent when no instance served it
	Instance      string `json:"instance,omitempty"`
	Born          int64  `json:"instance_ready_unix_ns,omitempty"` // when that instance first came into routing
	Attempts      int    `json:"attempts"`
	UpstreamFrom  int64  `json:"upstream_begin_unix_ns,omitempty"`
	UpstreamFirst int64  `json:"upstream_first_byte_unix_ns,omitempty"` // first byte of the body
	UpstreamTo    int64  `json:"upstream_end_unix_ns,omitempty"`
	End           int64  `json:"end_unix_ns"`
	Status        int    `json:"status"` // sent to the client; 0 when it had gone
	BytesOut      int64  `json:"bytes"`  // of the answer's body
	Outcome       string `json:"outcome"`
	Error         string `json:"error,omitempty"`
}

// Outcomes of a request at the gateway.
const (
	outcomeOK        = "ok"          // passed on to its end, whatever its status
	outcomeBad       = "bad_request" // refused by the gateway: not readable, too large
	outcomeQueueFull = "queue_full"  // 429
	outcomeQueueWait = "queue_wait"  // 503: nobody took it in time
	outcomeStopping  = "stopping"    // 503
	outcomeRetrieval = "retrieval"   // 502: the retrieval failed
	outcomeRefused   = "refused"     // 502: the instance refused the connection
	outcomeUpstream  = "upstream"    // 502: the instance failed before its answer began
	outcomeAborted   = "aborted"     // the answer broke off in the middle
	outcomeGone      = "client_gone" // the client left first
)

// A truthLine is one line of the platform's truth file: exactly one field is set.
type truthLine struct {
	Request *TruthRequest `json:"request,omitempty"`
	Event   *Event        `json:"event,omitempty"`
	Config  *Config       `json:"config,omitempty"`
}

// A truthLog writes the platform's truth file, a line at a time, so that what was written survives the
// process. A nil log writes nothing.
type truthLog struct {
	mu  sync.Mutex
	f   *os.File
	err error // first failure; nothing is written after it
}

func openTruth(dir string) (*truthLog, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create truth directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, platformTruth), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open truth log: %w", err)
	}
	return &truthLog{f: f}, nil
}

func (t *truthLog) write(line truthLine) {
	if t == nil {
		return
	}
	b, err := json.Marshal(line)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return
	}
	if err == nil {
		_, err = t.f.Write(append(b, '\n'))
	}
	t.err = err
}

// close returns the first error of the log's life.
func (t *truthLog) close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.f.Close()
	if t.err != nil {
		err = t.err
	}
	if err != nil {
		return fmt.Errorf("write truth log: %w", err)
	}
	return nil
}

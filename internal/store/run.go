package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/assay-dev/assay"
)

// ErrNotARun says that a directory is no run.
var ErrNotARun = errors.New("not a run directory")

// DefaultLookBack is how long PromQL takes a sample for the present value of its series.
const DefaultLookBack = 15 * time.Second

// A Run is a run directory open for reading. Its methods may be called from many goroutines at once; callbacks of one
// scan are called from one goroutine at a time.
type Run struct {
	// LookBack of PromQL; set it before the first call of Metrics. 0 means DefaultLookBack.
	LookBack time.Duration

	dir      string
	manifest assay.Manifest
	counts   Counts
	requests source
	spans    source

	mu       sync.Mutex
	warnings []string
	temp     string // private copies; "" until one is needed
	events   []assay.Event
	metrics  *metrics
	opened   bool // metrics was looked for

	joining sync.Mutex
	byTrace *sorter[assay.Request] // the requests that have a trace, sorted by it; nil until they are needed
}

// Counts are how much a run holds.
type Counts struct{ Requests, Spans int64 }

// A source is where the records of one kind are read from.
type source struct {
	dir   string // holds the parts
	index *index // nil: they have yet to be made from the log
	log   string
	seal  func(ctx context.Context, path, dir string, budget int) (*index, error)
}

// Open opens the run in dir, whatever end it had, and never writes into it. The
// error is [ErrNotARun] where there is no run.
func Open(dir string) (*Run, error) {
	r := &Run{dir: dir}
	if err := r.open(); err != nil {
		return nil, fmt.Errorf("open run %s: %w", dir, err)
	}
	return r, nil
}

func (r *Run) open() error {
	st, err := os.Stat(r.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: it does not exist", ErrNotARun)
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%w: it is a file", ErrNotARun)
	}
	data, err := os.ReadFile(filepath.Join(r.dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: it has no %s", ErrNotARun, manifestName)
	} else if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &r.manifest); err != nil {
		return fmt.Errorf("%w: its %s is damaged: %w", ErrNotARun, manifestName, err)
	}
	if r.manifest.Schema != RunSchema {
		return fmt.Errorf("%w: the schema of its %s is %q, this version reads %q", ErrNotARun, manifestName, r.manifest.Schema, RunSchema)
	}
	if r.manifest.End.Status == assay.EndRunning {
		r.warn("the run was killed or is still going on: nothing wrote how it ended, and up to a second before may be missing")
	}
	r.requests = source{dir: filepath.Join(r.dir, requestsDir), seal: sealRequests}
	r.spans = source{dir: filepath.Join(r.dir, spansDir), seal: sealSpans}
	if r.counts.Requests, err = r.openSource(&r.requests, requestCodec.magic, requestSchema); err != nil {
		return err
	}
	if r.counts.Spans, err = r.openSource(&r.spans, spanCodec.magic, spanSchema); err != nil {
		return err
	}
	if x := r.spans.index; x != nil && x.Duplicates > 0 {
		r.warnDuplicates(x)
	}
	return nil
}

// openSource finds what there is of s, parts or log, and counts its records.
func (r *Run) openSource(s *source, magic, schema string) (int64, error) {
	var err error
	if s.index, err = readIndex(s.dir, schema); err != nil {
		return 0, err
	}
	if s.index != nil {
		if s.index.Torn != "" {
			r.warn(s.index.Torn)
		}
		return s.index.Rows, nil
	}
	s.log = filepath.Join(s.dir, logName)
	var n int64
	cut, err := scanLog(s.log, magic, func(f frame, _ []byte) error { n += int64(f.n); return nil })
	if errors.Is(err, os.ErrNotExist) {
		r.warn(fmt.Sprintf("%s has neither %s nor %s: its records are gone", s.dir, indexName, logName))
		s.index = &index{}
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	if cut != nil {
		r.warn(cut.String())
	}
	if n == 0 {
		s.index = &index{}
	}
	return n, nil
}

// Dir returns the run directory.
func (r *Run) Dir() string { return r.dir }

// Manifest returns the run's manifest, which the caller must not change.
func (r *Run) Manifest() *assay.Manifest { return &r.manifest }

// Counts returns how many requests and spans the run holds.
func (r *Run) Counts() Counts { return r.counts }

// Warnings returns what is wrong with the directory, as far as it was read: all of it once
// events, requests, traces and metrics were.
func (r *Run) Warnings() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.warnings...)
}

// Repeated returns how many spans were exported more than once, as far as traces were read. Each counts once.
func (r *Run) Repeated() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spans.index == nil {
		return 0
	}
	return r.spans.index.Duplicates
}

// warn adds a warning; the caller holds mu or is alone.
func (r *Run) warn(text string) { r.warnings = append(r.warnings, text) }

func (r *Run) warnDuplicates(x *index) {
	r.warn(fmt.Sprintf("%d spans were exported more than once; each counts once", x.Duplicates))
}

// tempDir returns a new private directory; the caller holds mu.
func (r *Run) tempDir(name string) (string, error) {
	if r.temp == "" {
		dir, err := os.MkdirTemp("", "assay-run-*")
		if err != nil {
			return "", fmt.Errorf("make room for a private copy of the run: %w", err)
		}
		r.temp = dir
	}
	return os.MkdirTemp(r.temp, name+"-*")
}

// parts returns the index of s and the directory of its parts, which it makes from the log if it must.
//
// It holds mu while it does so: a second reader needs the result as much as the first, and nothing else is waiting.
func (r *Run) parts(ctx context.Context, s *source) (*index, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.index != nil {
		return s.index, s.dir, nil
	}
	dir, err := r.tempDir(filepath.Base(s.dir))
	if err != nil {
		return nil, "", err
	}
	x, err := s.seal(ctx, s.log, dir, sortBudget)
	if err != nil {
		return nil, "", fmt.Errorf("read run %s: %w", r.dir, err)
	}
	if x.Duplicates > 0 {
		r.warnDuplicates(x)
	}
	s.index, s.dir = x, dir
	return x, dir, nil
}

// Close closes the run and removes private copies. No scan may be going on.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	if r.byTrace != nil {
		r.byTrace.close()
		r.byTrace = nil
	}
	if r.metrics != nil {
		errs = append(errs, r.metrics.close())
		r.metrics = nil
	}
	if r.temp != "" {
		errs = append(errs, os.RemoveAll(r.temp))
		r.temp = ""
	}
	return errors.Join(errs...)
}

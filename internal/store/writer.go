package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/assay-dev/assay"
)

// RunSchema names the version of the run directory.
const RunSchema = "assay/run/v1"

// ErrNotEmpty says that a run cannot be created where something is already.
var ErrNotEmpty = errors.New("the directory is not empty")

// The names in a run directory.
const (
	manifestName = "run.json"
	eventsName   = "events.jsonl"
	guardianName = "guardian.jsonl"
	requestsDir  = "requests"
	spansDir     = "spans"
	metricsDir   = "metrics"
)

// A Writer records one run. Its methods may be called from many goroutines at
// once; Seal and Close end it and are called once, one of them.
type Writer struct {
	dir      string
	requests *intake[assay.Request]
	spans    *intake[assay.Span]
	events   *eventLog
	samples  *sampleIntake
	db       *tsdbWriter
	cuts     atomic.Int64
	stamps   stamps

	// turn is held while run.json is rewritten: it is what puts the rewrites in order. Nothing that emits takes it.
	turn     sync.Mutex
	manifest assay.Manifest

	once   sync.Once
	err    atomic.Pointer[error]
	failed chan error
	ended  atomic.Bool
}

// Create makes the run directory dir, with missing parents, and starts recording. It refuses a directory that
// holds anything with [ErrNotEmpty] and leaves nothing behind when it fails. The manifest must have its
// epoch; its end is "running" until [Writer.Seal].
func Create(dir string, m *assay.Manifest) (*Writer, error) { return create(dir, m, openFile) }

func create(dir string, m *assay.Manifest, open func(path string) (logFile, error)) (_ *Writer, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("create run %s: %w", dir, err)
		}
	}()
	if m.Epoch == 0 {
		return nil, errors.New("its manifest has no epoch")
	}
	undo, err := makeRunDir(dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, manifest: *m, failed: make(chan error, 1)}
	w.stamps.epoch = m.Epoch
	w.manifest.Schema = RunSchema
	w.manifest.End = assay.Ending{Status: assay.EndRunning}
	defer func() {
		if err != nil {
			_ = w.stop()
			if w.db != nil {
				_ = w.db.close()
			}
			undo()
		}
	}()
	for _, d := range []string{requestsDir, spansDir, metricsDir} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := writeReserve(dir); err != nil {
		return nil, err
	}
	shards := min(max(runtime.GOMAXPROCS(0), 2), 16)
	if f, err := open(filepath.Join(dir, requestsDir, logName)); err != nil {
		return nil, err
	} else if w.requests, err = newIntake(requestCodec, f, shards, &w.err, w.fail); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if f, err := open(filepath.Join(dir, spansDir, logName)); err != nil {
		return nil, err
	} else if w.spans, err = newIntake(spanCodec, f, shards, &w.err, w.fail); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f, err := open(filepath.Join(dir, eventsName))
	if err != nil {
		return nil, err
	}
	w.events = newEventLog(f, w.fail)
	if w.db, err = openTSDB(filepath.Join(dir, metricsDir), m.Epoch); err != nil {
		return nil, err
	}
	w.samples = newSampleIntake(w.db, &w.err, w.fail)
	// The manifest comes last: with it the directory is a run.
	data, err := encodeManifest(&w.manifest)
	if err != nil {
		return nil, err
	}
	if err := w.writeManifest(data); err != nil {
		return nil, err
	}
	return w, syncDir(filepath.Dir(filepath.Clean(dir)))
}

// Dir returns the run directory.
func (w *Writer) Dir() string { return w.dir }

// Emit records r. It copies what it keeps and waits for nothing. It returns
// [ErrFull] when the disk does not keep up, [ErrClosed] after the end and the first
// write error after that; a record that was not taken is counted in [Stats], as is one whose times cannot be true, which is no error.
func (w *Writer) Emit(r assay.Record) error { return w.emit(r, false) }

// EmitWait is Emit for a source that can wait, as an import can: where the disk does not keep up it waits for it, or until ctx is done.
func (w *Writer) EmitWait(ctx context.Context, r assay.Record) error {
	for {
		err := w.emit(r, true)
		if !errors.Is(err, ErrFull) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (w *Writer) emit(r assay.Record, patient bool) error {
	switch r := r.(type) {
	case *assay.Request:
		if w.stamps.reject(ofRequest, w.stamps.request(r)) {
			return nil
		}
		r, cuts := limitRequest(r)
		w.cut(cuts)
		return w.requests.add(r, patient)
	case *assay.Span:
		if w.stamps.reject(ofSpan, w.stamps.span(r)) {
			return nil
		}
		s, cuts := limitSpan(r)
		w.cut(cuts)
		return w.spans.add(s, patient)
	case *assay.Sample:
		return w.samples.addSample(r, patient)
	case *assay.Scrape:
		return w.samples.addScrape(r, patient)
	case *assay.Event:
		if w.stamps.reject(ofEvent, w.stamps.event(r)) {
			return nil
		}
		e, cuts := limitEvent(r)
		w.cut(cuts)
		return w.events.add(e, patient)
	}
	return fmt.Errorf("record %T is of no known kind", r)
}

func (w *Writer) cut(n int64) {
	if n != 0 {
		w.cuts.Add(n)
	}
}

// EmitSync records e, which is on disk when it returns nil.
func (w *Writer) EmitSync(e *assay.Event) error {
	if err := w.Emit(e); err != nil {
		return fmt.Errorf("record event %s: %w", e.Kind, err)
	}
	if err := w.events.flush(); err != nil {
		return fmt.Errorf("record event %s: %w", e.Kind, err)
	}
	return nil
}

// SetManifest lets fn change the manifest and writes it. Slices and maps of the
// manifest are to be replaced, not changed in place.
func (w *Writer) SetManifest(fn func(*assay.Manifest)) error {
	w.turn.Lock()
	defer w.turn.Unlock()
	m := w.manifest
	fn(&m)
	m.Schema = RunSchema
	data, err := encodeManifest(&m)
	if err != nil {
		return err
	}
	if err := w.writeManifest(data); err != nil {
		w.fail(err) // gives up the reserve
		if err = w.writeManifest(data); err != nil {
			return err
		}
	}
	w.manifest = m
	return nil
}

func encodeManifest(m *assay.Manifest) ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", manifestName, err)
	}
	return append(data, '\n'), nil
}

func (w *Writer) writeManifest(data []byte) error {
	if err := writeAtomic(filepath.Join(w.dir, manifestName), data); err != nil {
		return fmt.Errorf("write %s: %w", manifestName, err)
	}
	return nil
}

// Failed gives the first write error, once.
func (w *Writer) Failed() <-chan error { return w.failed }

// Err returns the first write error, or nil.
func (w *Writer) Err() error {
	if err := w.err.Load(); err != nil {
		return *err
	}
	return nil
}

// fail notes the first write error, which makes the intakes refuse what a full disk must not be asked to hold, and gives up the reserve.
func (w *Writer) fail(err error) {
	w.once.Do(func() {
		err := fmt.Errorf("write run %s: %w", w.dir, err)
		w.err.Store(&err)
		_ = os.Remove(filepath.Join(w.dir, reserveName))
		w.failed <- err
	})
}

// stop ends the intakes that were started and waits until what they took is written.
func (w *Writer) stop() error {
	var errs []error
	if w.samples != nil {
		w.samples.close()
	}
	if w.requests != nil {
		errs = append(errs, w.requests.close())
	}
	if w.spans != nil {
		errs = append(errs, w.spans.close())
	}
	if w.events != nil {
		errs = append(errs, w.events.close())
	}
	return errors.Join(errs...)
}

// Seal ends the run: it writes what is left and the manifest with the ending, to
// which it adds what could not be recorded, and then turns logs into Parquet and
// the metrics into blocks. When that fails, or a write had failed before, the logs stay as
// they are and the run is read as one that was killed; the ending stands in either case.
func (w *Writer) Seal(end assay.Ending) error {
	if w.ended.Swap(true) {
		return ErrClosed
	}
	if n := w.cuts.Load(); n > 0 {
		_ = w.Emit(&assay.Event{Time: end.At, Kind: assay.EventWarning, Source: "store",
			Text: fmt.Sprintf("%d texts, attributes and lists were over the limits and were cut", n)})
	}
	errs := []error{w.stop()}
	end.Unrecorded = addCounts(end.Unrecorded, w.Stats().Unrecorded)
	errs = append(errs, w.SetManifest(func(m *assay.Manifest) { m.End = end }))
	if err := w.Err(); err != nil {
		errs = append(errs, w.db.close(), err)
	} else {
		errs = append(errs, w.sealData())
	}
	if err := os.Remove(filepath.Join(w.dir, reserveName)); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sealData seals requests, spans and metrics. They are independent of one another: what fails stays a log.
func (w *Writer) sealData() error {
	var g errgroup.Group
	g.Go(w.db.seal)
	g.Go(func() error { return sealDir(filepath.Join(w.dir, requestsDir), sealRequests) })
	g.Go(func() error { return sealDir(filepath.Join(w.dir, spansDir), sealSpans) })
	return g.Wait()
}

// sealDir replaces the log in dir by parts.
func sealDir(dir string, seal func(ctx context.Context, path, dir string, budget int) (*index, error)) error {
	log := filepath.Join(dir, logName)
	x, err := seal(context.Background(), log, dir, sortBudget)
	if err != nil {
		return err
	}
	if x.Torn != "" {
		// It was written and closed by us: reading it back short means that the disk lies. Keep both.
		return fmt.Errorf("seal %s: %s", dir, x.Torn)
	}
	if err := os.Remove(log); err != nil {
		return err
	}
	return syncDir(dir)
}

// Close stops recording without sealing, as a crash would, but with nothing lost. After Seal it does nothing.
func (w *Writer) Close() error {
	if w.ended.Swap(true) {
		return nil
	}
	return errors.Join(w.stop(), w.db.close())
}

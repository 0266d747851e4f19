package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/assay-dev/assay"
)

const (
	maxFuture     = time.Hour
	commitSamples = 50_000
	maxLoneSeries = 100_000 // remembered references of series that came without a scrape
	forever       = 100 * 365 * 24 * time.Hour
)

// tsdbOptions are those of a TSDB that one goroutine drives: it compacts nothing by itself, keeps everything and
// takes samples however late.
//
// Its own goroutine must not touch the disk: when a head chunk cannot be written the TSDB panics,
// which only a goroutine of ours can turn into an error.
func tsdbOptions() *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = 0 // none
	o.NoLockfile = true
	o.OutOfOrderTimeWindow = forever.Milliseconds()
	o.WALCompression = compression.Snappy
	o.StripeSize = 1 << 10
	o.HeadChunksWriteQueueSize = 0
	o.BlockReloadInterval = forever
	return o
}

// A tsdbWriter appends samples to the TSDB in dir. One goroutine uses it, except for its counters.
type tsdbWriter struct {
	dir      string
	epoch    int64
	db       *tsdb.DB
	panicked bool // its locks may be held for ever
	targets  map[string]*target
	lone     map[string]*series
	build    labels.ScratchBuilder
	key      []byte
	pending  bool // appended since the last sync

	future   atomic.Int64 // stamped more than maxFuture from now
	timeless atomic.Int64 // without a time
	rejected atomic.Int64 // refused by the TSDB: second value for one instant, invalid labels
}

// A target is what is remembered of one scrape target from look to look.
type target struct {
	series            map[string]*series
	look              int64
	up, took, scraped series
}

// A series is what is remembered of one series of a target.
type series struct {
	ref   storage.SeriesRef
	lset  labels.Labels
	last  int64   // ms of the newest sample
	value float64 // of that sample
	look  int64   // in which it was seen last
}

func openTSDB(dir string, epoch int64) (*tsdbWriter, error) {
	db, err := tsdb.Open(dir, nil, nil, tsdbOptions(), nil)
	if err != nil {
		return nil, fmt.Errorf("open metrics: %w", err)
	}
	db.DisableCompactions()
	return &tsdbWriter{
		dir: dir, epoch: epoch, db: db, build: labels.NewScratchBuilder(16),
		targets: map[string]*target{}, lone: map[string]*series{},
	}, nil
}

// guard runs fn and makes an error of a panic of the TSDB.
func (w *tsdbWriter) guard(what string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked = true
			if e, ok := p.(error); ok {
				err = fmt.Errorf("%s: %w", what, e)
			} else {
				err = fmt.Errorf("%s: %v", what, p)
			}
		}
	}()
	if err := fn(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// append adds all of b.
func (w *tsdbWriter) append(b *sampleBatch) error {
	return w.guard("write samples", func() error {
		w.pending = true
		limit := time.Now().Add(maxFuture).UnixMilli()
		app, n := w.db.Appender(context.Background()), 0
		samples := b.samples
		for _, l := range b.looks {
			w.look(app, &l, samples[:l.n], limit)
			samples = samples[l.n:]
			if n += l.n + 1; n >= commitSamples {
				if err := app.Commit(); err != nil {
					return err
				}
				app, n = w.db.Appender(context.Background()), 0
			}
		}
		return app.Commit()
	})
}

// look adds one scrape and the markers that end the series it no longer has.
func (w *tsdbWriter) look(app storage.Appender, l *look, samples []assay.Sample, limit int64) {
	if l.alone {
		if len(w.lone) > maxLoneSeries {
			clear(w.lone) // references only: the next samples find their series again
		}
		for i := range samples {
			w.sample(app, w.lone, &samples[i], samples[i].Time, 0, limit)
		}
		return
	}
	now := millis(l.time, w.epoch)
	if l.time == 0 || now > limit {
		n := int64(len(samples))
		if l.time == 0 {
			w.timeless.Add(n)
		} else {
			w.future.Add(n)
		}
		return
	}
	t := w.targets[l.target]
	if t == nil {
		t = &target{series: map[string]*series{}}
		for name, s := range map[string]*series{"up": &t.up, "scrape_duration_seconds": &t.took, "scrape_samples_scraped": &t.scraped} {
			s.lset = labels.FromStrings("__name__", name, "target", l.target)
		}
		w.targets[l.target] = t
	}
	t.look++
	for i := range samples {
		at := samples[i].Time
		if at == 0 {
			at = l.time
		}
		w.sample(app, t.series, &samples[i], at, t.look, limit)
	}
	for key, s := range t.series {
		if s.look != t.look || l.gone {
			w.end(app, s, now)
			delete(t.series, key)
		}
	}
	if l.gone {
		for _, s := range []*series{&t.up, &t.took, &t.scraped} {
			if s.ref != 0 {
				w.end(app, s, now)
			}
		}
		delete(w.targets, l.target)
		return
	}
	up := 1.0
	if l.failed {
		up = 0
	}
	w.put(app, &t.up, now, up)
	w.put(app, &t.took, now, time.Duration(l.took).Seconds())
	w.put(app, &t.scraped, now, float64(len(samples)))
}

// sample adds one sample to the series it belongs to.
func (w *tsdbWriter) sample(app storage.Appender, of map[string]*series, s *assay.Sample, at, look, limit int64) {
	if at == 0 {
		w.timeless.Add(1)
		return
	}
	ms := millis(at, w.epoch)
	if ms > limit {
		w.future.Add(1)
		return
	}
	w.key = append(append(w.key[:0], s.Name...), 0xff)
	for i := range s.Labels {
		w.key = append(append(w.key, s.Labels[i].Name...), 0xff)
		w.key = append(append(w.key, s.Labels[i].Value...), 0xff)
	}
	e := of[string(w.key)]
	if e == nil {
		w.build.Reset()
		w.build.Add("__name__", s.Name)
		for i := range s.Labels {
			if s.Labels[i].Value != "" { // an empty label is an absent one
				w.build.Add(s.Labels[i].Name, s.Labels[i].Value)
			}
		}
		w.build.Sort()
		e = &series{lset: w.build.Labels()}
		of[string(w.key)] = e
	}
	e.look = look
	w.put(app, e, ms, s.Value)
}

// end marks s as stale from ms on.
func (w *tsdbWriter) end(app storage.Appender, s *series, ms int64) {
	w.put(app, s, max(ms, s.last+1), math.Float64frombits(value.StaleNaN))
}

func (w *tsdbWriter) put(app storage.Appender, s *series, ms int64, v float64) {
	if s.ref != 0 && ms == s.last {
		// Within one commit the TSDB drops a second value without a word.
		if math.Float64bits(v) != math.Float64bits(s.value) {
			w.rejected.Add(1)
		}
		return
	}
	ref, err := app.Append(s.ref, s.lset, ms, v)
	if err != nil {
		w.rejected.Add(1)
		return
	}
	s.ref = ref
	if ms > s.last {
		s.last, s.value = ms, v
	}
}

// millis is the Unix time in milliseconds of run time t.
func millis(t, epoch int64) int64 { return floorDiv(t+epoch, int64(time.Millisecond)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// sync brings what was committed from the kernel to the disk. The TSDB itself does so only when a segment is full.
func (w *tsdbWriter) sync() error {
	if !w.pending {
		return nil
	}
	w.pending = false
	for _, log := range []string{"wal", "wbl"} {
		entries, err := os.ReadDir(filepath.Join(w.dir, log))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("sync metrics: %w", err)
		}
		newest := ""
		for _, e := range entries {
			if e.Type().IsRegular() && len(e.Name()) == 8 { // segments are eight digits
				newest = e.Name() // sorted by name
			}
		}
		if newest == "" {
			continue
		}
		f, err := os.OpenFile(filepath.Join(w.dir, log, newest), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("sync metrics: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("sync metrics: %w", err)
		}
	}
	return nil
}

// maintain keeps the memory of a long run bounded.
func (w *tsdbWriter) maintain() error {
	return w.guard("compact metrics", func() error {
		w.db.ForceHeadMMap()
		return w.db.Compact(context.Background()) // does nothing before the head spans three hours
	})
}

// seal turns all samples into blocks and closes the TSDB. After it the directory holds blocks only.
func (w *tsdbWriter) seal() error {
	err := w.guard("seal metrics", func() error {
		head := w.db.Head()
		width := tsdb.DefaultBlockDuration
		for t, last := head.MinTime(), head.MaxTime(); t <= last; {
			end := min((floorDiv(t, width)+1)*width-1, last)
			if err := w.db.CompactHead(tsdb.NewRangeHeadWithIsolationDisabled(head, t, end)); err != nil {
				return err
			}
			t = end + 1
		}
		return w.db.CompactOOOHead(context.Background())
	})
	if err = errors.Join(err, w.close()); err != nil {
		return err
	}
	for _, d := range headDirs {
		if err := os.RemoveAll(filepath.Join(w.dir, d)); err != nil {
			return fmt.Errorf("seal metrics: %w", err)
		}
	}
	return syncDir(w.dir)
}

// headDirs are what a TSDB keeps outside its blocks.
var headDirs = []string{"wal", "wbl", "chunks_head"}

// close closes the TSDB as it is. One that has panicked is left alone, since closing would wait for locks that nobody
// gives back; its files are as a kill would leave them.
func (w *tsdbWriter) close() error {
	if w.panicked {
		return nil
	}
	return w.guard("close metrics", w.db.Close)
}

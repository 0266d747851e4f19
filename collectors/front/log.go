package front

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/tail"
)

// A Log follows an access log that a proxy on this machine writes. It emits the counters of the log and the spans of lines that name a trace; the requests are
// those of the run's own load, so none of its.
type Log struct {
	Kind     string // nginx or envoy
	Path     string
	Format   string         // as option format of an input; "": found
	Zone     *time.Location // of stamps that name none; nil: this machine's
	Interval time.Duration  // between two looks; 0: 250 ms
	Clock    collectors.Clock

	rejected map[string]int64
	kept     int64
	notes    map[string]int64
}

var _ assay.Source = (*Log)(nil)

// Run follows the log until ctx is done.
func (l *Log) Run(ctx context.Context, emit func(assay.Record) error) error {
	emit = tail.Through(emit)
	l.rejected, l.notes = map[string]int64{}, map[string]int64{}
	d, err := l.decoder(emit)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Kind, err)
	}
	f := tail.File{Path: l.Path, Interval: l.Interval, MaxLine: input.MaxRow, Line: d.line,
		Wrong: func(err error) error { return l.warn(emit, err.Error()) },
		Look: func() error { // a second in which nothing more is written is told all the same
			if time.Now().Unix() > d.counts.second {
				return d.counts.tell(d)
			}
			return nil
		}}
	if err := f.Run(ctx); err != nil {
		return err
	}
	if err := d.finish(); err != nil {
		return err
	}
	for _, n := range slices.Sorted(maps.Keys(l.notes)) {
		text := n
		if strings.Contains(n, "%d") {
			text = fmt.Sprintf(n, l.notes[n])
		}
		if err := l.warn(emit, text); err != nil {
			return err
		}
	}
	for _, why := range slices.Sorted(maps.Keys(l.rejected)) {
		if why == probing {
			continue // as it should be
		}
		if err := l.warn(emit, fmt.Sprintf("%d of %d lines were not recorded: %s", l.rejected[why], l.lines(), why)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) lines() int64 {
	n := l.kept
	for _, r := range l.rejected {
		n += r
	}
	return n
}

func (l *Log) warn(emit func(assay.Record) error, text string) error {
	return emit(&assay.Event{Time: cmp.Or(l.Clock.Now(), 1), Kind: assay.EventWarning, Source: l.Kind, Text: filepath.Base(l.Path) + ": " + text})
}

func (l *Log) decoder(emit func(assay.Record) error) (*decoder, error) {
	d := &decoder{kind: l.Kind, log: filepath.Base(l.Path), zone: cmp.Or(l.Zone, time.Local), emit: emit, now: func() int64 { return time.Now().UnixNano() },
		keep: func(n int64) { l.kept += n }, reject: func(why string, n int64) { l.rejected[why] += n }, note: func(text string, n int64) { l.notes[text] += n }}
	if l.Clock != nil {
		d.run = l.Clock.FromUnix
	} else {
		d.run = unmoved
	}
	return d, d.options(func(name string) string {
		if name == "format" {
			return l.Format
		}
		return ""
	})
}

// Check tests the settings before anything is followed.
func (l *Log) Check() error {
	if l.Format == "" {
		return nil
	}
	_, err := parseFormat(l.Kind, l.Format)
	return err
}

// Seen is what the last lines of a log tell.
type Seen struct {
	Lines, Known        int64 // lines, and those that can be read; at most those of the last 256 KiB
	Took, Upstream, Hop bool  // some tell the time of the request, of the upstream, of the hop itself
	Trace               bool  // some name a trace
	Fine                bool  // their stamps are finer than a second
	Retries             bool  // some tell how often the upstream was asked
}

// Look reads the last lines of a log as Run would read them.
func (l *Log) Look() (Seen, error) {
	l.rejected, l.notes, l.kept = map[string]int64{}, map[string]int64{}, 0
	var s Seen
	d, err := l.decoder(func(assay.Record) error { return nil })
	if err != nil {
		return s, err
	}
	f, err := os.Open(l.Path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return s, err
	}
	const end = 256 << 10
	b, err := io.ReadAll(io.NewSectionReader(f, max(0, st.Size()-end), end))
	if err != nil {
		return s, fmt.Errorf("read %s: %w", l.Path, err)
	}
	text := string(b)
	if st.Size() > end {
		_, text, _ = strings.Cut(text, "\n") // the first may be half a line
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		kept := l.kept
		if err := d.line([]byte(line)); err != nil {
			return s, err
		}
		if e := &d.entry; l.kept > kept {
			s.Took = s.Took || e.took >= 0
			s.Upstream = s.Upstream || e.upstream >= 0 || e.first >= 0
			s.Hop = s.Hop || e.hop >= 0
			s.Trace = s.Trace || !e.trace.IsZero()
			s.Fine = s.Fine || e.resolution < int64(time.Second)
			s.Retries = s.Retries || e.retries >= 0
		}
	}
	s.Lines, s.Known = l.lines(), l.kept+l.rejected[probing]
	return s, nil
}

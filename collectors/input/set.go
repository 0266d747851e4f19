package input

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/ask"
)

const (
	lead     = int64(time.Millisecond) // from the epoch to the first record, so that no instant is zero
	longest  = 370 * 24 * int64(time.Hour)
	year2000 = 946684800 * int64(time.Second)
	maxFiles = 10_000
)

// Settings are those of a set.
type Settings struct {
	From, To int64  // Unix ns: records outside are rejected; 0: no bound
	Latest   int64  // Unix ns: of the latest stamp that can be true; 0: none
	Token    string // shown to stores that are fetched from
	Temp     string // directory for what is fetched; removed by Close
}

// A Summary says what became of one input.
type Summary struct {
	Kind       string           `json:"kind"`
	Path       string           `json:"path"`
	Things     string           `json:"things"` // what Read, Kept and Rejected count
	Read       int64            `json:"read"`
	Kept       int64            `json:"kept"`
	Rejected   map[string]int64 `json:"rejected,omitempty"` // by reason
	Notes      []string         `json:"notes,omitempty"`
	PassedOver bool             `json:"passed_over,omitempty"` // it was found in a directory and holds nothing of the kind
	Joined     bool             `json:"joined,omitempty"`      // its records are counted with those of the last input of its kind

	Requests int64 `json:"requests,omitempty"` // records that it gave
	Spans    int64 `json:"spans,omitempty"`
	Samples  int64 `json:"samples,omitempty"`
	Events   int64 `json:"events,omitempty"`

	Begin int64 `json:"begin_unix_ns,omitempty"` // of its records
	End   int64 `json:"end_unix_ns,omitempty"`
}

// A Set is the inputs of one run, read once.
type Set struct {
	Epoch      int64 // Unix ns of run time 0
	End        int64 // run time: of the last record
	Resolution int64 // ns: of the coarsest stamps of requests; 0 where there are none
	Summaries  []Summary
	Requests   int64    // of all inputs, or made out of their traces
	Notes      []string // on requests that were made out of traces, and on inputs of different times
	Untimed    bool     // an input that tells of requests tells no time of some
	Model      string   // that the traces name, where they name one

	settings Settings
	inputs   []*one
	phases   map[string]*phase
	joined   map[string]*joined // by kind: those whose inputs are read as one
	temp     []string           // files that were fetched
	passed   map[string]error   // by directory: why the first file that was passed over was
	roots    *roots             // of traces; nil where an input tells of requests
	stamps   int64              // ns: resolution of the coarsest stamps of spans
	told     map[string]*told   // in this reading, by kind; those of spans, of all kinds, by ""
}

// one is an input of a set.
type one struct {
	spec    Spec
	path    string // the file to read
	shown   string // its name to people, if that is another
	zone    *time.Location
	shift   int64
	state   any
	summary Summary

	resolution int64 // ns: of the stamps of its requests
	held       []assay.Event
	mute       bool   // its requests are left out
	untimed    bool   // some of its requests have no time
	twin       *one   // an earlier input that holds the same
	left       bool   // it is left out, since that one is read
	dir        string // that it was found in; "": it was named
	over       bool   // it holds nothing of its kind
	late       bool   // it was read, and is to be finished alone
}

// joined is what the inputs of a kind that has a Finish share.
type joined struct {
	state any
	last  *one // after which it is finished
}

// A phase is a stretch of load as the inputs tell it, joined over all that do.
type phase struct {
	name       string
	attrs      map[string]string
	begin, end int64 // Unix ns
}

// Open reads all inputs once. A directory stands for the files in it.
func Open(ctx context.Context, specs []Spec, settings Settings) (_ *Set, err error) {
	s := &Set{settings: settings, phases: map[string]*phase{}, joined: map[string]*joined{}, roots: newRoots()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, spec := range specs {
		if err := s.add(ctx, spec); err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
	}
	for _, o := range s.inputs {
		if k := o.spec.Kind; k.Finish != nil {
			s.joined[k.Name] = &joined{last: o}
		}
	}
	if err := s.twins(); err != nil {
		return nil, err
	}
	s.told = map[string]*told{}
	begin, end := int64(math.MaxInt64), int64(math.MinInt64)
	var first, last string
	for i, o := range s.inputs {
		err := s.measure(ctx, o)
		if err != nil && s.passOver(ctx, o, err) {
			err = s.finishBefore(ctx, i)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, o := range s.inputs {
		s.alike(o, &o.summary)
		s.Summaries = append(s.Summaries, o.summary)
		if o.summary.Begin == 0 {
			continue
		}
		if o.summary.Begin < begin {
			begin, first = o.summary.Begin, o.summary.Path
		}
		if o.summary.End > end {
			end, last = o.summary.End, o.summary.Path
		}
	}
	if err := s.onlyPassed(); err != nil {
		return nil, err
	}
	if end < begin {
		var notes []string
		for i := range s.Summaries {
			notes = append(notes, s.Summaries[i].Notes...)
		}
		return nil, errors.New("import: nothing with a time in any input" + also(notes))
	}
	if end-begin > longest {
		return nil, fmt.Errorf("import: the records span %d days, from %s in %s to %s in %s: want at most %d; --from and --to leave out what is not wanted",
			(end-begin)/int64(24*time.Hour), day(begin), first, day(end), last, longest/int64(24*time.Hour))
	}
	s.Epoch = begin - lead
	s.End = end - s.Epoch
	s.settle()
	if err := s.derive(); err != nil {
		return nil, err
	}
	s.Notes = append(s.Notes, apart(s.Summaries)...)
	return s, nil
}

func day(ns int64) string { return time.Unix(0, ns).UTC().Format(time.DateOnly) }

// add takes up an input, and fetches it where it is a store's.
func (s *Set) add(ctx context.Context, spec Spec) error {
	o := &one{spec: spec, path: spec.Path, zone: time.UTC}
	if name := spec.Options["zone"]; name != "" {
		z, err := time.LoadLocation(name)
		if err != nil {
			return fmt.Errorf("%s: zone %q is unknown: want a name such as Europe/Berlin, or UTC", ask.Shown(spec.Path), name)
		}
		o.zone = z
	}
	if text := spec.Options["shift"]; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s: shift %q: want a duration such as -1h or 250ms", ask.Shown(spec.Path), text)
		}
		o.shift = int64(d)
	}
	if spec.remote() {
		if err := s.fetch(ctx, o); err != nil {
			return err
		}
	} else if shown := ask.Shown(spec.Path); shown != spec.Path || strings.Contains(shown, "://") {
		return fmt.Errorf("%s: the kind %s reads %s", shown, spec.Kind.Name, spec.Kind.reads())
	} else if st, err := os.Stat(spec.Path); err != nil {
		return err
	} else if st.IsDir() {
		return s.addDir(o)
	} else if isArchive(spec.Path) {
		return s.addArchive(o)
	}
	s.inputs = append(s.inputs, o)
	return nil
}

// fetch gets an input from its store into a file.
func (s *Set) fetch(ctx context.Context, o *one) error {
	if s.settings.From == 0 || s.settings.To == 0 {
		return fmt.Errorf("%s: want --from and --to, the window to fetch", ask.Shown(o.spec.Path))
	}
	if _, err := ask.Parse(o.spec.Path); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.settings.Temp, "input-*")
	if err != nil {
		return err
	}
	s.temp = append(s.temp, f.Name())
	err = o.spec.Kind.Fetch(ctx, &Fetching{URL: o.spec.Path, From: s.settings.From, To: s.settings.To, Token: s.settings.Token, Options: o.spec.Options}, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("fetch from %s: %w", ask.Shown(o.spec.Path), err)
	}
	o.path, o.shown = f.Name(), ask.Shown(o.spec.Path)
	return nil
}

// Close removes what was fetched.
func (s *Set) Close() {
	for _, path := range s.temp {
		os.Remove(path)
	}
	s.temp = nil
}

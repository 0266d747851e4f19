package input

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
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
	Kind     string           `json:"kind"`
	Path     string           `json:"path"`
	Things   string           `json:"things"` // what Read, Kept and Rejected count
	Read     int64            `json:"read"`
	Kept     int64            `json:"kept"`
	Rejected map[string]int64 `json:"rejected,omitempty"` // by reason
	Notes    []string         `json:"notes,omitempty"`
	Joined   bool             `json:"joined,omitempty"` // its records are counted with those of the last input of its kind

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

// derive has requests made out of traces where no input tells of any.
func (s *Set) derive() error {
	var spans int64
	for i := range s.Summaries {
		s.Requests += s.Summaries[i].Requests
		spans += s.Summaries[i].Spans
	}
	if s.Requests > 0 || spans == 0 {
		s.roots = nil
		return nil
	}
	if err := s.roots.finish(); err != nil {
		return err
	}
	r := s.roots
	s.Requests, s.Resolution, s.Notes, s.Model = r.requests, s.stamps, r.notes(), r.model()
	if r.requests > 0 {
		p := &phase{name: tracePhase, attrs: map[string]string{"role": string(assay.RoleSteady)}, begin: r.begin, end: r.end}
		if was := s.phases[p.name]; was != nil {
			p.begin, p.end = min(p.begin, was.begin), max(p.end, was.end)
		}
		s.phases[p.name] = p
	}
	return nil
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

// measure reads an input for the first time.
func (s *Set) measure(ctx context.Context, o *one) error {
	sum := &o.summary
	sum.Begin, sum.End = math.MaxInt64, math.MinInt64
	t, err := s.read(ctx, o, s.count(o))
	if err != nil && !strings.HasPrefix(err.Error(), "import: ") { // the reader of requests says so itself
		err = fmt.Errorf("import: %w", err)
	}
	if err != nil {
		return err
	}
	if sum.End < sum.Begin {
		sum.Begin, sum.End = 0, 0
	}
	sum.Kind, sum.Path, sum.Things = o.spec.Kind.Name, cmp.Or(o.shown, o.path), o.spec.Kind.Things
	o.resolution, o.untimed = t.Resolution, t.Untimed
	if sum.Spans > 0 {
		s.stamps = max(s.stamps, t.Resolution)
	}
	sum.Read, sum.Kept, sum.Rejected, sum.Notes = t.Read(), t.Kept, t.Rejected, t.Notes()
	if j := s.joined[o.spec.Kind.Name]; j != nil && j.last != o {
		sum.Joined = true
	}
	if sum.Kept == 0 && sum.Rejected[Duplicate] == 0 && t.out == 0 {
		return fmt.Errorf("import: %s: nothing to keep of %d %s%s: is it of the kind %s?%s", sum.Path, sum.Read, sum.Things, reasons(sum.Rejected), sum.Kind, also(sum.Notes))
	}
	return nil
}

// count takes the records of an input into its summary.
func (s *Set) count(o *one) func(assay.Record) error {
	sum := &o.summary
	return func(r assay.Record) error {
		switch r.(type) {
		case *assay.Request:
			sum.Requests++
		case *assay.Span:
			sum.Spans++
			s.roots.see(r.(*assay.Span))
		case *assay.Sample:
			sum.Samples++
		case *assay.Scrape:
			sum.Samples += int64(len(r.(*assay.Scrape).Samples))
		case *assay.Event:
			sum.Events++
			s.hold(o, r.(*assay.Event))
		}
		b, e := extent(r)
		sum.Begin, sum.End = min(sum.Begin, b), max(sum.End, e)
		return nil
	}
}

// also adds what was noted, which may be why, to an error.
func also(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes[:min(len(notes), 3)], "; ") + ")"
}

// phase takes up the beginning or the end of a stretch of load.
func (s *Set) phase(e *assay.Event) {
	if e.Kind != assay.EventPhaseBegin && e.Kind != assay.EventPhaseEnd {
		return
	}
	p := s.phases[e.Phase]
	if p == nil {
		p = &phase{name: e.Phase, begin: e.Time, end: e.Time}
		s.phases[e.Phase] = p
	}
	if e.Kind == assay.EventPhaseBegin {
		p.attrs = e.Attrs
	}
	p.begin, p.end = min(p.begin, e.Time), max(p.end, e.Time)
}

// reasons lists why things were rejected, the most frequent first.
func reasons(of map[string]int64) string {
	if len(of) == 0 {
		return ""
	}
	keys := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%d %s", of[k], k))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// read reads an input and hands on the records whose stamps can be.
func (s *Set) read(ctx context.Context, o *one, emit func(assay.Record) error) (*Tally, error) {
	f, err := OpenFile(o.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	f.Until(ctx)
	t, m := &Tally{}, &mover{}
	f.Zone = o.zone
	if o.shown != "" {
		f.Path = o.shown
	}
	state, finish := &o.state, false
	if j := s.joined[o.spec.Kind.Name]; j != nil {
		state, finish = &j.state, j.last == o
	}
	in := &Input{File: f, Tally: t, From: s.settings.From, State: *state, options: o.spec.Options, told: s.toldOf(o.spec.Kind.Name)}
	spans := s.toldOf("")
	single := strings.HasPrefix(o.spec.Kind.Things, "spans") // each thing is one span
	n := 0
	var out leftOut
	var refused error // by emit: no fault of the input
	pass := func(r assay.Record) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if o.shift != 0 {
			r = m.move(r, o.shift)
			stamps(r, o.shift)
		}
		if why := s.unfit(r); why != "" {
			out.add(why, r)
			return nil
		}
		if sp, ok := r.(*assay.Span); ok && single && spans.span(sp) {
			t.Kept--
			t.Reject(Duplicate, 1)
			return nil
		}
		out.things += thingsIn(r)
		refused = emit(r)
		return refused
	}
	if !o.late {
		err = o.spec.Kind.Read(ctx, in, pass)
		if err != nil && o.dir != "" && t.Kept > 0 && refused == nil && ctx.Err() == nil {
			t.Reject(afterError, 1)
			t.Note(strings.ReplaceAll(err.Error(), "%d", "%"), 1)
			err = nil
		}
	}
	if err == nil && finish && (o.dir == "" || t.Kept > 0 || o.late) { // else it is passed over: see finishBefore
		err = o.spec.Kind.Finish(ctx, in, pass)
	}
	*state = in.State
	out.tell(t)
	if note := f.ZoneNote(); note != "" && o.spec.Options["zone"] == "" {
		t.Note(note+"; zone= names another", 1)
	}
	return t, err
}

func (s *Set) toldOf(what string) *told {
	if s.told[what] == nil {
		s.told[what] = newTold()
	}
	return s.told[what]
}

// unfit says why the instants of a record, in Unix time, cannot be those of this run; "" if they can.
func (s *Set) unfit(r assay.Record) string {
	b, e := extent(r)
	switch {
	case b < year2000:
		return "stamped before the year 2000"
	case s.settings.Latest != 0 && e > s.settings.Latest:
		return "stamped in the future"
	case s.settings.From != 0 && b < s.settings.From, s.settings.To != 0 && b > s.settings.To:
		return "outside of --from and --to"
	}
	return ""
}

// Run implements assay.Source: it reads the inputs again and emits their records in run time.
func (s *Set) Run(ctx context.Context, emit func(assay.Record) error) error {
	var id uint64
	m := &mover{}
	s.told = map[string]*told{}
	for _, o := range s.inputs {
		if o.left {
			continue
		}
		_, err := s.read(ctx, o, func(r assay.Record) error {
			r = m.move(r, -s.Epoch)
			switch r := r.(type) {
			case *assay.Request: // ids of several inputs must not meet
				if o.mute {
					return nil
				}
				id++
				r.ID = id
			case *assay.Event:
				if r.Kind == assay.EventPhaseBegin || r.Kind == assay.EventPhaseEnd || r.Kind == assay.EventLoadEnd {
					return nil // told once, for all inputs
				}
			case *assay.Span:
				if s.roots == nil {
					break
				}
				if q := s.roots.request(r, s.Epoch); q != nil {
					id++
					q.ID = id
					if err := emit(q); err != nil {
						return err
					}
				}
			}
			return emit(r)
		})
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return s.rest(emit)
}

// rest emits the phases of the load, and what a reader of the report has to know of the inputs.
func (s *Set) rest(emit func(assay.Record) error) error {
	phases := slices.SortedFunc(maps.Values(s.phases), func(a, b *phase) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.name, b.name)) })
	var last int64
	for _, p := range phases {
		last = max(last, p.end)
		err := errors.Join(
			emit(&assay.Event{Time: p.begin - s.Epoch, Kind: assay.EventPhaseBegin, Source: "import", Phase: p.name, Attrs: p.attrs}),
			emit(&assay.Event{Time: p.end - s.Epoch, Kind: assay.EventPhaseEnd, Source: "import", Phase: p.name}))
		if err != nil {
			return err
		}
	}
	if last != 0 {
		if err := emit(&assay.Event{Time: last - s.Epoch, Kind: assay.EventLoadEnd, Source: "import"}); err != nil {
			return err
		}
	}
	return s.notes(emit)
}

// notes emits what a reader of the report has to know of the inputs.
func (s *Set) notes(emit func(assay.Record) error) error {
	for _, n := range s.Notes {
		if err := emit(&assay.Event{Time: s.End, Kind: assay.EventWarning, Source: "import", Text: n}); err != nil {
			return err
		}
	}
	for i := range s.Summaries {
		sum := &s.Summaries[i]
		notes := sum.Notes
		if len(sum.Rejected) > 0 {
			notes = append(slices.Clip(notes), fmt.Sprintf("%d of %d %s were not recorded%s", sum.Read-sum.Kept, sum.Read, sum.Things, reasons(sum.Rejected)))
		}
		for _, n := range notes {
			if err := emit(&assay.Event{Time: s.End, Kind: assay.EventWarning, Source: "import", Text: filepath.Base(sum.Path) + ": " + n}); err != nil {
				return err
			}
		}
	}
	return nil
}

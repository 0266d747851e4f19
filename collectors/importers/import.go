package importers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// Settings say what to read.
type Settings struct {
	Kind    string         // a name of Kinds; "": found by how the first file begins
	Paths   []string       // files of one run, for example of several machines that loaded at once
	Shown   string         // what messages call a single file, if not by its path
	Columns Columns        // for csv and jsonl
	EndOnly bool           // JMeter stamped the end of its samples (sampleresult.timestamp.start=false)
	Latest  int64          // Unix ns of the latest stamp that can be true; 0: none
	Zone    *time.Location // of dates that name none; nil: UTC
}

// An Import is results that were read once and can be emitted.
type Import struct {
	Kind       string
	Resolution int64 // ns: of its times
	Epoch      int64 // Unix ns of run time 0
	End        int64 // run time: of the last answer
	Requests   int
	Planned    bool             // the source tells when each request was due
	Dated      bool             // the epoch is the source's, not a guess
	Warnings   []string         // about the source, in words
	Rejected   map[string]int64 // rows of a table that are no requests, by reason
	Duplicates int              // rows that were left out, since they were told before

	again    func(r *row) bool // whether another input told of it; nil: there is none
	settings Settings
	zoneless int64 // stamps without a zone
	zero     int64 // stamp of the source at run time 0
	first    int64 // stamp of the first request
	phases   []phase
	levels   map[level]map[int64]float64
}

type phase struct {
	name       string
	begin, end int64
}

const (
	lead      = int64(time.Millisecond) // from the epoch to the first request, so that no instant is zero
	spread    = 31 * 24 * int64(time.Hour)
	year2000  = 946684800 * int64(time.Second)
	maxPhases = 1000
)

// Open reads the files and says what is wrong with them.
func Open(ctx context.Context, s Settings) (*Import, error) {
	if len(s.Paths) == 0 {
		return nil, errors.New("import: no file: want at least one path")
	}
	im := &Import{settings: s}
	var t tally
	phases := map[string]*phase{}
	begin, end := int64(math.MaxInt64), int64(math.MinInt64)
	err := im.each(ctx, &t, func(r *row) error {
		if im.Requests == 0 {
			im.first, im.Dated = r.due, r.due >= year2000
			im.Planned = !r.NoSchedule
		}
		if err := im.fits(r); err != nil {
			return err
		}
		last := r.due + max(0, r.end)
		begin, end = min(begin, r.due), max(end, last)
		p := phases[r.Phase]
		if p == nil {
			if len(phases) >= maxPhases {
				return r.bad("phase %q is one of more than %d: want a column that names stretches of the run", r.Phase, maxPhases)
			}
			p = &phase{r.Phase, r.due, last}
			phases[r.Phase] = p
		}
		p.begin, p.end = min(p.begin, r.due), max(p.end, last)
		im.Requests += max(1, r.times)
		return nil
	})
	if err == nil {
		err = t.unread.Err(int64(im.Requests))
	}
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	if im.Requests == 0 {
		return nil, fmt.Errorf("import: no request in %s", s.Paths[0])
	}
	im.zero = begin - lead
	im.Epoch, im.End = im.zero, end-im.zero
	if !im.Dated {
		st, err := os.Stat(s.Paths[0])
		if err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
		im.Epoch = st.ModTime().UnixNano() - im.End
		t.note("the source tells no date: that of its file was taken", 1)
	}
	for _, p := range phases {
		im.phases = append(im.phases, *p)
	}
	slices.SortFunc(im.phases, func(a, b phase) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.name, b.name)) })
	im.levels, im.Warnings, im.Duplicates, im.zoneless = t.levels, t.warnings(), t.twice, t.zoneless
	if n := t.unread.N(); n > 0 {
		im.Rejected = t.unread.Reasons()
		im.Warnings = append(im.Warnings, fmt.Sprintf("%d of %d rows are no requests: %s", n, n+int64(im.Requests), strings.Join(t.unread.Words(), ", ")))
	}
	return im, nil
}

// fits says what is wrong with the instants of a row beside those of the first.
func (im *Import) fits(r *row) error {
	switch {
	case im.Dated && r.due < year2000:
		return r.unfit("one after the year 2000", "its stamp is %s", time.Unix(0, r.due).UTC().Format(time.DateOnly))
	case im.Dated && im.settings.Latest != 0 && r.due > im.settings.Latest:
		return r.unfit("none of the future", "its stamp is %s", time.Unix(0, r.due).UTC().Format(time.RFC3339))
	case r.due-im.first >= spread || im.first-r.due >= spread:
		return r.unfit("less than 31 days from the first row", "its stamp lies %v from that of the first row", time.Duration(r.due-im.first).Round(time.Hour))
	}
	for _, d := range []int64{r.sent, r.firstByte, r.firstTok, r.end} {
		if d != unseen && (d >= spread || d <= -spread) {
			return r.unfit("its other instants within 31 days", "an instant of it lies %v from its stamp", time.Duration(d).Round(time.Hour))
		}
	}
	return nil
}

// each reads all files. A row that was told before is left out.
func (im *Import) each(ctx context.Context, t *tally, do func(*row) error) error {
	var s seen
	all := do
	do = func(r *row) error {
		if s.twice(r) {
			t.note(twiceText, 1)
			t.twice++
			return nil
		}
		return all(r)
	}
	for _, path := range im.settings.Paths {
		if err := im.file(ctx, path, t, do); err != nil {
			return err
		}
	}
	return nil
}

func (im *Import) file(ctx context.Context, path string, t *tally, do func(*row) error) error {
	in, err := input.OpenFile(path)
	if err != nil {
		return err
	}
	defer in.Close()
	in.Path = cmp.Or(im.settings.Shown, path)
	if im.settings.Zone != nil {
		in.Zone = im.settings.Zone
	}
	k, err := kindOf(cmp.Or(im.settings.Kind, im.Kind), in)
	if err != nil {
		return err
	}
	im.Kind, im.Resolution = k.Name, k.resolution
	rd, err := k.open(in, &im.settings, t)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		var r row
		err := rd.next(&r)
		if err == io.EOF {
			if note := in.ZoneNote(); note != "" && im.settings.Zone == nil {
				t.note(note, 1)
			}
			t.zoneless += in.Zoneless()
			if n := in.Long(); n > 0 {
				err := fmt.Errorf("%s: %d lines are each %w", in.Path, n, input.ErrLong)
				if !Tabular(k.Name) {
					return err
				}
				t.unread.Add(input.ErrLong.Error(), 0, n, err)
			}
			return nil
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = do(&r)
		}
		if err != nil && !(Tabular(k.Name) && t.unread.Take(err, 1)) { // a bad line of results means a broken file, one of a table does not
			return err
		}
	}
}

// Run implements assay.Source: it emits the requests, in the order of the files, and the phases, warnings and levels. An error of
// emit ends it.
func (im *Import) Run(ctx context.Context, emit func(assay.Record) error) error {
	id := uint64(0)
	err := im.each(ctx, &tally{}, func(r *row) error {
		if im.again != nil && im.again(r) {
			return nil
		}
		if err := im.fits(r); err != nil {
			return err
		}
		q := &r.Request
		q.Due = r.due - im.zero
		for _, x := range []struct {
			to *int64
			at int64
		}{{&q.Sent, r.sent}, {&q.FirstByte, r.firstByte}, {&q.FirstToken, r.firstTok}, {&q.End, r.end}} {
			if x.at != unseen {
				*x.to = max(1, q.Due+x.at)
			}
		}
		if q.Due <= 0 || q.Due > im.End {
			return r.bad("its stamp is not what it was when the file was read before")
		}
		for range max(1, r.times) {
			id++
			q.ID = id
			if err := emit(q); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = im.rest(emit)
	}
	if err != nil && ctx.Err() != nil {
		return nil
	}
	return err
}

// rest emits what is not a request.
func (im *Import) rest(emit func(assay.Record) error) error {
	var last int64
	for _, p := range im.phases {
		b, e := p.begin-im.zero, p.end-im.zero
		last = max(last, e)
		err := errors.Join(
			emit(&assay.Event{Time: b, Kind: assay.EventPhaseBegin, Source: "import", Phase: p.name, Attrs: map[string]string{"role": string(assay.RoleSteady)}}),
			emit(&assay.Event{Time: e, Kind: assay.EventPhaseEnd, Source: "import", Phase: p.name}))
		if err != nil {
			return err
		}
	}
	if err := emit(&assay.Event{Time: last, Kind: assay.EventLoadEnd, Source: "import"}); err != nil {
		return err
	}
	for _, w := range im.Warnings {
		if err := emit(&assay.Event{Time: last, Kind: assay.EventWarning, Source: "import", Text: w}); err != nil {
			return err
		}
	}
	for _, l := range slices.SortedFunc(maps.Keys(im.levels), func(a, b level) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.source, b.source)) }) {
		s := assay.Sample{Name: l.name, Labels: []assay.Label{{Name: "source", Value: l.source}}}
		for _, at := range slices.Sorted(maps.Keys(im.levels[l])) {
			s.Time, s.Value = max(1, at-im.zero), im.levels[l][at]
			if err := emit(&s); err != nil {
				return err
			}
		}
	}
	return nil
}

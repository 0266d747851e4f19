package merge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// Options change how runs are merged.
type Options struct {
	ClockError time.Duration // of a wall clock that is not known to be synchronized
	Partial    bool          // allow segments to be missing
}

// A Taken is what became of one part.
type Taken struct {
	Dir        string `json:"dir"`
	Segment    string `json:"segment"`
	Host       string `json:"host"`
	Requests   int64  `json:"requests"`
	Shift      int64  `json:"shift_ns"`       // its time 0 on the merged clock
	ClockError int64  `json:"clock_error_ns"` // of that
}

// monotonicError is how well two readings of one machine's clock are known.
const monotonicError = int64(1e3)

// source is one part while it is merged.
type source struct {
	Taken
	run      *store.Run
	manifest *assay.Manifest
	part     Part
	span     span
	base     uint64 // added to its requests' ids
}

// Runs merges the runs in dirs into a new run directory out, and says what it took, in the order of segments.
func Runs(ctx context.Context, dirs []string, out string, opt Options) (_ []Taken, err error) {
	if len(dirs) < 2 {
		return nil, fmt.Errorf("merge: %d directories: want at least 2", len(dirs))
	}
	var list []*source
	defer func() {
		for _, s := range list {
			err = errors.Join(err, s.run.Close())
		}
	}()
	for _, dir := range dirs {
		s, err := open(dir)
		if s != nil {
			list = append(list, s)
		}
		if err != nil {
			return nil, fmt.Errorf("merge %s: %w", dir, err)
		}
	}
	slices.SortFunc(list, func(a, b *source) int { return a.span.from.Cmp(b.span.from) })
	if err := same(list); err != nil {
		return nil, err
	}
	missing, err := gaps(list)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 && !opt.Partial {
		return nil, fmt.Errorf("merge: no part has segment %s; --partial merges what there is, and the run is invalid", strings.Join(missing, ", "))
	}
	align(list, opt)
	m, err := joined(list, missing)
	if err != nil {
		return nil, err
	}
	w, err := store.Create(out, m)
	if err != nil {
		return nil, err
	}
	if err := take(ctx, w, list, missing); err != nil {
		return nil, errors.Join(fmt.Errorf("merge into %s: %w", out, err), w.Close())
	}
	if err := w.Seal(m.End); err != nil {
		return nil, fmt.Errorf("merge into %s: %w", out, err)
	}
	var taken []Taken
	for _, s := range list {
		taken = append(taken, s.Taken)
	}
	return taken, nil
}

func open(dir string) (*source, error) {
	run, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &source{run: run, manifest: run.Manifest(), Taken: Taken{Dir: dir, Requests: run.Counts().Requests}}
	if s.part, err = partOf(s.manifest); err != nil {
		return s, err
	}
	if s.span, err = spanOf(s.part.Segment); err != nil {
		return s, err
	}
	s.Segment, s.Host = s.span.String(), s.part.Host
	return s, nil
}

// same refuses parts that do not belong together.
func same(list []*source) error {
	first := list[0].manifest
	for _, s := range list[1:] {
		m := s.manifest
		for _, x := range []struct{ what, a, b string }{
			{"run ids; give all processes the same ASSAY_RUN_ID", first.ID, m.ID},
			{"scripts or options", first.PlanHash, m.PlanHash},
			{"schedules", first.Schedule, m.Schedule},
			{"seeds", strconv.FormatUint(first.Seed, 10), strconv.FormatUint(m.Seed, 10)},
			{"targets", first.Target.Name + " " + first.Target.Release, m.Target.Name + " " + m.Target.Release},
		} {
			if x.a != x.b {
				return fmt.Errorf("merge: %s and %s have different %s: %.40q and %.40q", list[0].Dir, s.Dir, x.what, x.a, x.b)
			}
		}
	}
	return nil
}

// gaps refuses segments that overlap and returns those that are missing. The list is in order of where they begin.
func gaps(list []*source) (missing []string, err error) {
	at, last := new(big.Rat), (*source)(nil)
	for _, s := range list {
		switch s.span.from.Cmp(at) {
		case -1:
			return nil, fmt.Errorf("merge: the segments of %s, %s, and %s, %s, overlap", last.Dir, last.Segment, s.Dir, s.Segment)
		case 1:
			missing = append(missing, span{at, s.span.from}.String())
		}
		at, last = s.span.to, s
	}
	if one := big.NewRat(1, 1); at.Cmp(one) < 0 {
		missing = append(missing, span{at, one}.String())
	}
	return missing, nil
}

// align puts the parts on one clock: that of the part whose epoch is the earliest.
func align(list []*source, opt Options) {
	first := slices.MinFunc(list, func(a, b *source) int { return cmp.Compare(a.manifest.Epoch, b.manifest.Epoch) })
	for _, s := range list {
		s.Shift, s.ClockError = s.manifest.Epoch-first.manifest.Epoch, 0
		switch {
		case s == first:
		case s.part.Boot != "" && s.part.Boot == first.part.Boot && s.part.Monotonic != 0 && first.part.Monotonic != 0:
			s.Shift, s.ClockError = s.part.Monotonic-first.part.Monotonic, monotonicError
		default:
			s.ClockError = within(&s.part, opt) + within(&first.part, opt)
		}
	}
	low := int64(0) // a wall clock may have been stepped between two epochs on one machine
	for _, s := range list {
		low = min(low, s.Shift)
	}
	for _, s := range list {
		s.Shift -= low
	}
}

func within(p *Part, opt Options) int64 {
	if p.ClockError > 0 {
		return p.ClockError
	}
	return int64(opt.ClockError)
}

// worst is the order in which endings count.
var worst = []string{assay.EndFailed, assay.EndDiskFull, assay.EndRunning, assay.EndInterrupted, assay.EndAborted, assay.EndBudget, assay.EndComplete}

// joined returns the manifest of the whole.
func joined(list []*source, missing []string) (*assay.Manifest, error) {
	first := list[0].manifest
	m := *first
	m.Attempt, m.Offsets = 0, nil
	m.End = assay.Ending{Status: assay.EndComplete}
	var parts []Part
	for _, s := range list {
		p := s.manifest
		if s.Shift == 0 {
			m.Epoch = p.Epoch
		}
		parts = append(parts, s.part)
		m.MaxWait, m.Resolution = max(m.MaxWait, p.MaxWait), max(m.Resolution, p.Resolution)
		m.Offsets = append(m.Offsets, assay.Offset{Source: s.name(), Offset: -s.Shift, Error: s.ClockError})
		m.End.At = max(m.End.At, p.End.At+s.Shift)
		if d := p.End.ClockDrift; max(d, -d) > max(m.End.ClockDrift, -m.End.ClockDrift) {
			m.End.ClockDrift = d
		}
		if slices.Index(worst, p.End.Status) < slices.Index(worst, m.End.Status) {
			m.End.Status, m.End.Reason = p.End.Status, s.name()+": "+cmp.Or(p.End.Reason, "it gave no reason")
		}
		m.End.Usage = busiest(m.End.Usage, p.End.Usage)
		for cause, n := range p.End.Unrecorded {
			lose(&m.End, s.name()+": "+cause, n)
		}
	}
	for _, gap := range missing {
		lose(&m.End, "part: segment "+gap+" is missing", 1)
	}
	m.Objectives = objectives(first.Objectives)
	var err error
	m.Plan, err = plan(first.Plan, parts)
	return &m, err
}

// busiest adds what two processes took; the peak is that of the one that was the nearest to the end of its machine.
func busiest(a, b *assay.Usage) *assay.Usage {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	out := *a
	if b.Peak*float64(a.CPUs) > a.Peak*float64(b.CPUs) {
		out = *b
	}
	out.CPU, out.Wall = a.CPU+b.CPU, max(a.Wall, b.Wall)
	return &out
}

func lose(end *assay.Ending, cause string, n int64) {
	if end.Unrecorded == nil {
		end.Unrecorded = map[string]int64{}
	}
	end.Unrecorded[cause] += n
}

// objectives leaves out k6's verdicts where the objective after it asks the same of all requests: each process judged its own part only.
func objectives(list []assay.Objective) []assay.Objective {
	var out []assay.Objective
	for i, o := range list {
		if o.Labels["threshold"] != "" && i+1 < len(list) && list[i+1].Labels["threshold"] == "" {
			continue
		}
		out = append(out, o)
	}
	return out
}

// plan puts the parts in the place of the part.
func plan(raw json.RawMessage, parts []Part) (json.RawMessage, error) {
	var of map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &of); err != nil {
		return nil, fmt.Errorf("read the plan of a part: %w", err)
	}
	list, err := json.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("encode the parts: %w", err)
	}
	delete(of["k6"], "part")
	of["k6"]["parts"] = list
	return json.Marshal(of)
}

// name is how the part is told from the others.
func (s *source) name() string {
	if s.Host == "" {
		return "part " + s.Segment
	}
	return "part " + s.Segment + " on " + s.Host
}

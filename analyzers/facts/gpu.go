package facts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/profile"
)

// A Sighting is one error of a GPU that something told of.
type Sighting struct {
	At         int64
	Resolution int64   // it happened in [At-Resolution, At]
	XID        gpu.XID // as the table has it; of a changed recovery action, what that action says
	Card       string  // which card: host and PCI address, or what else was told
	Text       string
	Source     string // "kernel-log", "nvml" or the exporter's series
	Made       bool   // by us, to look like one: no card failed
	PID        string // process that the driver names; empty where it names none

	Hit []string // instances that it hit; of a machine all that ran there
	By  string   // what tells so
}

// errorWindow is how far apart errors of one card may lie to be one failure: the first is the cause, and what it brings down speaks after it.
const errorWindow = 60 * second

// XIDs returns the table of errors with the rows that the run was given in place of ours.
func XIDs(m *assay.Manifest) *gpu.Table {
	var rows []gpu.XID
	for _, r := range m.XIDs {
		rows = append(rows, gpu.XID{Code: r.Code, Meaning: r.Meaning, Action: r.Action, Cause: r.Cause, Class: gpu.Class(r.Class)})
	}
	return gpu.XIDs().With(rows)
}

// Sightings returns the errors of GPUs in order of time. What an exporter shows of an error that a log or the driver has told already is left out.
func Sightings(ctx context.Context, f *assay.Facts) []Sighting {
	table := XIDs(f.Manifest)
	var out []Sighting
	for i := range f.Events {
		e := &f.Events[i]
		code, err := strconv.Atoi(e.Attrs["xid"])
		if e.Kind != assay.EventGPUXID || err != nil {
			continue
		}
		s := Sighting{At: e.Time, Resolution: e.Resolution, XID: table.Of(code), Card: cardOf(e), Text: e.Text, Source: e.Source, Made: e.Attrs["simulated"] == "true", PID: e.Attrs["pid"]}
		if s.XID.Class == gpu.ClassAction {
			if r, ok := gpu.RecoveryTo(e.Text); ok {
				s.XID.Action, s.XID.Class = r.Name, r.Class
			}
		}
		out = append(out, s)
	}
	told := len(out)
	for _, s := range shown(ctx, f, table) {
		if !slices.ContainsFunc(out[:told], s.same) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b Sighting) int { return cmp.Compare(a.At, b.At) })
	hits(ctx, f, out)
	return out
}

func cardOf(e *assay.Event) string {
	card := cmp.Or(e.Attrs["pci"], e.Attrs["uuid"], "unknown")
	if h := e.Attrs["host"]; h != "" {
		card = h + " " + card
	}
	return card
}

// same reports whether t, which a log tells, is what an exporter shows as s.
func (s *Sighting) same(t Sighting) bool {
	return s.XID.Code == t.XID.Code && t.At > s.At-s.Resolution-errorWindow && t.At < s.At+errorWindow && (!hasPCI(s.Card) || !hasPCI(t.Card) || pciOf(s.Card) == pciOf(t.Card))
}

func pciOf(card string) string { return card[strings.LastIndexByte(card, ' ')+1:] }

func hasPCI(card string) bool {
	p := pciOf(card)
	return len(p) == len("0000:3b:00") && p[4] == ':'
}

// MetricsSpan returns the run time that metrics may tell of, and a step at which they can be asked for all of it.
func MetricsSpan(f *assay.Facts) (begin, end, step int64) {
	end = max(f.End, f.Manifest.End.At)
	begin = 1
	if f.Begin < 0 {
		begin = f.Begin
	}
	step = second
	if n := (end - begin) / step; n > 10_000 { // the engine answers at most 11,000 points
		step = (end - begin) / 10_000
	}
	return begin, end, step
}

// shown finds errors in what exporters show: changes of the last code, and rises of the number within a window.
func shown(ctx context.Context, f *assay.Facts, table *gpu.Table) (out []Sighting) {
	begin, end, step := MetricsSpan(f)
	if f.Metrics == nil || end <= begin {
		return nil
	}
	window := fmt.Sprintf("[%dms]", max(step, 15*second)/1e6)
	p := profile.For("dcgm")
	for _, q := range []profile.Quantity{profile.GPUXIDCount, profile.GPUXIDLast} {
		spec, _ := p.Spec(q)
		for _, n := range spec.Names {
			series, err := f.Metrics.Range(ctx, "last_over_time("+n.Metric+window+")", begin, end, step)
			if err != nil {
				continue
			}
			for i := range series {
				s := &series[i]
				found := changes(s, q == profile.GPUXIDCount, step, begin)
				for j := range found {
					found[j].XID = table.Of(found[j].XID.Code)
					found[j].Card, found[j].Source = cardOfSeries(p, s.Labels), n.Metric
					found[j].Text = fmt.Sprintf("XID %d, %s, by %s", found[j].XID.Code, found[j].XID.Meaning, n.Metric)
					if !slices.ContainsFunc(out, found[j].same) {
						out = append(out, found[j])
					}
				}
			}
		}
	}
	return out
}

// changes returns the errors that a series of codes shows, or one of numbers that has the code as its label.
func changes(s *assay.Series, counts bool, step, begin int64) (out []Sighting) {
	code := -1
	if counts {
		n, err := strconv.Atoi(labelOf(s.Labels, "xid"))
		if err != nil {
			return nil
		}
		code = n
	}
	last := math.NaN()
	if counts && len(s.Times) > 0 && s.Times[0] > begin+errorWindow {
		last = 0 // the series came up with its first error
	}
	for i, at := range s.Times {
		v := float64(s.Values[i])
		switch {
		case math.IsNaN(v) || math.IsNaN(last) || v == last:
		case counts && v > last:
			out = append(out, Sighting{At: at, Resolution: step, XID: gpu.XID{Code: code}})
		case !counts && v >= 1 && v <= gpu.MaxXID:
			out = append(out, Sighting{At: at, Resolution: step, XID: gpu.XID{Code: int(v)}})
		}
		last = v
	}
	return out
}

func labelOf(labels []assay.Label, names ...string) string {
	for _, name := range names {
		for _, l := range labels {
			if l.Name == name && l.Value != "" {
				return l.Value
			}
		}
	}
	return ""
}

// cardOfSeries names a card by its host and PCI address, or by its UUID, or by its number.
func cardOfSeries(p *profile.Profile, labels []assay.Label) string {
	card := labelOf(labels, p.Label("pci")...)
	if card != "" {
		card = shortPCI(card)
	} else {
		card = cmp.Or(labelOf(labels, p.Label("uuid")...), labelOf(labels, p.Label("gpu")...), "unknown")
	}
	if h := labelOf(labels, p.Label("host")...); h != "" {
		card = h + " " + card
	}
	return card
}

// shortPCI turns 00000000:3B:00.0 into 0000:3b:00.
func shortPCI(bus string) string {
	bus, _, _ = strings.Cut(strings.ToLower(bus), ".")
	if domain, rest, ok := strings.Cut(bus, ":"); ok && len(domain) > 4 {
		bus = domain[len(domain)-4:] + ":" + rest
	}
	return bus
}

// gpuEpisodes makes failures of sightings: errors of one card within a window are one, of the cause that spoke first and the gravest class of them. What is
// information, a warning, a mere consequence or not classified makes none by itself.
func gpuEpisodes(f *assay.Facts, sightings []Sighting) []assay.Episode {
	var out []assay.Episode
	open := map[string]int{} // by card: its latest failure
	for _, s := range sightings {
		key := s.Card
		if s.Made {
			key += " made up"
		}
		i, ok := open[key]
		if ok && s.At-out[i].End > errorWindow {
			ok = false
		}
		if !s.XID.Class.Failure() {
			if ok && s.XID.Class == gpu.ClassFollows {
				out[i].End, out[i].EndHi = s.At, s.At
			}
			continue
		}
		if !ok {
			e := assay.Episode{Subject: assay.GPU, Instance: s.Card, BeginLo: s.At - s.Resolution, Begin: s.At, End: s.At, EndHi: s.At,
				Cause: fmt.Sprintf("XID %d, %s", s.XID.Code, s.XID.Meaning), Class: string(s.XID.Class)}
			e.Ledger, e.Fault = f.At(s.At)
			if s.Made {
				e.Ledger, e.Fault = assay.Injected, madeBy(f, s.At)
			}
			if len(s.Hit) > 0 {
				e.Hit = s.Hit
				e.Evidence = []string{"instances on it, " + s.By + ": " + strings.Join(s.Hit, ", ")}
			}
			open[key] = len(out)
			out = append(out, e)
			continue
		}
		out[i].End, out[i].EndHi = s.At, s.At
		if s.XID.Class.Graver(gpu.Class(out[i].Class)) {
			out[i].Class = string(s.XID.Class)
		}
	}
	return out
}

// madeBy returns the fault that made an error up.
func madeBy(f *assay.Facts, t int64) string {
	best := ""
	for i := range f.Faults {
		w := &f.Faults[i]
		if w.Simulated && w.Kind == "xid" && w.Applied != 0 && from(w) <= t && t <= closed(w)+second {
			best = w.ID
		}
	}
	return best
}

// GPUWatches returns the stretches of time in which errors of GPUs would have been told by a log or a driver, and the cards that those name. bare says that
// a log holds errors alone, which does not tell for how long there were none.
func GPUWatches(f *assay.Facts) (spans []assay.Interval, cards []string, bare bool) {
	for i := range f.Events {
		e := &f.Events[i]
		if e.Kind != assay.EventGPUWatched {
			continue
		}
		bare = bare || e.Attrs["start_ns"] == "" && e.Attrs["end_ns"] == ""
		if begin, end := stamp(f.Manifest, e.Attrs["start_ns"]), stamp(f.Manifest, e.Attrs["end_ns"]); end > begin {
			spans = append(spans, assay.Interval{Name: e.Source, Begin: begin, End: end})
		}
		for _, c := range strings.Fields(e.Attrs["cards"]) {
			if !slices.Contains(cards, c) {
				cards = append(cards, c)
			}
		}
	}
	return spans, cards, bare
}

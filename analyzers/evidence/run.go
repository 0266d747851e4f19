package evidence

import (
	"cmp"
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
	"github.com/assay-dev/assay/internal/timeset"
)

// A Run is what the ledger needs of one run. All instants in it are Unix time in ns.
type Run struct {
	assay.RunEvidence
	target, model string
	simulated     []string
	exposure      []assay.Exposure
	apart         []assay.Stretch // injected, overload, planned
	failures      []failure
	drills        []drill
	asked         requests
}

// A failure is one natural episode of a unit.
type failure struct {
	subject    assay.Subject
	unit       string
	cause      string
	release    string
	lo, hi     int64 // last known good before it, first known good after it
	begin, end int64 // first known bad; in the middle of what is open, when it was over
	open       bool  // it had not ended when it was last seen
}

// A drill is one injected fault.
type drill struct {
	kind, target string
	at           int64
	seen         assay.DrillSeen
	simulated    bool
}

// requests counts those of the natural ledger.
type requests struct {
	judged, bad, clusters int
	sizes                 stat.Lengths // of the clusters
	unsized               int          // clusters of which no size is known
}

// Of returns what the ledger needs of the run in dir. A report of nil says that there is none, because of why.
func Of(dir string, m *assay.Manifest, r *assay.Report, why string) *Run {
	x := &Run{RunEvidence: assay.RunEvidence{Dir: dir, ID: m.ID, Name: m.Name, Release: m.Target.Release, Plan: m.PlanHash, Imported: m.Imported, Begin: m.Epoch, End: m.Epoch + m.End.At, Why: why},
		target: m.Target.Name, model: m.Target.Model, simulated: m.Target.Simulated}
	if m.Target.Name == "" {
		x.target = m.Target.Kind
	}
	if r == nil {
		return x
	}
	x.Begin, x.End, x.Decision = m.Epoch+r.Begin, m.Epoch+r.End, r.Decision
	if !r.Trust.Valid {
		x.Why = "it could not measure"
		if len(r.Trust.Problems) > 0 {
			x.Why += ": " + r.Trust.Problems[0]
		}
		return x
	}
	for _, e := range r.Exposure {
		in := make([]assay.Stretch, len(e.In))
		for i, s := range e.In {
			in[i] = assay.Stretch{Begin: m.Epoch + s.Begin, End: m.Epoch + s.End}
		}
		e.In = in
		x.exposure = append(x.exposure, e)
	}
	for _, s := range r.Segments {
		if s.Ledger != assay.Natural {
			x.apart = append(x.apart, assay.Stretch{Begin: m.Epoch + s.Begin, End: m.Epoch + s.End})
		}
	}
	x.apart = timeset.Union(x.apart)
	for i := range r.Episodes {
		e := &r.Episodes[i]
		if e.Ledger != assay.Natural || e.Subject == assay.GPU && e.Class == "app" {
			continue
		}
		f := failure{subject: e.Subject, unit: e.Instance, cause: cmp.Or(e.CountedBy, e.Cause), release: m.Target.Release, lo: m.Epoch + e.BeginLo, hi: m.Epoch + e.EndHi, begin: m.Epoch + e.Begin, end: m.Epoch + (e.End+e.EndHi)/2, open: e.RightCensored}
		if e.Subject == assay.Service {
			f.unit = ""
		}
		f.lo, f.hi, f.end = min(f.lo, f.begin), max(f.hi, f.begin+1), max(f.end, f.begin+1)
		x.failures = append(x.failures, f)
	}
	for i := range r.Faults {
		w := &r.Faults[i].Window
		at := w.Applied
		if at == 0 {
			at = w.Armed
		}
		d := drill{kind: w.Kind, target: w.Target, at: m.Epoch + at, simulated: w.Simulated,
			seen: assay.DrillSeen{At: m.Epoch + at, State: r.Faults[i].State, User: r.Faults[i].User, Dir: dir, Release: m.Target.Release}}
		if s := d.seen.State; s == assay.VoidFault || s == assay.Unmeasured {
			d.seen.Why = r.Faults[i].User.Reason
		}
		x.drills = append(x.drills, d)
	}
	x.asked.judged = r.Judged
	if f := r.Find("availability/natural"); f != nil && f.Quantity.Of == "failures" && f.Quantity.Known() {
		x.asked.clusters = f.Quantity.N
		x.asked.bad = int((1-f.Quantity.Value)*float64(r.Judged) + 0.5)
	}
	x.asked.unsized = x.asked.clusters
	if len(r.Lost) == x.asked.clusters {
		x.asked.unsized = 0
		for _, n := range r.Lost {
			x.asked.sizes.Add(float64(n))
		}
	}
	if a := x.asked; a.judged < 0 || a.bad < 0 || a.bad > a.judged || a.clusters < 0 || a.clusters > a.bad {
		x.asked = requests{} // no result of ours
	}
	return x
}

// service is the key that runs are added up by.
func (x *Run) service() string {
	kind := "real"
	if len(x.simulated) > 0 {
		kind = "simulated"
	}
	return fmt.Sprintf("%s\x00%s\x00%s", x.target, x.model, kind)
}

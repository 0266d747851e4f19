package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// A Run is one run with what it came to.
type Run struct {
	Dir      string
	Manifest *assay.Manifest
	Report   *assay.Report
}

// A Side is the runs of one side under a name.
type Side struct {
	Name string
	Runs []Run
}

// begin returns when the run began in Unix time, or 0 where nothing tells.
func (r *Run) begin() int64 {
	if r.Manifest.Epoch == 0 {
		return 0
	}
	return r.Manifest.Epoch + r.Report.Begin
}

func (r *Run) end() int64 {
	if r.Manifest.Epoch == 0 {
		return 0
	}
	return r.Manifest.Epoch + r.Report.End
}

// leftOut says why a run does not count, or "".
func (r *Run) leftOut() string {
	end := &r.Manifest.End
	switch {
	case !r.Report.Trust.Valid && len(r.Report.Trust.Problems) > 0:
		return "it could not measure: " + r.Report.Trust.Problems[0]
	case !r.Report.Trust.Valid:
		return "it could not measure"
	case end.Status == assay.EndRunning:
		return "it was killed"
	case end.Status != assay.EndComplete && end.Status != assay.EndBudget:
		s := "it ended early: " + strings.ReplaceAll(end.Status, "_", " ")
		if end.Reason != "" {
			s += ", " + end.Reason
		}
		return s
	}
	return ""
}

// told returns the run as a comparison tells of it.
func (r *Run) told() assay.ComparedRun {
	m := r.Manifest
	return assay.ComparedRun{Dir: r.Dir, ID: m.ID, Name: m.Name, Release: m.Target.Release, Version: m.Version, Begin: r.begin(), End: r.end(), LeftOut: r.leftOut()}
}

// sorted returns the runs in order of time; those that do not tell it stay where they are, before all others.
func sorted(runs []Run) []Run {
	out := slices.Clone(runs)
	slices.SortStableFunc(out, func(a, b Run) int {
		switch x, y := a.begin(), b.begin(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return out
}

// side returns the side as a comparison tells of it, and the runs that count, in order of time.
func (s *Side) side() (assay.Side, []Run) {
	out := assay.Side{Name: s.Name}
	var used []Run
	for _, r := range sorted(s.Runs) {
		t := r.told()
		out.Runs = append(out.Runs, t)
		if t.LeftOut == "" {
			used = append(used, r)
		}
	}
	return out, used
}

// settings are the parts of a plan that what is measured hangs on. What the target is may differ: that is what is compared.
var settings = []string{"load", "chaos", "suite", "target.deadline", "target.stream", "target.cap", "target.retry", "target.expect"}

// loadOf returns the parts of a run's plan that must be alike for runs to compare; nil where it has no plan.
func loadOf(m *assay.Manifest) map[string]json.RawMessage {
	var p, t map[string]json.RawMessage
	if len(m.Plan) == 0 || json.Unmarshal(m.Plan, &p) != nil {
		return nil
	}
	_ = json.Unmarshal(p["target"], &t)
	out := map[string]json.RawMessage{}
	for _, name := range settings {
		raw := p[name]
		if rest, ok := strings.CutPrefix(name, "target."); ok {
			raw = t[rest]
		}
		var b bytes.Buffer
		if len(raw) > 0 && json.Compact(&b, raw) == nil {
			out[name] = b.Bytes()
		}
	}
	return out
}

// noPlan is the doubt about runs that no plan of ours made, such as imports: no load of theirs is held against another's.
const noPlan = "runs without a plan of ours are among them: that their load was the same is not known"

// planDiffers says in which settings the plans of two runs differ, or "".
func planDiffers(a, b *Run) string {
	x, y := loadOf(a.Manifest), loadOf(b.Manifest)
	if x == nil || y == nil {
		return ""
	}
	var names []string
	for _, name := range settings {
		if !bytes.Equal(x[name], y[name]) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("the plans of %s and %s differ in %s: what changed may be that, and not the release", a.Dir, b.Dir, strings.Join(names, ", "))
}

// distinct returns what f gives over the runs, once each, in order; "" is left out.
func distinct(runs []Run, f func(*Run) string) []string {
	seen := map[string]bool{}
	for i := range runs {
		if s := f(&runs[i]); s != "" {
			seen[s] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

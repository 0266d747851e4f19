package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/internal/toolkit"
)

// journalFormat is what the journal of Chaos Toolkit goes by among the formats of report.
const journalFormat = "chaostoolkit"

// journals returns the journals of the experiments that a run has played, in their order.
func journals(dir string) ([]*toolkit.Journal, error) {
	dirs, err := filepath.Glob(filepath.Join(dir, toolkitDir, "experiment-*"))
	if err != nil || len(dirs) == 0 {
		return nil, err
	}
	run, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	var out []*toolkit.Journal
	for _, d := range dirs {
		j, err := toolkit.ReadJournal(d)
		if err != nil {
			return nil, err
		}
		if j.States.Before == nil && len(j.Run) == 0 {
			continue // it was planned and never played
		}
		fillJournal(j, run.Manifest())
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b *toolkit.Journal) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return out, nil
}

// fillJournal adds what the run knows.
func fillJournal(j *toolkit.Journal, m *assay.Manifest) {
	j.Version = "none: written by assay " + m.Version
	j.Platform = fmt.Sprintf("%s-%s-%s", m.Host.OS, m.Host.Kernel, m.Host.Arch)
	j.Node = "not recorded"
	switch m.End.Status {
	case assay.EndInterrupted, assay.EndRunning:
		j.Status = "interrupted"
	case assay.EndAborted:
		j.Status = "aborted"
	case assay.EndFailed, assay.EndDiskFull:
		j.Status = "failed"
	}
}

// journal writes the journal of a run: that of its experiment, or one in which its faults are the actions and its objectives the hypothesis.
func journal(dir string, r *assay.Report) ([]byte, error) {
	list, err := journals(dir)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		return encodeJournal(list[len(list)-1])
	}
	if len(r.Faults) == 0 {
		return nil, exit(assay.ExitUsage, "%s: a run without faults is no experiment, and has no journal", dir)
	}
	run, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	j, err := journalOf(r, run.Manifest())
	if err != nil {
		return nil, err
	}
	return encodeJournal(j)
}

func encodeJournal(j *toolkit.Journal) ([]byte, error) {
	raw, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the journal: %w", err)
	}
	return append(raw, '\n'), nil
}

// activity is one activity of the experiment that a run is described as. What stands for its provider is assay itself.
type activity struct {
	Type      string         `json:"type"`
	Name      string         `json:"name"`
	Tolerance any            `json:"tolerance,omitempty"`
	Provider  map[string]any `json:"provider"`
}

// journalOf describes any run with faults as the journal of an experiment.
func journalOf(r *assay.Report, m *assay.Manifest) (*toolkit.Journal, error) {
	at := func(ns int64) time.Time { return time.Unix(0, m.Epoch+ns) }
	j := &toolkit.Journal{Status: "completed", States: toolkit.States{During: []toolkit.State{}}, Run: []toolkit.Entry{}, Rollbacks: []toolkit.Entry{}}
	fillJournal(j, m)
	j.Span(at(r.Begin), at(r.End))
	var probes, method []activity
	if err := looks(j, &probes, r, at); err != nil {
		return nil, err
	}
	if len(r.Objectives) > 0 && j.States.After == nil {
		j.States.After = &toolkit.State{Met: true, Probes: []toolkit.Entry{}}
	}
	for _, o := range r.Objectives {
		a := activity{Type: "probe", Name: o.Title, Tolerance: toleranceOf(o.Objective), Provider: provider("assess", map[string]any{"metric": o.Objective.Metric, "labels": o.Objective.Labels})}
		probes = append(probes, a)
		met := o.Verdict == assay.VerdictPass
		e, err := entry(a, at(r.Begin), at(r.End), true, assay.Num(o.Quantity.Value))
		if err != nil {
			return nil, err
		}
		if e.Tolerance = &met; !met {
			j.States.After.Met = false
			e.Exception = []string{string(o.Verdict)}
		}
		j.Deviated = j.Deviated || o.Verdict == assay.VerdictFail
		j.States.After.Probes = append(j.States.After.Probes, e)
	}
	for i := range r.Faults {
		f := &r.Faults[i]
		w := &f.Window
		a := activity{Type: "action", Name: w.ID, Provider: provider("fault", map[string]any{"fault": w.Kind, "target": w.Target})}
		method = append(method, a)
		begin := max(w.Applied, w.Armed)
		end := max(begin, w.Reverted)
		e, err := entry(a, at(begin), at(end), w.Void == "", map[string]any{"state": f.State, "effect": w.Effect, "failed_requests": f.Lost, "recovery_s": assay.Num(known(f.User))})
		if err != nil {
			return nil, err
		}
		if w.Void != "" {
			e.Exception = []string{w.Void}
		}
		j.Run = append(j.Run, e)
		if w.Armed == 0 && w.Applied == 0 {
			continue // nothing was to be undone
		}
		back := activity{Type: "action", Name: "revert " + w.ID, Provider: provider("revert", map[string]any{"fault": w.ID})}
		if e, err = entry(back, at(end), at(max(end, w.Clear)), w.Remains == "", f.Revert); err != nil {
			return nil, err
		}
		if w.Remains != "" {
			e.Exception = []string{w.Remains}
		}
		j.Rollbacks = append(j.Rollbacks, e)
	}
	x := map[string]any{"version": "1.0.0", "title": r.Name, "description": "Run of assay against " + r.Target + ", described as an experiment: its faults are the actions, its objectives the hypothesis.", "method": method}
	if len(probes) > 0 {
		x["steady-state-hypothesis"] = map[string]any{"title": "what the plan asks holds", "probes": probes}
	}
	raw, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("encode the journal: %w", err)
	}
	j.Experiment = raw
	return j, nil
}

// looks adds the parts of the plan's own hypothesis: before the first fault, while faults were in force, and after the last.
func looks(j *toolkit.Journal, probes *[]activity, r *assay.Report, at func(int64) time.Time) error {
	add := func(s *toolkit.State, a activity, l assay.Look) (*toolkit.State, error) {
		if l.OK == "" {
			return s, nil
		}
		e, err := entry(a, at(l.At), at(l.At), l.OK != "unknown", l.Text)
		if err != nil {
			return s, err
		}
		met := l.OK == "true"
		e.Tolerance = &met
		if s == nil {
			s = &toolkit.State{Met: true}
		}
		s.Met, s.Probes = s.Met && met, append(s.Probes, e)
		return s, nil
	}
	last := map[string]assay.Hypothesis{}
	var names []string
	var errs []error
	for _, h := range r.Hypotheses {
		a := activity{Type: "probe", Name: h.Name, Tolerance: true, Provider: provider("hypothesis", map[string]any{"name": h.Name})}
		if _, known := last[h.Name]; !known {
			names = append(names, h.Name)
			*probes = append(*probes, a)
			s, err := add(j.States.Before, a, h.Before)
			j.States.Before, errs = s, append(errs, err)
		}
		last[h.Name] = h
		s, err := add(nil, a, h.During)
		if errs = append(errs, err); s != nil {
			j.States.During = append(j.States.During, *s)
		}
	}
	for _, name := range names {
		h := last[name]
		a := activity{Type: "probe", Name: h.Name, Tolerance: true, Provider: provider("hypothesis", map[string]any{"name": h.Name})}
		s, err := add(j.States.After, a, h.After)
		j.States.After, errs = s, append(errs, err)
		j.Deviated = j.Deviated || h.After.OK == "false"
	}
	return errors.Join(errs...)
}

func provider(what string, arguments map[string]any) map[string]any {
	return map[string]any{"type": "process", "path": "assay", "arguments": append([]any{what}, arguments)}
}

func toleranceOf(o assay.Objective) any {
	lo, hi := -math.MaxFloat64, math.MaxFloat64 // the form knows no open end
	if o.Min != nil {
		lo = *o.Min
	}
	if o.Max != nil {
		hi = *o.Max
	}
	return map[string]any{"type": "range", "range": []float64{lo, hi}}
}

func known(q assay.Quantity) float64 {
	if q.Known() {
		return q.Value
	}
	return math.NaN()
}

func entry(a activity, begin, end time.Time, ok bool, output any) (toolkit.Entry, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return toolkit.Entry{}, fmt.Errorf("encode the journal: %w", err)
	}
	e := toolkit.Entry{Activity: raw, Status: toolkit.Succeeded, Start: toolkit.Stamp(begin), End: toolkit.Stamp(end), Duration: end.Sub(begin).Seconds(), Output: output}
	if !ok {
		e.Status = toolkit.Failed
	}
	return e, nil
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/internal/openslo"
	"github.com/assay-dev/assay/internal/plan"
)

// openSLO reads the OpenSLO files that a plan names and returns what they ask of a run. What no run can judge asks nothing, and is shown all the same.
func openSLO(p *plan.Plan) ([]assay.Objective, error) {
	if p.SLO == nil {
		return nil, nil
	}
	set, err := openslo.ReadFiles("", p.Paths(p.SLO.Files)...)
	if err != nil {
		return nil, err
	}
	own := p.Promises()
	if err := distinct(own, set.SLOs); err != nil {
		return nil, err
	}
	p.OpenSLO = set.SLOs
	return objectivesOfSLOs(set.SLOs), nil
}

// distinct reports a promise whose name is taken.
func distinct(taken, more []assay.SLO) error {
	for i := range more {
		for _, list := range [][]assay.SLO{taken, more[:i]} {
			if j := slices.IndexFunc(list, func(s assay.SLO) bool { return s.Name == more[i].Name }); j >= 0 {
				return fmt.Errorf("%s: the name %s is taken by %s; give each promise a name of its own", more[i].From, more[i].Name, list[j].From)
			}
		}
	}
	return nil
}

// objectivesOfSLOs returns what promises ask of a run.
func objectivesOfSLOs(slos []assay.SLO) []assay.Objective {
	var out []assay.Objective
	for i := range slos {
		if slos[i].Unmapped == "" {
			out = append(out, slos[i].Objective())
		}
	}
	return out
}

// demands are what --slo asks for: bounds of metrics, and promises.
type demands struct {
	replay     *analyzers.Replay // how rules are replayed; nil: as the run's own are
	objectives []assay.Objective
	slos       []assay.SLO
	notes      []string
}

// options are those of an assessment of a run with these demands beside its own.
func (d *demands) options(m *assay.Manifest) analyzers.Options {
	return analyzers.Options{Objectives: append(slices.Clone(m.Objectives), d.objectives...), SLOs: d.slos, Replay: d.replay}
}

func (d *demands) goals() []assay.Objective {
	if d == nil {
		return nil
	}
	return d.objectives
}

func (d *demands) promises() []assay.SLO {
	if d == nil {
		return nil
	}
	return d.slos
}

// tell says what of the files has no use in a run.
func (d *demands) tell(io stdio) {
	if d == nil {
		return
	}
	for _, n := range d.notes {
		fmt.Fprintf(io.err, "assay: %s\n", n)
	}
}

// askedFor reads the values of --slo, each a bound of a metric or the name of an OpenSLO file; nil where nothing is asked for. have are the promises that the run has already.
func askedFor(values []string, have []assay.SLO) (*demands, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var exprs, files []string
	for _, v := range values {
		if isSLOFile(v) {
			files = append(files, v)
		} else {
			exprs = append(exprs, v)
		}
	}
	objectives, err := objectivesOf(exprs)
	if err != nil {
		return nil, err
	}
	a := &demands{objectives: objectives}
	if len(files) == 0 {
		return a, nil
	}
	set, err := openslo.ReadFiles("", files...)
	if err == nil {
		err = distinct(have, set.SLOs)
	}
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	a.slos, a.notes = set.SLOs, set.Notes
	a.objectives = append(a.objectives, objectivesOfSLOs(set.SLOs)...)
	return a, nil
}

// isSLOFile tells the name of a file from a bound such as ttft/p95=2s.
func isSLOFile(value string) bool {
	switch strings.ToLower(filepath.Ext(value)) {
	case ".yaml", ".yml":
		return true
	}
	if strings.Contains(value, "=") {
		return false
	}
	st, err := os.Stat(value)
	return err == nil && st.Mode().IsRegular()
}

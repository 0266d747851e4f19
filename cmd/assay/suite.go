package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// maxCache bounds the file system that a suite fills: one that is larger is the disk of a machine, which others use too.
const maxCache = 4 << 30

// refuses says why a fault of a suite cannot be done as it is set.
func refuses(f *plan.Fault) error {
	if f.Fault == "disk" && f.Dir != "" {
		size, err := sizeOfDisk(f.Dir)
		switch {
		case err != nil:
			return fmt.Errorf("suite.cache: %w", err)
		case size > maxCache:
			return fmt.Errorf("suite.cache: %s lies on a file system of %.0f GiB, which others may use; at most %d GiB, for example a tmpfs of its own", f.Dir, float64(size)/(1<<30), maxCache>>30)
		}
	}
	if err := chaos.Check("suite", steps(&plan.Plan{Seed: 1, Chaos: []plan.Fault{*f}})); err != nil {
		return errors.New(strings.NewReplacer("suite[0].", "", "\n", "; ").Replace(err.Error()))
	}
	return nil
}

// suitePlan is the plan of `run --suite`: the suite on the sandbox.
func suitePlan(name, size string) (*plan.Plan, error) {
	yaml := fmt.Sprintf("apiVersion: assay/v1\nname: %q\ntarget: {kind: sandbox}\nsuite: {name: %q, size: %q}\n", strings.Map(inName, name), name, size)
	return plan.Parse("--suite", []byte(yaml))
}

// inName replaces what no name of a plan may hold, so that the suite's own name is what is found wrong.
func inName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// previewSuite says which suite will run and what of it will not.
func previewSuite(p *plan.Plan) []string {
	s := p.Standard()
	if s == nil {
		return nil
	}
	lines := []string{suiteName(s)}
	var out []string
	for _, st := range s.Steps {
		switch st.Unmeasured {
		case "":
		case plan.LeftOut:
			out = append(out, st.Name)
		default:
			lines = append(lines, fmt.Sprintf("unmeasured: %s (%s): %s", st.Name, st.Title, st.Unmeasured))
		}
	}
	if out != nil {
		lines = append(lines, fmt.Sprintf("unmeasured: %s: %s", strings.Join(out, ", "), plan.LeftOut))
	}
	return lines
}

func suiteName(s *assay.Suite) string {
	doing := 0
	for _, st := range s.Steps {
		if st.Unmeasured == "" {
			doing++
		}
	}
	return fmt.Sprintf("suite %s, version %d, size %s: %d of %d steps can be done here", s.Name, s.Version, s.Size, doing, len(s.Steps))
}

// listSuites lists the suites and their steps.
func listSuites() []listed {
	var out []listed
	for _, k := range plan.SuiteKinds() {
		out = append(out, listed{Part: "suite", Name: k.Name, Help: fmt.Sprintf("Version %d, sizes %s. %s", k.Version, strings.Join(k.Sizes, ", "), capital(k.Help))})
		for _, s := range k.Steps {
			out = append(out, listed{Part: "suite", Name: k.Name + "/" + s.Name, Help: fmt.Sprintf("Weight %g: %s.", s.Weight, s.Title)})
		}
	}
	return out
}

// sizeOfDisk returns the bytes of the file system that a directory lies on.
func sizeOfDisk(dir string) (int64, error) {
	if !filepath.IsAbs(dir) {
		return 0, fmt.Errorf("%q is no absolute path", dir)
	}
	return diskSize(dir)
}

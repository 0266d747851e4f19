package main

import (
	"context"
	"errors"
	"fmt"
	goio "io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/plan"
)

// The verdicts of a finding of doctor.
const (
	fine  = "ok"
	doubt = "warn" // a run would begin, but less of it would work or be trusted
	wrong = "fail" // a run would be refused
)

// A diagnosis is one line of doctor: what was tried and how it went.
type diagnosis struct {
	Area  string `json:"area"`
	State string `json:"state"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// A patient is what doctor looks at: this machine, and the plan if there is one.
type patient struct {
	*session        // as a run has it before it makes anything; its plan is nil without one
	path     string // of the plan
	refused  error  // why the plan is refused
	area     string
	found    []diagnosis
}

func (p *patient) add(state, do, format string, args ...any) {
	p.found = append(p.found, diagnosis{p.area, state, fmt.Sprintf(format, args...), do})
}

// ok notes what works.
func (p *patient) ok(format string, args ...any) { p.add(fine, "", format, args...) }

// try notes ok where err is nil, and otherwise each of its lines as bad, with what to do.
func (p *patient) try(err error, bad, do, format string, args ...any) {
	if err == nil {
		p.ok(format, args...)
		return
	}
	for line := range strings.Lines(err.Error()) {
		p.add(bad, do, "%s", strings.TrimSpace(line))
	}
}

// examinations are what doctor looks at, in the order in which people read it. Each tries what a run would do, by the part's own means, and changes nothing.
var examinations = []struct {
	area string
	plan bool // only with a plan
	look func(ctx context.Context, p *patient)
}{
	{"machine", false, examineMachine},
	{"clock", false, examineClock},
	{"files", false, examineFiles},
	{"disk", false, examineDisk},
	{"rights", false, examineRights},
	{"calibration", false, examineCalibration},
	{"guardian", false, examineGuardian},
	{"ports", false, examinePorts},
	{"plan", true, examinePlan},
	{"faults", false, examineFaults},
	{"target", true, examineTarget},
	{"credentials", true, examineCredentials},
	{"deployment", true, examineDeployment},
	{"guards", true, examineGuards},
	{"alerts", true, examineAlerts},
	{"collect", true, examineCollect},
	{"collect", true, examineProbes},
	{"traces", true, examineReadBack},
	{"writes", true, examineRemoteWrite},
	{"logs", true, examineLogs},
	{"logs", true, examineLogStores},
	{"gpus", true, examineGPUs},
	{"clouds", true, examineClouds},
	{"front", true, examineFront},
	{"clocks", true, examineClocks},
	{"k6", true, examineK6},
}

func doctorCommand(io stdio) *cobra.Command {
	var dir, output, k6 string
	cmd := &cobra.Command{
		Use:   "doctor [PLAN]",
		Short: "Say what works on this machine, and whether a plan could start, and why not",
		Long: "Tries what a run needs, and changes nothing: the machine, its clock, rights, disk and calibration, the guardian, the ports, and each kind of fault; with PLAN also " +
			"whether its target, credentials, deployment, guards and tools can be reached, and each of its faults done. Each line is ok, warn or fail, with what to do. Exit status 3 means that the plan, or without one the built-in plan, could not start.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			path := ""
			if len(args) == 1 {
				path = args[0]
			}
			p := newPatient(io, path, runOptions{dir: dir, k6: k6})
			p.examine(cmd.Context())
			starts := true
			for _, f := range p.found {
				starts = starts && f.State != wrong
			}
			if output == "json" {
				if err := printJSON(io, struct {
					Starts   bool        `json:"starts"`
					Findings []diagnosis `json:"findings"`
				}{starts, p.found}); err != nil {
					return err
				}
			} else {
				printDiagnoses(io.out, p.found, path, starts)
			}
			if !starts {
				return &status{code: assay.ExitPreflight}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "runs", "directory that run directories are made in")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	f.StringVar(&k6, "k6-binary", "", "assay-k6, for a plan with k6 scripts; otherwise as assay run finds it")
	return cmd
}

// newPatient reads the plan, if there is one, as far as it can be read.
func newPatient(io stdio, path string, o runOptions) *patient {
	quiet := stdio{io.in, goio.Discard, goio.Discard} // what a run would say of it, doctor says in its own words
	p := &patient{path: path, session: &session{io: quiet, opt: o, clock: clock.New(), dir: filepath.Join(o.dir, "doctor"), manifest: &assay.Manifest{ID: "doctor"}}}
	if path == "" {
		return p
	}
	if p.plan, p.objectives, p.refused = load(path); p.refused == nil {
		p.phases, p.refused = phases(p.plan)
		return p
	}
	// What is wrong with a plan need not keep the rest of it from being looked at. Which driver does a fault is known only once it is checked.
	if raw, err := plan.Read(path); err == nil {
		_, _ = raw.Validate(kinds())
		p.plan = raw
	}
	return p
}

// examine looks at everything.
func (p *patient) examine(ctx context.Context) {
	for _, e := range examinations {
		if e.plan && p.path == "" || e.plan && p.plan == nil && e.area != "plan" {
			continue
		}
		p.area = e.area
		e.look(ctx, p)
	}
}

func printDiagnoses(w goio.Writer, found []diagnosis, path string, starts bool) {
	area := ""
	for _, f := range found {
		name := f.Area
		if name == area {
			name = ""
		}
		area = f.Area
		fmt.Fprintf(w, "%-11s  %-4s  %s\n", name, f.State, f.Text)
		if f.Do != "" {
			fmt.Fprintf(w, "%-11s        → %s\n", "", f.Do)
		}
	}
	count := map[string]int{}
	for _, f := range found {
		count[f.State]++
	}
	what := "the built-in plan"
	if path != "" {
		what = path
	}
	verdict := "could start"
	if !starts {
		verdict = "could NOT start"
	}
	fmt.Fprintf(w, "\n%s %s: %d ok, %d warn, %d fail\n", what, verdict, count[fine], count[doubt], count[wrong])
}

// soon bounds one thing that is tried.
func soon(ctx context.Context, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return try(ctx)
}

// nearest returns the nearest directory of a path that is there.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// bare is an error without the exit status that it carries.
func bare(err error) error {
	var s *status
	if errors.As(err, &s) && s.err != nil {
		return s.err
	}
	return err
}

package k6

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/fsext"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/merge"
	"github.com/assay-dev/assay/internal/script"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/loadgen"
)

// planned is what the manifest keeps of a script's options: no environment, which may hold secrets.
type planned struct {
	Script     string            `json:"script"`
	Source     string            `json:"source_sha256,omitempty"` // of the script and all it imports
	Part       *merge.Part       `json:"part,omitempty"`          // not in the hash
	Scenarios  []plannedScenario `json:"scenarios"`
	Thresholds []string          `json:"thresholds,omitempty"`
}

type plannedScenario struct {
	Name     string `json:"name"`
	Executor string `json:"executor"`
	What     string `json:"what"`
	Start    int64  `json:"start_ns"`
	Length   int64  `json:"length_ns"`
	Role     string `json:"role"`
	Due      int    `json:"due,omitempty"` // iterations of all processes together, where they have a schedule
}

// manifest says what is known before the first request.
func (o *Output) manifest() *assay.Manifest {
	p := o.options
	lookup := func(key string) (string, bool) { v, ok := p.Environment[key]; return v, ok }
	m := &assay.Manifest{Schema: store.RunSchema, ID: o.ext.runID(lookup), Name: p.Environment[EnvName], Epoch: o.ext.clock.Epoch(), Version: version(),
		Objectives: o.objectives, Target: assay.Target{Kind: "k6", Name: p.Environment[EnvTarget], Release: p.Environment[EnvRelease]},
		Host:       assay.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()},
		Resolution: int64(time.Microsecond), MaxWait: int64(loadgen.DefaultDeadline), End: assay.Ending{Status: assay.EndRunning}}
	pl := planned{Script: "stdin"}
	if u := p.ScriptPath; u != nil && u.Scheme == "file" && u.Path != "" && u.Path != "-" && u.Path != "/-" {
		pl.Script = path.Base(u.Path)
		if p.FS != nil {
			pl.Source = sourceOf(p.FS, u.Path)
		}
	}
	if m.Name == "" {
		m.Name = strings.TrimSuffix(pl.Script, path.Ext(pl.Script))
	}
	et, err := lib.NewExecutionTuple(nil, nil) // what all processes do together
	schedules := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(p.ScriptOptions.Scenarios)) {
		c, sc := p.ScriptOptions.Scenarios[name], o.scenarios.all[name]
		s := plannedScenario{Name: name, Executor: c.GetType(), Start: sc.offset, Length: sc.length, Role: string(sc.role)}
		if err == nil {
			s.What = c.GetDescription(et)
		}
		if a, ok := c.(*arrivalsConfig); ok {
			if m.Seed == 0 {
				m.Seed = a.Seed
			}
			if whole, err := newShare(a, et); err == nil {
				s.Due = len(whole.due)
				fmt.Fprintln(schedules, name, whole.due)
				m.Schedule = hex.EncodeToString(schedules.Sum(nil))
			}
		}
		pl.Scenarios = append(pl.Scenarios, s)
	}
	for _, name := range slices.Sorted(maps.Keys(o.thresholds)) {
		for _, t := range o.thresholds[name].Thresholds {
			pl.Thresholds = append(pl.Thresholds, name+": "+t.Source)
		}
	}
	h := sha256.New()
	raw, _ := json.Marshal(struct {
		K6 planned `json:"k6"`
	}{pl})
	h.Write(raw)
	m.PlanHash = hex.EncodeToString(h.Sum(nil))
	segment := ""
	if p.ScriptOptions.ExecutionSegment != nil {
		segment = p.ScriptOptions.ExecutionSegment.String()
	}
	part := merge.Here(segment, o.ext.clock)
	pl.Part = &part
	raw, _ = json.Marshal(struct {
		K6 planned `json:"k6"`
	}{pl})
	m.Plan = raw
	return m
}

// sourceOf hashes a script with the files that it names.
func sourceOf(fs fsext.Fs, path string) string {
	files, err := script.Files(func(path string) ([]byte, error) { return fsext.ReadFile(fs, path) }, path)
	if err != nil {
		return "" // from an archive, or from a place that is no file
	}
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s %d\n", filepath.Base(f.Path), len(f.Data))
		h.Write(f.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// createRun makes the run directory.
func createRun(dir string, m *assay.Manifest) (sink, error) {
	w, err := store.Create(dir, m)
	switch {
	case errors.Is(err, store.ErrNotEmpty):
		return nil, fmt.Errorf("%w: name one that does not exist yet", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: name one that this user may write", err)
	case err != nil:
		return nil, err
	}
	return w, nil
}

// version names this module and k6 as the build recorded them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	for _, d := range info.Deps {
		if d.Path == "go.k6.io/k6/v2" {
			return "assay-k6 " + v + ", k6 " + d.Version
		}
	}
	return "assay-k6 " + v
}

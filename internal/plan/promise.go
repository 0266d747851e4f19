package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// SLO names files of promises to users.
type SLO struct {
	Files []string `yaml:"files" json:"files" jsonschema:"minItems=1,description=OpenSLO files; relative to the plan. Each of their objectives becomes one of the plan."`
}

// Window is how long a budget lasts, in whole hours, days or weeks: 12h, 30d, 4w.
type Window time.Duration

// Limits of a window.
const (
	minWindow = time.Hour
	maxWindow = 366 * 24 * time.Hour
	oneDay    = 24 * time.Hour
)

// UnmarshalText reads a window.
func (w *Window) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	bad := fmt.Errorf("%q is no window of a budget; write for example 30d, 4w or 12h; 1h to 366d", text)
	if text == "" {
		return bad
	}
	unit, ok := map[byte]time.Duration{'h': time.Hour, 'd': oneDay, 'w': 7 * oneDay}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
	d := time.Duration(n) * unit
	if !ok || err != nil || d < minWindow || d > maxWindow {
		return bad
	}
	*w = Window(d)
	return nil
}

// MarshalText writes a window as it is read.
func (w Window) MarshalText() ([]byte, error) {
	if d := time.Duration(w); d%oneDay == 0 {
		return fmt.Appendf(nil, "%dd", d/oneDay), nil
	}
	return fmt.Appendf(nil, "%dh", time.Duration(w)/time.Hour), nil
}

// JSONSchema describes a window.
func (Window) JSONSchema() *jsonschema.Schema { return text(`^[0-9]+[hdw]$`, "30d") }

// promised are the metrics of requests that can be promised a share of.
var promised = []string{"availability", "ttft", "e2e", "tpot"}

// promise checks an objective with a target and returns what it asks of a run.
func (c *checker) promise(at string, o *Objective, p *Plan) (assay.Objective, bool) {
	wrong := len(c.errs)
	if o.Metric == "availability/natural" {
		o.Metric = "availability"
	}
	if !slices.Contains(promised, o.Metric) {
		c.bad(at+".metric", "%q is no metric that a target is a share of; one of %s", o.Metric, strings.Join(promised, ", "))
		return assay.Objective{}, false
	}
	if v, err := o.Target.In(assay.Ratio); err != nil {
		c.bad(at+".target", "%v", err)
	} else if !(v > 0 && v < 1) {
		c.bad(at+".target", "%g leaves no budget, or nothing but one; more than 0%% and less than 100%%, for example 99.9%%", v)
	}
	switch {
	case o.Metric == "availability" && o.Max != nil:
		c.bad(at+".max", "belongs to a latency; a request is available or is not")
	case o.Metric != "availability" && o.Max == nil:
		c.bad(at, "needs max: how slow a good request may be, for example 2s")
	case o.Max != nil:
		if v, err := o.Max.In(assay.Seconds); err != nil {
			c.bad(at+".max", "%v", err)
		} else if !(v > 0) {
			c.bad(at+".max", "no request is that fast; more than 0s")
		}
	}
	for name, set := range map[string]bool{"min": o.Min != nil, "fault": o.Fault != "", "cause": o.Cause != "", "cold": o.Cold != "", "by": o.By != "", "forced": o.Forced} {
		if set {
			c.bad(at+"."+name, "does not go with target; a promise is of all requests, of one phase or of one class")
		}
	}
	if names, ok := p.classes(); o.Class != "" && ok && !slices.Contains(names, o.Class) {
		c.bad(at+".class", "no load has class %q; %s", o.Class, suggest.Meant(o.Class, names))
	}
	if len(c.errs) > wrong {
		return assay.Objective{}, false
	}
	s := o.promise(p)
	return s.Objective(), true
}

// promise returns an objective with a target as a promise.
func (o *Objective) promise(p *Plan) assay.SLO {
	s := assay.SLO{Name: o.Name, Service: p.Name, Window: int64(30 * oneDay), Good: assay.Indicator{Metric: o.Metric, Phase: o.Phase, Class: o.Class}}
	v, _ := o.Target.In(assay.Ratio)
	s.Target = math.Round(v*1e12) / 1e12 // 99.9 / 100 is not the float that 0.999 is
	if o.Window != 0 {
		s.Window = int64(o.Window)
	}
	name := o.Metric
	if o.Max != nil {
		v, _ := o.Max.In(assay.Seconds)
		s.Good.Max = int64(v * 1e9)
		name += "-" + o.Max.text
	}
	for _, part := range []string{o.Class, o.Phase} {
		if part != "" {
			name += "-" + part
		}
	}
	if s.Name == "" {
		s.Name = name
	}
	return s
}

// Promises returns the objectives with a target, in order, and what was read of OpenSLO files. Validate has checked them.
func (p *Plan) Promises() []assay.SLO {
	var out []assay.SLO
	for i := range p.Objectives {
		if o := &p.Objectives[i]; o.Target != nil {
			s := o.promise(p)
			s.From = o.path(i)
			out = append(out, s)
		}
	}
	return append(out, p.OpenSLO...)
}

// promises checks what belongs to a target, and that no two promises have one name.
func (c *checker) promises(p *Plan) {
	taken := map[string]bool{}
	for i := range p.Objectives {
		o := &p.Objectives[i]
		at := o.path(i)
		if o.Target == nil {
			for name, set := range map[string]bool{"window": o.Window != 0, "name": o.Name != ""} {
				if set {
					c.bad(at+"."+name, "belongs to target, the share that is promised; give target too")
				}
			}
			continue
		}
		if o.Name != "" && !nameForm.MatchString(o.Name) {
			c.bad(at+".name", "%q is not a name; use 1 to 63 letters, digits, dots, dashes and underscores", o.Name)
		}
		name := o.promise(p).Name
		if taken[name] {
			c.bad(at, "is the second promise with the name %s; give it a name of its own", name)
		}
		taken[name] = true
	}
	if p.SLO != nil && len(p.SLO.Files) == 0 {
		c.bad("slo.files", "is empty; want the names of OpenSLO files")
	}
}

package plan

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// Suite asks for a standard sequence of load and faults. It is written out as phases, faults and objectives when the plan is read, as presets
// are. What cannot be done to the target or on this machine is taken out again when the plan is validated, and said to be unmeasured.
type Suite struct {
	Name  string   `yaml:"name" json:"name" jsonschema:"enum=serverless-model,description=Name of the suite; assay list suite describes it."`
	Size  string   `yaml:"size" json:"size,omitempty" jsonschema:"enum=quick,enum=full,description=quick takes two to three minutes; full some minutes more. Default full."`
	Rate  Rate     `yaml:"rate" json:"rate,omitempty" jsonschema:"description=Rate of the load. Default that of the suite; another one is no longer the standard."`
	Steps []string `yaml:"steps" json:"steps,omitempty" jsonschema:"description=Only these steps; the others are unmeasured. Default all."`
	Idle  Duration `yaml:"idle" json:"idle,omitempty" jsonschema:"description=How long the target has to be silent to be at zero instances; known of the sandbox. Without it no step begins at zero."`
	Cache string   `yaml:"cache" json:"cache,omitempty" jsonschema:"description=Absolute path of the model cache on this machine; to be filled it must lie on a file system of its own of at most 4 GiB."`

	Monitored bool `yaml:"monitored" json:"monitored,omitempty" jsonschema:"description=Somebody watches the kernel log of this machine for errors of GPUs: then a simulated one is written."`

	def  *suiteDef
	left map[string]string // by name of the step, why it is not measured
}

// short reads the name alone.
func (s *Suite) short(text string) error { s.Name = text; return nil }

// SuiteKind is a suite as lists show it.
type SuiteKind struct {
	Name    string
	Version int
	Help    string
	Steps   []SuiteStepKind
	Sizes   []string
}

// SuiteStepKind is one step of a suite as lists show it.
type SuiteStepKind struct {
	Name, Title string
	Weight      float64
}

// suiteHead is the first document of a suite's definition.
type suiteHead struct {
	Name    string                         `yaml:"name"`
	Version int                            `yaml:"version"`
	Help    string                         `yaml:"help"`
	Rate    Rate                           `yaml:"rate"`
	Sizes   map[string]map[string]Duration `yaml:"sizes"`
}

// suiteDef is the second document, its variables filled in.
type suiteDef struct {
	Sandbox    Sandbox     `yaml:"sandbox"`
	Model      string      `yaml:"model"`
	Before     []Load      `yaml:"before"`
	Steps      []suiteStep `yaml:"steps"`
	Objectives []Objective `yaml:"objectives"`
}

type suiteStep struct {
	Name   string     `yaml:"name"`
	Title  string     `yaml:"title"`
	Weight float64    `yaml:"weight"`
	Zero   bool       `yaml:"zero"`  // it begins with no instance, after a silence of $idle
	Needs  suiteNeeds `yaml:"needs"` // of the plan
	Load   []Load     `yaml:"load"`
	Ways   []suiteWay `yaml:"ways"` // the first that can be done is taken
}

type suiteNeeds struct {
	Cache     string `yaml:"cache"`
	Monitored string `yaml:"monitored"`
}

type suiteWay struct {
	Chaos []Fault `yaml:"chaos"`
}

// LeftOut is why a step is not measured that the plan does not name.
const LeftOut = "the plan leaves it out"

//go:embed suites/serverless-model.yaml
var serverlessModel []byte

// suiteFiles are the definitions of the suites, by name.
var suiteFiles = map[string][]byte{"serverless-model": serverlessModel}

// SuiteKinds returns the suites there are.
func SuiteKinds() []SuiteKind {
	var out []SuiteKind
	for _, name := range sortedKeys(suiteFiles) {
		head, def, err := readSuite(&Suite{Name: name, Size: "full"}, 0)
		if err != nil {
			panic(fmt.Sprintf("plan: suite %s: %v", name, err)) // a test reads them all
		}
		k := SuiteKind{Name: name, Version: head.Version, Help: head.Help, Sizes: sortedKeys(head.Sizes)}
		for _, s := range def.Steps {
			k.Steps = append(k.Steps, SuiteStepKind{s.Name, s.Title, s.Weight})
		}
		out = append(out, k)
	}
	return out
}

// readSuite reads the definition of a suite and fills in its variables. deadline is that of a request; 0 for that of the suite's size.
func readSuite(s *Suite, deadline Duration) (*suiteHead, *suiteDef, error) {
	file := "suite " + s.Name
	first, second, ok := bytes.Cut(suiteFiles[s.Name], []byte("\n---\n"))
	if !ok {
		return nil, nil, errors.New("its definition has no second document")
	}
	head, def := &suiteHead{}, &suiteDef{}
	if _, err := decode(file, first, head); err != nil {
		return nil, nil, err
	}
	rate := cmp.Or(s.Rate, head.Rate)
	vars := map[string]string{"rate": fmt.Sprintf("%g/s", float64(rate)), "spike": fmt.Sprintf("%g/s", 3*float64(rate)), "cache": fmt.Sprintf("%q", s.Cache)}
	size := head.Sizes[s.Size]
	for name, d := range size {
		vars[name] = d.D().String()
	}
	idle := cmp.Or(s.Idle, size["idle"])
	vars["idle"] = idle.D().String()
	vars["late"] = (idle.D() - min(idle.D(), 500*time.Millisecond)).String()
	vars["slow"] = (idle.D() + size["cold"].D()/2).String()
	long := cmp.Or(deadline, size["deadline"]).D() * 3 / 2
	vars["long"] = long.String()
	vars["stuck"] = ((size["one"] - size["hold"]).D() + long).String()
	text := os.Expand(string(second), func(name string) string {
		v, ok := vars[name]
		if !ok {
			return "$" + name // refused by whoever decodes it
		}
		return v
	})
	if _, err := decode(file, []byte(text), def); err != nil {
		return nil, nil, err
	}
	for i := range def.Steps {
		def.Steps[i].complete(idle)
	}
	return head, def, nil
}

// complete names what the definition leaves to be named after the step, and puts the silence in front that it begins with.
func (s *suiteStep) complete(idle Duration) {
	for i := range s.Load {
		orElse(&s.Load[i].Name, s.Name)
		s.Load[i].Prompt = Lengths{Tokens: 16}
	}
	if s.Zero {
		s.Load = append([]Load{{Name: s.Name + "-idle", For: idle, Settle: true}}, s.Load...)
	}
	for _, w := range s.Ways {
		for i := range w.Chaos {
			orElse(&w.Chaos[i].Phase, s.Name)
		}
	}
}

// expandSuite writes the suite out as phases and objectives. Its faults follow when it is known which can be done: see settleSuite.
func (p *Plan) expandSuite(c *checker) {
	s := p.Suite
	if s == nil {
		return
	}
	orElse(&s.Size, "full")
	if _, ok := suiteFiles[s.Name]; !ok {
		c.bad("suite.name", "%q is no suite; %s", s.Name, suggest.Meant(s.Name, sortedKeys(suiteFiles)))
		return
	}
	for what, is := range map[string]bool{"load": p.Load != nil, "chaos": p.Chaos != nil} {
		if is {
			c.bad(what, "stands beside suite %s, which sets it; leave one out", s.Name)
		}
	}
	if s.Size != "quick" && s.Size != "full" {
		c.bad("suite.size", "%q is unknown; quick or full", s.Size)
		return
	}
	if s.Rate < 0 || s.Rate > 1000 {
		c.bad("suite.rate", "%g/s is out of range; more than 0 and at most 1000/s", float64(s.Rate))
		return
	}
	if s.Idle < 0 || s.Idle.D() > time.Hour {
		c.bad("suite.idle", "%v is out of range; at most 1h", s.Idle.D())
		return
	}
	sandbox := p.Target.Kind == "sandbox"
	head, def, err := readSuite(s, p.suiteDeadline())
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	if sandbox {
		orElse(&p.Target.Deadline, head.Sizes[s.Size]["deadline"])
	}
	s.def, s.left = def, map[string]string{}
	var names []string
	for i := range def.Steps {
		names = append(names, def.Steps[i].Name)
	}
	for i, name := range s.Steps {
		if !slices.Contains(names, name) {
			c.bad(fmt.Sprintf("suite.steps[%d]", i), "%q is no step of suite %s; %s", name, s.Name, suggest.Meant(name, names))
		}
	}
	if sandbox && p.Target.Sandbox.empty() {
		p.Target.Sandbox = def.Sandbox
		orElse(&p.Target.Model, def.Model)
	}
	p.Load = slices.Clone(def.Before)
	for i := range def.Steps {
		st := &def.Steps[i]
		switch {
		case s.Steps != nil && !slices.Contains(s.Steps, st.Name):
			s.left[st.Name] = LeftOut
			continue
		case st.Zero && !sandbox && s.Idle == 0:
			s.left[st.Name] = "how long the target must be silent to be at zero instances is not known; give suite.idle"
			continue
		case st.Needs.Cache != "" && s.Cache == "":
			s.left[st.Name] = "needs suite.cache: " + st.Needs.Cache
			continue
		case st.Needs.Monitored != "" && !s.Monitored:
			s.left[st.Name] = "needs suite.monitored: " + st.Needs.Monitored
			continue
		}
		p.Load = append(p.Load, st.Load...)
	}
	own := p.Objectives
	for _, o := range def.Objectives {
		o.at = "suite"
		if !slices.ContainsFunc(own, func(x Objective) bool { return sameKind(x.Metric, o.Metric) && x.Fault == o.Fault }) {
			p.Objectives = append(p.Objectives, o)
		}
	}
}

// suiteDeadline returns the deadline that the suite is to go by: that of the plan and, for a sandbox without one, 0 for the suite's own. A sandbox starts
// in about a second; how long another target takes is for the plan to say.
func (p *Plan) suiteDeadline() Duration {
	if p.Target.Deadline == 0 && p.Target.Kind != "sandbox" {
		return Duration(defaultDeadline)
	}
	return p.Target.Deadline
}

// sameKind reports whether two metrics differ in their quantile at most.
func sameKind(a, b string) bool {
	x, _, quantileX := strings.Cut(a, "/p")
	y, _, quantileY := strings.Cut(b, "/p")
	return a == b || quantileX && quantileY && x == y
}

// settleSuite adds the faults of the suite that can be done, takes out the phases and objectives of the others, and keeps why.
func (p *Plan) settleSuite(kinds []FaultKind) {
	s := p.Suite
	if s == nil || s.def == nil {
		return
	}
	p.Chaos = nil
	gone := map[string]bool{}
	for i := range s.def.Steps {
		st := &s.def.Steps[i]
		if s.left[st.Name] != "" {
			continue
		}
		var why []string
		done := false
		for _, w := range st.Ways {
			if reason := p.cannot(w, kinds); reason != "" {
				why = append(why, reason)
				continue
			}
			for _, f := range w.Chaos {
				if len(w.Chaos) == 1 {
					f.Name = st.Name // what reports call it
				}
				orElse(&f.Instances, Count{N: 1})
				p.Chaos = append(p.Chaos, f)
			}
			done = true
			break
		}
		if !done {
			s.left[st.Name] = strings.Join(why, "; ")
			for _, l := range st.Load {
				gone[l.Name] = true
			}
		}
	}
	p.Load = slices.DeleteFunc(p.Load, func(l Load) bool { return gone[l.Name] })
	p.Objectives = slices.DeleteFunc(p.Objectives, func(o Objective) bool {
		return o.at == "suite" && o.Fault != "" && !slices.ContainsFunc(p.Chaos, func(f Fault) bool { return f.Fault == o.Fault })
	})
}

// cannot says why a way of a step cannot be gone, or "".
func (p *Plan) cannot(w suiteWay, kinds []FaultKind) string {
	for i := range w.Chaos {
		if !slices.ContainsFunc(kinds, func(k FaultKind) bool { return k.Name == w.Chaos[i].Fault }) {
			return "assay has no fault " + w.Chaos[i].Fault
		}
	}
	q := *p
	q.Chaos = slices.Clone(w.Chaos)
	for i := range q.Chaos {
		orElse(&q.Chaos[i].Instances, Count{N: 1})
	}
	c := &checker{d: p.src}
	c.faults(&q, kinds)
	if len(c.errs) > 0 {
		var e *Error
		if errors.As(c.errs[0], &e) {
			return e.Msg
		}
		return c.errs[0].Error()
	}
	for i := range q.Chaos {
		f := &q.Chaos[i]
		j := slices.IndexFunc(kinds, func(k FaultKind) bool { return k.Name == f.Fault })
		if refuses := kinds[j].Refuses; refuses != nil {
			if err := refuses(f); err != nil {
				return err.Error()
			}
		}
	}
	return ""
}

// Standard returns the suite of a plan that was validated, with what of it is not measured; nil without one.
func (p *Plan) Standard() *assay.Suite {
	s := p.Suite
	if s == nil || s.def == nil {
		return nil
	}
	head, _, err := readSuite(s, 0)
	if err != nil {
		return nil // it was read before
	}
	out := &assay.Suite{Name: s.Name, Version: head.Version, Size: s.Size}
	for i := range s.def.Steps {
		st := &s.def.Steps[i]
		one := assay.SuiteStep{Name: st.Name, Title: st.Title, Weight: st.Weight, Unmeasured: s.left[st.Name]}
		for _, l := range st.Load {
			if one.Unmeasured == "" {
				one.Phases = append(one.Phases, l.Name)
			}
		}
		out.Steps = append(out.Steps, one)
	}
	return out
}

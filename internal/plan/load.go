package plan

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// Load is one phase: arrivals for a time, a closed loop, a search, a hold, or silence; or a preset that stands for several phases.
type Load struct {
	Name     string     `yaml:"name" json:"name" jsonschema:"description=Name of the phase; objectives select by it. Default for a preset: its name."`
	Role     assay.Role `yaml:"role" json:"role,omitempty" jsonschema:"enum=warmup,enum=steady,enum=stress,enum=idle,enum=cold,description=warmup is shown but not judged; stress is beyond the limit on purpose. Default steady; idle without load."`
	For      Duration   `yaml:"for" json:"for,omitempty" jsonschema:"description=How long. Not needed for a search\\, a preset\\, and arrivals that end of themselves: stages\\, ladder\\, trace."`
	Until    string     `yaml:"until" json:"until,omitempty" jsonschema:"enum=decided,description=decided: the phase ends as soon as the objective with against is decided; for is then the longest it may last. Of the last phase."`
	Max      int        `yaml:"max" json:"max,omitempty" jsonschema:"minimum=1,description=Most requests; of sessions\\, most first turns. Default: no limit."`
	Settle   bool       `yaml:"settle" json:"settle,omitempty" jsonschema:"description=Wait before it begins until nothing is in flight."`
	Class    string     `yaml:"class" json:"class,omitempty" jsonschema:"description=Class written on the requests."`
	Arrivals *Arrivals  `yaml:"arrivals" json:"arrivals,omitempty" jsonschema:"description=When requests are due. Without any load the phase is idle."`
	Closed   *Closed    `yaml:"closed" json:"closed,omitempty" jsonschema:"description=Hold the number of requests in flight instead of a rate."`
	Search   *Search    `yaml:"search" json:"search,omitempty" jsonschema:"description=Find a limit instead of holding a rate."`
	Cold     *Cold      `yaml:"cold" json:"cold,omitempty" jsonschema:"description=Make cold starts without waiting for idle time-outs. target.cold says how unless the target is the sandbox."`
	Hold     *Hold      `yaml:"hold" json:"hold,omitempty" jsonschema:"description=Poisson load at a share of what an earlier search found."`

	Prompt  Lengths  `yaml:"prompt" json:"prompt,omitempty" jsonschema:"description=Length of prompts. Default 64 tokens."`
	Output  Lengths  `yaml:"output" json:"output,omitempty" jsonschema:"description=Length of answers asked for. Default 32 tokens."`
	Prefix  *Prefix  `yaml:"prefix" json:"prefix,omitempty" jsonschema:"description=What prompts have in common."`
	Session *Session `yaml:"session" json:"session,omitempty" jsonschema:"description=Conversations of several turns instead of single requests."`
	Users   *Users   `yaml:"users" json:"users,omitempty" jsonschema:"description=The population that requests or sessions come from\\, the same in all phases: a number or more. Default: a session is a user and so is a slot of closed; other requests are of nobody."`
	Mix     []Share  `yaml:"mix" json:"mix,omitempty" jsonschema:"description=Classes of requests; they replace class."`
	Prompts *Prompts `yaml:"prompts" json:"prompts,omitempty" jsonschema:"description=Prompts from a file instead of made-up ones."`

	K6   string            `yaml:"k6" json:"k6,omitempty" jsonschema:"description=Run this k6 script with assay-k6 instead. Its requests\\, thresholds and scenarios (as phases NAME/SCENARIO) become part of the run. For is then the longest it may last; default 30m."`
	Env  map[string]string `yaml:"env" json:"env,omitempty" jsonschema:"description=For k6: environment of the script beside our own. No secrets: those it inherits."`
	Args []string          `yaml:"args" json:"args,omitempty" jsonschema:"description=For k6: further arguments of k6 run."`

	Preset string           `yaml:"preset" json:"preset,omitempty" jsonschema:"enum=load,enum=stress,enum=concurrency,enum=latency,enum=soak,description=A kind of test that stands for several phases; assay list preset says what each answers."`
	Rate   Rate             `yaml:"rate" json:"rate,omitempty" jsonschema:"description=For a preset: its rate\\, for stress that of the first step. Default: the preset's."`
	N      int              `yaml:"n" json:"n,omitempty" jsonschema:"minimum=1,description=For preset concurrency: requests in flight. Default 8."`
	SLO    map[string]Value `yaml:"slo" json:"slo,omitempty" jsonschema:"description=For a preset: metric and its highest allowed value; for stress what breaks at the limit\\, else objectives."`

	at string // where it stands in the plan: a preset's phases stand where it did
}

// Hold is load at a share of the highest rate that a search found.
type Hold struct {
	Of    string   `yaml:"of" json:"of" jsonschema:"description=Name of the search phase."`
	Share Fraction `yaml:"share" json:"share,omitempty" jsonschema:"description=Share of the highest rate that held\\, more than 0 and at most 1. Default 0.8."`
}

// idle reports whether the phase puts no load on the target.
func (l *Load) idle() bool {
	return l.Arrivals == nil && l.Closed == nil && l.Search == nil && l.Hold == nil && l.Cold == nil && l.K6 == ""
}

// length returns how long the phase takes at most. ok is false where only its trace knows.
func (l *Load) length() (d time.Duration, ok bool) {
	switch {
	case l.Search != nil:
		return l.Search.length(), true
	case l.Cold != nil && l.For == 0:
		return l.Cold.lasts(), true
	case l.For != 0 || l.Arrivals == nil:
		return l.For.D(), true
	}
	return l.Arrivals.lasts()
}

// expect returns how many requests the phase is expected to send; NaN where that is decided in the run, or known to its trace only.
func (l *Load) expect() float64 {
	switch {
	case l.Search != nil:
		return l.Search.expect()
	case l.Cold != nil:
		return float64(l.Cold.Force)
	case l.Closed != nil || l.Hold != nil || l.K6 != "":
		return math.NaN()
	case l.Arrivals == nil:
		return 0
	}
	d, _ := l.length()
	n := l.Arrivals.expect(d)
	if l.Max > 0 && !(n <= float64(l.Max)) {
		n = float64(l.Max)
	}
	return n
}

// load checks phase i and returns the number of requests it plans at most, NaN where nothing tells.
func (c *checker) load(p *Plan, i int, phases map[string]bool) float64 {
	l := &p.Load[i]
	at := l.at
	switch {
	case !nameForm.MatchString(l.Name):
		c.bad(at+".name", "%q is not a name; use letters, digits, dots, dashes and underscores", l.Name)
	case phases[l.Name]:
		c.bad(at+".name", "%q is taken by an earlier phase", l.Name)
	}
	phases[l.Name] = true
	c.oneOf(at+".role", string(l.Role), "warmup", "steady", "stress", "idle", "cold")
	if l.Max < 0 {
		c.bad(at+".max", "%d is out of range; 1 or more", l.Max)
	}
	c.workload(at, l)
	c.k6(at, l)
	if l.K6 != "" && p.Target.Host != "" {
		c.bad("target.host", "a k6 script connects by itself: give its options hosts, and a url with the name")
	}
	var given []string
	for name, is := range map[string]bool{"arrivals": l.Arrivals != nil, "closed": l.Closed != nil, "search": l.Search != nil, "hold": l.Hold != nil,
		"cold": l.Cold != nil, "k6": l.K6 != ""} {
		if is {
			given = append(given, name)
		}
	}
	if slices.Sort(given); len(given) > 1 {
		c.bad(at, "has %s; give one of them", strings.Join(given, " and "))
	}
	if l.Search != nil {
		if l.For != 0 {
			c.bad(at+".for", "stands beside search, which sets its own time; leave for out")
		}
		return c.search(at+".search", l.Search)
	}
	if l.Arrivals != nil {
		c.arrivals(at+".arrivals", l.Arrivals)
	}
	if l.Cold != nil {
		return c.cold(at, l, p)
	}
	c.phaseLength(at, l)
	switch {
	case l.idle() && l.Role != assay.RoleIdle:
		c.bad(at, "has role %s but no load; give arrivals, closed, search, cold or k6", l.Role)
	case l.Role == assay.RoleCold:
		c.bad(at, "has role cold and forces no cold start; give cold, or another role")
	case !l.idle() && l.Role == assay.RoleIdle:
		c.bad(at, "has role idle and load; leave one out")
	}
	if l.Closed != nil {
		c.closed(at+".closed", l.Closed, p.Target.Cap)
	}
	if h := l.Hold; h != nil {
		if !(h.Share > 0 && h.Share <= 1) {
			c.bad(at+".hold.share", "%g is out of range; more than 0 and at most 1", h.Share)
		}
		if !slices.ContainsFunc(p.Load[:i], func(q Load) bool { return q.Name == h.Of && q.Search != nil && q.Search.Knee == nil }) {
			c.bad(at+".hold.of", "%q is no search for saturation before this phase", h.Of)
		}
	}
	return l.expect()
}

// phaseLength checks how long a phase takes.
func (c *checker) phaseLength(at string, l *Load) {
	var own time.Duration
	ends := false
	if l.Arrivals != nil {
		own, ends = l.Arrivals.lasts()
		ends = ends || l.Arrivals.Trace != nil
	}
	switch {
	case l.For == 0 && ends:
	case l.For <= 0 || l.For.D() > maxFor:
		c.bad(at+".for", "is %v; a phase lasts more than 0 and at most %v", l.For.D(), maxFor)
	case ends && l.Arrivals.Trace == nil && l.For.D() > own:
		c.bad(at+".for", "%v is longer than its arrivals, %v; give at most that, or leave for out", l.For.D(), own)
	}
}

// path names the objective where it stands: at the preset that stands for it, or in the list.
func (o *Objective) path(i int) string {
	if o.at != "" {
		return o.at
	}
	return fmt.Sprintf("objectives[%d]", i)
}

// Path returns the path of a file that the plan names: relative to the plan's directory unless it is absolute.
func (p *Plan) Path(file string) string {
	if file == "" || filepath.IsAbs(file) || p.src == nil || p.src.file == "" {
		return file
	}
	return filepath.Join(filepath.Dir(p.src.file), file)
}

// Paths returns the path of each file.
func (p *Plan) Paths(files []string) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = p.Path(f)
	}
	return out
}

// Wrong returns err as an Error at a setting of phase i, given by its path within the phase, for example "arrivals.trace".
func (p *Plan) Wrong(i int, path string, err error) error {
	if err == nil {
		return nil
	}
	c := &checker{d: p.src}
	c.bad(p.Load[i].at+"."+path, "%v", err)
	return c.err()
}

// New completes a plan that was not read from a file: it fills in defaults and checks it as Parse does.
func New(p Plan) (*Plan, error) {
	p.src = &decoder{}
	if err := p.expand(); err != nil {
		return nil, err
	}
	p.defaults()
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// ParseArrivals reads one arrival process: a name, which gets the given mean rate and defaults for the rest, or the YAML that
// stands under arrivals in a plan.
func ParseArrivals(text string, rate Rate) (*Arrivals, error) {
	var a Arrivals
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		if !slices.Contains(fieldsOf(&a), text) {
			return nil, fmt.Errorf("%q is no arrival process; %s, or YAML such as {gamma: {rate: 5/s, cv: 3}}", text, choice(fieldsOf(&a)))
		}
		switch text {
		case "ladder":
			return &Arrivals{Ladder: &Ladder{}}, nil
		case "stages", "trace":
			return nil, fmt.Errorf("%s needs more than a rate; write for example {stages: {stages: [{rate: 5/s, for: 30s}]}} or {trace: trace.csv}", text)
		case "onoff":
			rate *= 2 // half of the time
		}
		text = fmt.Sprintf("{%s: {rate: %g/s}}", text, float64(rate))
	}
	if _, err := decode("", []byte(text), &a); err != nil {
		return nil, err
	}
	if len(fieldsGiven(&a)) == 0 {
		return nil, errors.New("no arrival process; give " + choice(fieldsOf(&a)))
	}
	return &a, nil
}

// fieldsOf returns the keys of a struct that v points to, in order.
func fieldsOf(v any) []string {
	var names []string
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		if name := fieldName(t.Field(i)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// fieldsGiven returns the keys of a struct that v points to which have a value.
func fieldsGiven(v any) []string {
	var names []string
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		if name := fieldName(s.Type().Field(i)); name != "" && !s.Field(i).IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// choice writes names as "a, b or c".
func choice(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func orElse[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

package chaos

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/suggest"
)

// Limits of one step. Beyond them a mistake is likelier than a wish.
const (
	MaxFor       = time.Hour
	MaxInstances = 1000
)

// A Step is one fault of an experiment and when it strikes.
type Step struct {
	Name      string        `json:"name,omitempty"`      // what its faults go by; its kind and number where empty
	Fault     string        `json:"fault"`               // name of the kind
	By        string        `json:"by,omitempty"`        // driver; local where empty
	Phase     string        `json:"phase,omitempty"`     // load phase that At counts from; empty is the beginning of the load
	At        time.Duration `json:"at_ns"`               // when it strikes
	When      string        `json:"when,omitempty"`      // condition that At counts from, once it is seen after the beginning of Phase
	Repeat    *Repeat       `json:"repeat,omitempty"`    // nil: it strikes once
	Group     *Group        `json:"group,omitempty"`     // that it belongs to; shared with the steps beside it
	Number    string        `json:"number,omitempty"`    // what its faults go by, as in kill-2.1; its place where empty
	Path      string        `json:"-"`                   // where it stands in the plan; for what is wrong with it
	For       time.Duration `json:"for_ns,omitempty"`    // how long it is held
	Instances int           `json:"instances,omitempty"` // how many instances are hurt; or
	Share     float64       `json:"share,omitempty"`     // which part of those ready, rounded up
	Delay     time.Duration `json:"delay_ns,omitempty"`  // delay: added to each direction
	Jitter    time.Duration `json:"jitter_ns,omitempty"` // delay: varies it by this much to either side
	Mode      string        `json:"mode,omitempty"`      // cut, http, stream: how; reset, status and fin where empty

	Rate  int64   `json:"rate,omitempty"`  // bandwidth: bytes per second and direction
	Bytes int64   `json:"bytes,omitempty"` // memory-limit: what is left; memory: what is held; disk: what is taken at most, 0 for all
	CPUs  int     `json:"cpus,omitempty"`  // cpu: busy threads
	Quota float64 `json:"quota,omitempty"` // cpu-quota: CPUs' worth of time
	Dir   string  `json:"dir,omitempty"`   // disk: absolute path
	Keep  int64   `json:"keep,omitempty"`  // disk: what stays free; 64 MiB at least

	Experiment string `json:"experiment,omitempty"` // experiment: its file

	// http and stream: what is done, and to which of the requests; see [faultproxy.Conditions].
	Status      int           `json:"status,omitempty"`
	RetryAfter  time.Duration `json:"retry_after_ns,omitempty"`
	Tokens      int           `json:"tokens,omitempty"`
	After       int64         `json:"after,omitempty"`
	First       int64         `json:"first,omitempty"`
	Every       int64         `json:"every,omitempty"`
	Probability float64       `json:"probability,omitempty"`
	Seed        uint64        `json:"seed,omitempty"`

	Names  []string `json:"names,omitempty"`  // dns: which names; all where empty
	Answer string   `json:"answer,omitempty"` // dns with mode wrong: an IP address
	Change *Change  `json:"change,omitempty"` // by kubernetes and lambda

	GPU   int `json:"gpu,omitempty"`   // gpu-memory, gpu-clocks, gpu-lost, xid: index of the card
	MHz   int `json:"mhz,omitempty"`   // gpu-clocks: of its cores
	Watts int `json:"watts,omitempty"` // gpu-clocks: most power
	XID   int `json:"xid,omitempty"`   // xid: number of the error; 79 where 0

	MeshSettings
}

// A Wrong is one thing wrong with a step: the field, and what would be right.
type Wrong struct {
	Path string // chaos[1].delay
	Msg  string
}

// Error returns "path: message".
func (w *Wrong) Error() string { return w.Path + ": " + w.Msg }

// Check returns all that is wrong with the steps, joined, each a *[Wrong] with the
// field's path below at (for example "chaos"); nil if they can be run on this machine.
func Check(at string, steps []Step) error {
	var errs []error
	for i := range steps {
		for _, w := range steps[i].check(i) {
			w.Path = place(at, steps, i) + "." + w.Path
			errs = append(errs, &w)
		}
	}
	return errors.Join(errs...)
}

// place returns where step i stands in the plan.
func place(at string, steps []Step, i int) string {
	if p := steps[i].Path; p != "" {
		return p
	}
	return fmt.Sprintf("%s[%d]", at, i)
}

func (s *Step) check(i int) []Wrong {
	k, ok := find(s.Fault)
	switch {
	case s.Fault == "":
		return []Wrong{{"fault", "is missing; one of " + strings.Join(kindNames(), ", ")}}
	case !ok:
		return []Wrong{{"fault", fmt.Sprintf("%q is no kind of fault; %s", s.Fault, suggest.Meant(s.Fault, kindNames()))}}
	}
	var w []Wrong
	bad := func(path, format string, args ...any) { w = append(w, Wrong{path, fmt.Sprintf(format, args...)}) }
	how, ok := s.how()
	if !ok {
		bad("by", "%s does not do %s; %s", s.by(), s.Fault, strings.Join(k.By(), ", "))
		return w
	}
	if s.by() == ByLocal {
		if err := k.Available(); err != nil {
			bad("fault", "%s cannot be done here: %v", s.Fault, err)
		}
	}
	w = append(w, s.checkSchedule(i)...)
	switch {
	case s.For < 0 || s.For > MaxFor:
		bad("for", "%v is out of range; at most %v", s.For, MaxFor)
	case s.For == 0 && k.Lasting:
		bad("for", "is missing: %s holds until it is undone; for example 5s", s.Fault)
	}
	switch {
	case s.Share != 0 && s.Instances != 0:
		bad("instances", "is a number or a share, not both")
	case s.Share != 0 && !(s.Share > 0 && s.Share <= 1):
		bad("instances", "a share of %v is out of range; more than 0%% and at most 100%%", s.Share)
	case s.Share == 0 && (s.Instances < 1 || s.Instances > MaxInstances):
		bad("instances", "%d is out of range; 1 to %d", s.Instances, MaxInstances)
	}
	if one := k.one(); one != "" && s.by() == ByLocal && (s.Share != 0 || s.Instances > 1) {
		bad("instances", "%s hurts the %s, not so many instances; leave it out", s.Fault, one)
	}
	for _, setting := range s.settings() {
		if !slices.Contains(how.settings, setting) {
			bad(setting, "belongs to %s, not %s", knowers(setting, s.by()), s.Fault)
		}
	}
	return append(w, how.check(s)...)
}

// settings returns the names of the settings of kinds that the step has.
func (s *Step) settings() []string {
	var names []string
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"experiment", s.Experiment != ""}, {"status", s.Status != 0}, {"retryAfter", s.RetryAfter != 0},
		{"delay", s.Delay != 0}, {"jitter", s.Jitter != 0}, {"mode", s.Mode != ""}, {"rate", s.Rate != 0}, {"bytes", s.Bytes != 0}, {"cpus", s.CPUs != 0}, {"quota", s.Quota != 0}, {"dir", s.Dir != ""}, {"keep", s.Keep != 0},
		{"tokens", s.Tokens != 0}, {"after", s.After != 0}, {"first", s.First != 0}, {"every", s.Every != 0}, {"probability", s.Probability != 0},
		{"names", len(s.Names) != 0}, {"answer", s.Answer != ""}, {"gpu", s.GPU != 0}, {"mhz", s.MHz != 0}, {"watts", s.Watts != 0}, {"xid", s.XID != 0},
	} {
		if x.set {
			names = append(names, x.name)
		}
	}
	return slices.Concat(names, s.Change.settings(), s.MeshSettings.set())
}

// count returns how many of n ready instances the step hurts.
func (s *Step) count(n int) int {
	if s.Share > 0 {
		return min(n, max(1, int(math.Ceil(s.Share*float64(n)-1e-9))))
	}
	return min(n, s.Instances)
}

// whom says in words whom the step hurts.
func (s *Step) whom() string {
	switch {
	case s.cold() && s.Instances == 1:
		return "1 instance that starts or is ready"
	case s.Share > 0:
		return fmt.Sprintf("%.0f%% of the ready instances", 100*s.Share)
	case s.Instances == 1:
		return "1 ready instance"
	}
	return fmt.Sprintf("%d ready instances", s.Instances)
}

func kindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

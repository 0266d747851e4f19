package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/suggest"
)

// Lengths is a distribution of lengths in tokens; exactly one is given. A plain number stands for tokens.
type Lengths struct {
	Tokens    int     `yaml:"tokens" json:"tokens,omitempty" jsonschema:"minimum=1,description=The same length for all."`
	Uniform   *Range  `yaml:"uniform" json:"uniform,omitempty" jsonschema:"description=Each length of a range alike."`
	Normal    *Spread `yaml:"normal" json:"normal,omitempty" jsonschema:"description=A normal distribution\\, rounded and clipped."`
	Lognormal *Spread `yaml:"lognormal" json:"lognormal,omitempty" jsonschema:"description=A lognormal distribution\\, which real prompts and answers resemble\\, rounded and clipped."`
	Histogram string  `yaml:"histogram" json:"histogram,omitempty" jsonschema:"description=File with a length on each line and\\, after a comma\\, how often it was seen."`
	Trace     *Trace  `yaml:"trace" json:"trace,omitempty" jsonschema:"description=Lengths of the requests of a recorded trace."`
}

// Range is a range of lengths.
type Range struct {
	Min int `yaml:"min" json:"min" jsonschema:"minimum=0,description=Shortest."`
	Max int `yaml:"max" json:"max" jsonschema:"description=Longest."`
}

// Spread is a distribution by its moments.
type Spread struct {
	Mean float64 `yaml:"mean" json:"mean" jsonschema:"description=Mean length\\, before it is clipped."`
	SD   float64 `yaml:"sd" json:"sd" jsonschema:"minimum=0,description=Standard deviation\\, before it is clipped."`
	Min  int     `yaml:"min" json:"min,omitempty" jsonschema:"minimum=0,description=What is shorter gets this length. Default 1."`
	Max  int     `yaml:"max" json:"max,omitempty" jsonschema:"description=What is longer gets this length. Default: no bound."`
}

func (l *Lengths) short(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q is not a length; write for example 64 or {lognormal: {mean: 300, sd: 200}}", text)
	}
	l.Tokens = n
	return nil
}

// Prefix makes prompts begin with the same tokens.
type Prefix struct {
	Share  *Fraction `yaml:"share" json:"share,omitempty" jsonschema:"description=Share of the prompts that begin with a prefix. Default 1."`
	Groups int       `yaml:"groups" json:"groups,omitempty" jsonschema:"minimum=1,description=How many prefixes there are. Default 1."`
	Tokens int       `yaml:"tokens" json:"tokens" jsonschema:"minimum=1,description=Length of a prefix; the prompt's length counts it."`
	Skew   float64   `yaml:"skew" json:"skew,omitempty" jsonschema:"description=Exponent of Zipf's law by which prefixes are used\\, more than 1. Default: all alike."`
}

// Session makes each arrival the first turn of a conversation.
type Session struct {
	Turns   Lengths  `yaml:"turns" json:"turns" jsonschema:"description=How many turns: a number or a distribution."`
	Think   Think    `yaml:"think" json:"think,omitempty" jsonschema:"description=Time from an answer to the next turn. Default 0s."`
	Message *Lengths `yaml:"message" json:"message,omitempty" jsonschema:"description=Length of a later message. Default: as prompt."`
}

// Think is a random time. A plain duration stands for its mean.
type Think struct {
	Mean Duration `yaml:"mean" json:"mean,omitempty" jsonschema:"description=Mean time."`
	CV   float64  `yaml:"cv" json:"cv,omitempty" jsonschema:"description=Coefficient of variation: 0 is fixed\\, 1 is exponential. Default 0."`
}

func (t *Think) short(text string) error { return t.Mean.UnmarshalText([]byte(text)) }

// Share is one class of a mix: a tenant, a priority, a kind of use.
type Share struct {
	Class   string            `yaml:"class" json:"class" jsonschema:"description=Class written on the requests."`
	Weight  *float64          `yaml:"weight" json:"weight,omitempty" jsonschema:"minimum=0,description=How often\\, relative to the other weights. Default 1."`
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" jsonschema:"description=Sent with its requests\\, for example a tenant's name; no secrets."`
	Prompt  *Lengths          `yaml:"prompt" json:"prompt,omitempty" jsonschema:"description=Length of its prompts. Default: the phase's."`
	Output  *Lengths          `yaml:"output" json:"output,omitempty" jsonschema:"description=Length of its answers. Default: the phase's."`
}

// Prompts is a file of prompts. A plain text stands for the file.
type Prompts struct {
	File   string `yaml:"file" json:"file" jsonschema:"description=File with a prompt on each line\\, or a JSON object with prompt and\\, if known\\, tokens and max_tokens."`
	Random bool   `yaml:"random" json:"random,omitempty" jsonschema:"description=Take them at random instead of in turn."`
}

func (p *Prompts) short(text string) error {
	p.File = text
	return nil
}

// Closed is a closed loop: n slots that each send the next request when the last one is answered.
type Closed struct {
	N     int      `yaml:"n" json:"n" jsonschema:"minimum=1,maximum=100000,description=Requests in flight at most: slots that each wait for their answer."`
	Think Think    `yaml:"think" json:"think,omitempty" jsonschema:"description=Time from an answer to the next request of a slot. Default 0s."`
	Ramp  Duration `yaml:"ramp" json:"ramp,omitempty" jsonschema:"description=Time in which the slots begin\\, one after another. Default 0s."`
}

func (l *Lengths) defaults(tokens int) {
	if len(fieldsGiven(l)) == 0 {
		l.Tokens = tokens
	}
	for _, s := range []*Spread{l.Normal, l.Lognormal} {
		if s != nil {
			orElse(&s.Min, 1)
		}
	}
}

func (l *Load) workloadDefaults() {
	l.Prompt.defaults(64)
	l.Output.defaults(32)
	one, all := 1.0, Fraction(1)
	if l.Prefix != nil {
		if l.Prefix.Share == nil {
			l.Prefix.Share = &all
		}
		orElse(&l.Prefix.Groups, 1)
	}
	for i := range l.Mix {
		s := &l.Mix[i]
		if s.Weight == nil {
			s.Weight = &one
		}
		for _, d := range []*Lengths{s.Prompt, s.Output} {
			if d != nil {
				d.defaults(0)
			}
		}
	}
	if s := l.Session; s != nil {
		s.Turns.defaults(0)
		if s.Message != nil {
			s.Message.defaults(0)
		}
	}
}

// lengths checks a distribution.
func (c *checker) lengths(at string, l *Lengths) {
	given := fieldsGiven(l)
	switch {
	case len(given) > 1:
		c.bad(at, "has both %s and %s; give one", given[0], given[1])
	case len(given) == 0 || l.Tokens != 0:
		if l.Tokens < 1 || l.Tokens > maxTokens {
			c.bad(at+".tokens", "%d is out of range; 1 to %d", l.Tokens, maxTokens)
		}
	case l.Uniform != nil:
		if u := l.Uniform; u.Min < 0 || u.Max < u.Min || u.Max > maxTokens {
			c.bad(at+".uniform", "from %d to %d is no range; 0 to %d, min first", u.Min, u.Max, maxTokens)
		}
	case l.Trace != nil:
		c.trace(at+".trace", l.Trace)
	}
	for name, s := range map[string]*Spread{"normal": l.Normal, "lognormal": l.Lognormal} {
		if s == nil {
			continue
		}
		at := at + "." + name
		if !(s.Mean > 0 && s.Mean <= maxTokens) {
			c.bad(at+".mean", "%g is out of range; more than 0 and at most %d", s.Mean, maxTokens)
		}
		if !(s.SD >= 0 && s.SD <= maxTokens) {
			c.bad(at+".sd", "%g is out of range; 0 to %d", s.SD, maxTokens)
		}
		if s.Min < 0 || s.Max != 0 && s.Max < s.Min || s.Max > maxTokens {
			c.bad(at+".max", "%d is out of range; at least min, %d, and at most %d", s.Max, s.Min, maxTokens)
		}
	}
}

func (c *checker) think(at string, t Think) {
	if !(t.CV == 0 || t.CV >= 0.01 && t.CV <= 20) {
		c.bad(at+".cv", "%g is out of range; 0, or 0.01 to 20", t.CV)
	}
}

// workload checks what a phase sends, apart from when.
func (c *checker) workload(at string, l *Load) {
	c.lengths(at+".prompt", &l.Prompt)
	c.lengths(at+".output", &l.Output)
	if x := l.Prefix; x != nil {
		if !(*x.Share >= 0 && *x.Share <= 1) {
			c.bad(at+".prefix.share", "%g is out of range; 0 to 1", *x.Share)
		}
		if x.Groups < 1 || x.Groups > 1<<20 {
			c.bad(at+".prefix.groups", "%d is out of range; 1 to %d", x.Groups, 1<<20)
		}
		if x.Tokens < 1 || x.Tokens > maxTokens {
			c.bad(at+".prefix.tokens", "%d is out of range; 1 to %d", x.Tokens, maxTokens)
		}
		if x.Skew != 0 && !(x.Skew > 1 && x.Skew <= 10) {
			c.bad(at+".prefix.skew", "%g is out of range; more than 1 and at most 10", x.Skew)
		}
	}
	if s := l.Session; s != nil {
		c.lengths(at+".session.turns", &s.Turns)
		if s.Message != nil {
			c.lengths(at+".session.message", s.Message)
		}
		c.think(at+".session.think", s.Think)
		switch {
		case l.Search != nil:
			c.bad(at+".session", "does not go with search, which decides a rate by the requests due in a step; leave one out")
		case l.Arrivals != nil && l.Arrivals.Trace != nil:
			c.bad(at+".session", "does not go with a trace, which has requests of its own; leave one out")
		}
	}
	if p := l.Prompts; p != nil {
		if p.File == "" {
			c.bad(at+".prompts", "names no file; give file")
		}
		if l.Prefix != nil || l.Session != nil {
			c.bad(at+".prompts", "does not go with prefix or session: prompts from a file are sent as they are")
		}
	}
	c.users(at+".users", l)
	c.mix(at+".mix", l.Mix)
}

func (c *checker) mix(at string, mix []Share) {
	total, seen := 0.0, map[string]bool{}
	for i := range mix {
		s := &mix[i]
		at := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case s.Class == "":
			c.bad(at, "has no class; name it")
		case seen[s.Class]:
			c.bad(at+".class", "%q stands twice", s.Class)
		}
		seen[s.Class] = true
		if !(*s.Weight >= 0) || math.IsInf(*s.Weight, 0) {
			c.bad(at+".weight", "%g is out of range; 0 or more", *s.Weight)
		}
		total += math.Abs(*s.Weight) // one that is out of range was refused above
		for name, l := range map[string]*Lengths{"prompt": s.Prompt, "output": s.Output} {
			if l != nil {
				c.lengths(at+"."+name, l)
			}
		}
		c.headers(at+".headers", s.Headers)
	}
	if len(mix) > 0 && !(total > 0) {
		c.bad(at, "has weights that add up to 0; give at least one class a weight")
	}
}

func (c *checker) closed(at string, l *Closed, inFlight int) {
	switch {
	case l.N < 1 || l.N > 100_000:
		c.bad(at+".n", "%d is out of range; 1 to 100000", l.N)
	case l.N > inFlight:
		c.bad(at+".n", "%d is more than target.cap lets be in flight, %d; raise cap", l.N, inFlight)
	}
	if l.Ramp.D() > 24*time.Hour {
		c.bad(at+".ramp", "%v is out of range; at most 24h", l.Ramp.D())
	}
	c.think(at+".think", l.Think)
}

// classes returns the classes that the plan's load names. ok is false where a trace or script may bring others.
func (p *Plan) classes() (names []string, ok bool) {
	ok = true
	for i := range p.Load {
		l := &p.Load[i]
		if l.Class != "" {
			names = append(names, l.Class)
		}
		for _, s := range l.Mix {
			names = append(names, s.Class)
		}
		ok = ok && l.K6 == "" && (l.Arrivals == nil || l.Arrivals.Trace == nil)
	}
	return names, ok
}

// byClass are the metrics besides latencies that are told by class.
var byClass = []string{"goodput/ratio", "availability/natural", "error_ratio", "neighbour/latency"}

// class checks the class that an objective asks for.
func (c *checker) class(at string, o Objective, p *Plan) {
	if head, _, _ := strings.Cut(o.Metric, "/"); !slices.Contains([]string{"ttft", "itl", "tpot", "e2e"}, head) && !slices.Contains(byClass, o.Metric) {
		c.bad(at, "belongs to latencies, %s; %s is not told by class", strings.Join(byClass, ", "), o.Metric)
		return
	}
	c.classNamed(at, o.Class, p)
}

// classNamed checks that some load has the class, or may have it.
func (c *checker) classNamed(at, class string, p *Plan) {
	if names, ok := p.classes(); ok && !slices.Contains(names, class) {
		c.bad(at, "no load has class %q; %s", class, suggest.Meant(class, names))
	}
}

// share returns the part of a phase's requests that have the class, as far as the plan tells.
func (l *Load) share(class string) float64 {
	if class == "" || len(l.Mix) == 0 {
		return 1
	}
	total, of := 0.0, 0.0
	for _, s := range l.Mix {
		if total += *s.Weight; s.Class == class {
			of += *s.Weight
		}
	}
	return of / total
}

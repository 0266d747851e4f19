package plan

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// K6Longest is how long a k6 phase may last that does not say.
const K6Longest = 30 * time.Minute

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// k6Defaults fills in what a phase that runs a script does not say.
func (l *Load) k6Defaults() {
	if l.K6 != "" && l.For == 0 {
		l.For = Duration(K6Longest)
	}
}

// k6 checks what belongs to a phase that runs a script.
func (c *checker) k6(at string, l *Load) {
	if l.K6 == "" {
		if len(l.Env) > 0 || len(l.Args) > 0 {
			c.bad(at, "has env or args without k6; they belong to a script")
		}
		return
	}
	for name, given := range map[string]bool{"prefix": l.Prefix != nil, "session": l.Session != nil, "users": l.Users != nil, "mix": len(l.Mix) > 0, "prompts": l.Prompts != nil, "class": l.Class != "",
		"max": l.Max != 0} {
		if given {
			c.bad(at+"."+name, "does not go with k6, whose script says what is sent; leave one out")
		}
	}
	for name := range l.Env {
		if !envForm.MatchString(name) {
			c.bad(at+".env", "%q is no name of an environment variable; use letters, digits and underscores", name)
		}
	}
	for _, a := range l.Args {
		if name, _, _ := strings.Cut(a, "="); slices.Contains([]string{"-e", "--env"}, name) {
			c.bad(at+".args", "%s: use env instead", name)
		}
	}
}

// k6Phase reports whether name is a scenario of a script that a phase of the plan runs: phase/scenario.
func (p *Plan) k6Phase(name string) bool {
	phase, scenario, ok := strings.Cut(name, "/")
	return ok && scenario != "" && slices.ContainsFunc(p.Load, func(l Load) bool { return l.K6 != "" && l.Name == phase })
}

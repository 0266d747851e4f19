package toolkit

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
)

// Settings are what the variables of an experiment are filled in from. Values from the environment are looked up whenever they are needed, so that
// none of them stands in any record.
type Settings struct {
	Configuration map[string]Value            `json:"configuration,omitempty"`
	Secrets       map[string]map[string]Value `json:"secrets,omitempty"` // by group
}

// A Value stands in the file, or in the environment.
type Value struct {
	Text    string `json:"text,omitempty"`
	Env     string `json:"env,omitempty"`
	Default string `json:"default,omitempty"` // where the environment has none
	Has     bool   `json:"has_default,omitempty"`
}

func (v Value) get() (string, error) {
	if v.Env == "" {
		return v.Text, nil
	}
	if s, ok := os.LookupEnv(v.Env); ok {
		return s, nil
	}
	if v.Has {
		return v.Default, nil
	}
	return "", fmt.Errorf("the environment has no %s", v.Env)
}

// settings reads configuration and secrets.
func (r *reader) settings(m map[string]any) Settings {
	var s Settings
	if c, ok := m["configuration"].(map[string]any); ok {
		s.Configuration = map[string]Value{}
		for _, k := range sortedKeys(c) {
			s.Configuration[k] = r.setting(c[k], "configuration."+k, false)
		}
	} else if m["configuration"] != nil {
		r.bad("configuration", "%s is no mapping", show(m["configuration"]))
	}
	groups, ok := m["secrets"].(map[string]any)
	if !ok && m["secrets"] != nil {
		r.bad("secrets", "is no mapping of groups")
	}
	for _, g := range sortedKeys(groups) {
		one, ok := groups[g].(map[string]any)
		if !ok {
			r.bad("secrets."+g, "is no group: a mapping of names to where their values are")
			continue
		}
		if s.Secrets == nil {
			s.Secrets = map[string]map[string]Value{}
		}
		s.Secrets[g] = map[string]Value{}
		for _, k := range sortedKeys(one) {
			s.Secrets[g][k] = r.setting(one[k], "secrets."+g+"."+k, true)
		}
	}
	return s
}

func (r *reader) setting(v any, path string, secret bool) Value {
	m, ok := v.(map[string]any)
	if !ok {
		if secret {
			r.bad(path, "stands in the file, where no secret may; want {type: env, key: NAME}")
			return Value{}
		}
		return Value{Text: plain(v)}
	}
	kind, _ := m["type"].(string)
	switch kind {
	case "env":
		r.keys(path, m, "type", "key", "default", "env_var_type")
		out := Value{Env: r.text(m, path, "key", true), Default: plain(m["default"])}
		_, out.Has = m["default"]
		return out
	case "vault":
		r.bad(path+".type", "vaults are not asked here; put the value into the environment and write {type: env, key: NAME}")
	case "probe":
		r.bad(path+".type", "a probe's result is not taken as configuration; put the value into the environment and write {type: env, key: NAME}")
	case "":
		if secret {
			r.bad(path, "stands in the file, where no secret may; want {type: env, key: NAME}")
			return Value{}
		}
		return Value{Text: plain(v)}
	default:
		r.bad(path+".type", "%q is unknown; env", kind)
	}
	return Value{}
}

// variables returns what an activity's variables may be filled in with, and which of the values are secret.
func (s *Settings) variables(a *Activity) (vars map[string]Value, secret map[string]bool, err error) {
	vars, secret = maps.Clone(s.Configuration), map[string]bool{}
	if vars == nil {
		vars = map[string]Value{}
	}
	for _, g := range a.Secrets {
		group, ok := s.Secrets[g]
		if !ok {
			return nil, nil, fmt.Errorf("%s: there is no group %q of secrets", a.Name, g)
		}
		for k, v := range group {
			vars[k], secret[k] = v, true
		}
	}
	return vars, secret, nil
}

// variable is a variable in a text, or a dollar that is none.
var variable = regexp.MustCompile(`\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)

// fill puts values in place of ${name} and $name; $$ is a dollar. What is no variable of the experiment stays as it is.
func fill(text string, vars map[string]Value) (string, error) {
	var missing []error
	out := variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		v, ok := vars[strings.Trim(found, "${}")]
		if !ok {
			return found
		}
		s, err := v.get()
		if err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", found, err))
		}
		return s
	})
	return out, errors.Join(missing...)
}

// Check returns why the experiment cannot be played now: a variable that the environment does not have, a group of secrets or a program that is not there.
func (x *Experiment) Check() error {
	var errs []error
	for _, a := range x.all() {
		if _, err := x.Settings.resolve(a); err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", a.Type, a.Name, err))
		}
	}
	return errors.Join(errs...)
}

// all returns every activity.
func (x *Experiment) all() []*Activity {
	var out []*Activity
	if x.Hypothesis != nil {
		for i := range x.Hypothesis.Probes {
			out = append(out, &x.Hypothesis.Probes[i])
		}
	}
	for i := range x.Method {
		out = append(out, &x.Method[i])
	}
	for i := range x.Rollbacks {
		out = append(out, &x.Rollbacks[i])
	}
	return out
}

// String says what the activity does, for people, with its variables unfilled.
func (a *Activity) String() string {
	switch {
	case a.HTTP != nil:
		return a.HTTP.Method + " " + a.HTTP.URL
	case a.Process != nil:
		return strings.Join(append([]string{a.Process.Path}, a.Process.Args...), " ")
	}
	return cmp.Or(a.Name, "nothing")
}

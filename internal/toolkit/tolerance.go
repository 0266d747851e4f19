package toolkit

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// A Tolerance is what a probe of a hypothesis has to give. Of an HTTP request a number is its status, of a process its exit status; a text is the body or
// the standard output. Two numbers are the least and the most.
type Tolerance struct {
	Type   string          `json:"type"` // equal, in, range, regex, jsonpath, probe
	Values []any           `json:"values,omitempty"`
	Text   string          `json:"text,omitempty"` // pattern or path
	Target string          `json:"target,omitempty"`
	Count  *int            `json:"count,omitempty"`
	Expect json.RawMessage `json:"expect,omitempty"`
}

// tolerance reads and checks a tolerance.
func (r *reader) tolerance(v any, path string) *Tolerance {
	switch x := v.(type) {
	case bool, string, float64:
		return &Tolerance{Type: "equal", Values: []any{x}}
	case []any:
		return r.list(x, path)
	case map[string]any:
		return r.rule(x, path)
	}
	r.bad(path, "%s is no tolerance; want a number, a text, true or false, two bounds, or a mapping of type regex, jsonpath or range", show(v))
	return nil
}

func (r *reader) list(x []any, path string) *Tolerance {
	numbers := len(x) > 0
	for i, v := range x {
		_, n := v.(float64)
		numbers = numbers && n
		switch v.(type) {
		case bool, string, float64:
		default:
			r.bad(fmt.Sprintf("%s[%d]", path, i), "%s is no number or text", show(v))
		}
	}
	switch {
	case len(x) == 0:
		r.bad(path, "is empty; want two bounds, or the values that are right")
		return nil
	case numbers && len(x) == 2:
		if x[0].(float64) > x[1].(float64) {
			r.bad(path, "%s: the lower bound comes first", show(x))
		}
		return &Tolerance{Type: "range", Values: x}
	}
	return &Tolerance{Type: "in", Values: x}
}

func (r *reader) rule(m map[string]any, path string) *Tolerance {
	kind, _ := m["type"].(string)
	t := &Tolerance{Type: kind, Target: r.text(m, path, "target", false)}
	switch kind {
	case "regex":
		r.keys(path, m, "type", "pattern", "target", "name")
		t.Text = r.text(m, path, "pattern", true)
		if _, err := regexp.Compile(t.Text); err != nil {
			r.bad(path+".pattern", "%q: %v", t.Text, err)
		}
	case "jsonpath":
		r.keys(path, m, "type", "path", "target", "count", "expect", "name")
		t.Text = r.text(m, path, "path", true)
		if _, err := compilePath(t.Text); t.Text != "" && err != nil {
			r.bad(path+".path", "%q: %v", t.Text, err)
		}
		if c := m["count"]; c != nil {
			n, ok := c.(float64)
			if !ok || n < 0 || n != math.Trunc(n) || n > 1e6 {
				r.bad(path+".count", "%s is no number of matches", show(c))
			}
			k := int(n)
			t.Count = &k
		}
		if e, ok := m["expect"]; ok {
			t.Expect, _ = json.Marshal(e)
		}
	case "range":
		r.keys(path, m, "type", "range", "target", "name")
		x, ok := m["range"].([]any)
		if !ok || len(x) != 2 {
			r.bad(path+".range", "%s is no range; want the least and the most", show(m["range"]))
			return t
		}
		if got := r.list(x, path+".range"); got == nil || got.Type != "range" {
			r.bad(path+".range", "%s is no range; want two numbers", show(x))
		}
		t.Values = x
	case "probe":
		r.bad(path+".type", "a probe that judges another's value is Python; want regex, jsonpath or range")
	default:
		r.bad(path+".type", "%s is unknown; regex, jsonpath or range", show(m["type"]))
	}
	return t
}

// Met reports whether an output is within the tolerance, and in words what it was held against. Variables in patterns and paths are filled in before.
func (t *Tolerance) Met(o *Output) (bool, string) {
	got := o.value(t.Target)
	switch t.Type {
	case "equal":
		v := o.scalar(t.Values[0])
		return reflect.DeepEqual(v, t.Values[0]), fmt.Sprintf("got %s, want %s", show(v), show(t.Values[0]))
	case "in":
		for _, want := range t.Values {
			if reflect.DeepEqual(o.scalar(want), want) {
				return true, fmt.Sprintf("got %s", show(want))
			}
		}
		return false, fmt.Sprintf("got %s, want one of %s", show(o.scalar(t.Values[0])), show(t.Values))
	case "range":
		if t.Target == "" {
			got = float64(o.Status)
		}
		n, ok := numeric(got)
		lo, hi := t.Values[0].(float64), t.Values[1].(float64)
		return ok && lo <= n && n <= hi, fmt.Sprintf("got %s, want %v to %v", show(got), lo, hi)
	case "regex":
		re, err := regexp.Compile(t.Text)
		if err != nil {
			return false, err.Error()
		}
		text := textOf(got)
		return re.MatchString(text), fmt.Sprintf("got %s, want a match of %q", show(text), t.Text)
	case "jsonpath":
		return t.path(got)
	}
	return false, "a tolerance of type " + t.Type
}

func (t *Tolerance) path(got any) (bool, string) {
	p, err := compilePath(t.Text)
	if err != nil {
		return false, err.Error()
	}
	if s, ok := got.(string); ok {
		var v any
		if json.Unmarshal([]byte(s), &v) == nil {
			got = v
		}
	}
	found := p.find(got)
	text := fmt.Sprintf("%s gives %s", t.Text, show(found))
	switch {
	case t.Expect != nil:
		var want any
		_ = json.Unmarshal(t.Expect, &want) // it was marshalled by us
		list, ok := want.([]any)
		if !ok {
			list = []any{want}
		}
		return reflect.DeepEqual(found, list), text + ", want " + show(list)
	case t.Count != nil:
		return len(found) == *t.Count, fmt.Sprintf("%s, want %d matches", text, *t.Count)
	}
	return len(found) > 0, text + ", want a match"
}

func numeric(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(x), 64)
		return n, err == nil && !math.IsNaN(n)
	}
	return 0, false
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v) // it came from JSON
	return string(b)
}

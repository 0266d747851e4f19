package toolkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/suggest"
)

// An Experiment is an experiment of Chaos Toolkit, checked.
type Experiment struct {
	Title       string
	Description string
	Hypothesis  *Hypothesis // nil: it has none
	Method      []Activity
	Rollbacks   []Activity
	Settings    Settings
	Raw         json.RawMessage // all of it, as the file has it
	Doubts      []string        // what of it is not played
}

// A Hypothesis says what is normal.
type Hypothesis struct {
	Title  string     `json:"title"`
	Probes []Activity `json:"probes"`
}

// An Activity is a probe or an action. It is data: variables stand in it as ${name} and are filled in when it is played.
type Activity struct {
	Type       string          `json:"type"` // probe or action
	Name       string          `json:"name"`
	HTTP       *HTTP           `json:"http,omitempty"` // one of these
	Process    *Process        `json:"process,omitempty"`
	Tolerance  *Tolerance      `json:"tolerance,omitempty"`
	Background bool            `json:"background,omitempty"` // the next need not wait for it
	Before     time.Duration   `json:"before_ns,omitempty"`  // pauses
	After      time.Duration   `json:"after_ns,omitempty"`
	Secrets    []string        `json:"secrets,omitempty"` // groups that its variables may come from
	Raw        json.RawMessage `json:"raw"`               // as the file has it
}

// HTTP is a request.
type HTTP struct {
	URL      string            `json:"url"`
	Method   string            `json:"method"`
	Headers  map[string]string `json:"headers,omitempty"`
	Body     json.RawMessage   `json:"body,omitempty"` // arguments: query of a GET, else the body
	Expected int               `json:"expected,omitempty"`
	Timeout  time.Duration     `json:"timeout_ns"`
	Insecure bool              `json:"insecure,omitempty"`
}

// Process is a program with its arguments. No shell reads them.
type Process struct {
	Path    string        `json:"path"`
	Args    []string      `json:"args,omitempty"`
	Timeout time.Duration `json:"timeout_ns"`
}

// Bounds of one activity.
const (
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = 10 * time.Minute
	MaxPause       = time.Hour
	maxActivities  = 500
)

// Read reads the experiment in a file.
func Read(path string) (*Experiment, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read experiment: %w", err)
	}
	return Parse(filepath.Base(path), data)
}

// Parse reads an experiment from JSON or YAML. The error joins one *Error for each thing wrong.
func Parse(file string, data []byte) (*Experiment, error) {
	t, m := parse(file, data)
	if len(t.errs) > 0 {
		return nil, errors.Join(t.errs...)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, &Error{File: file, Msg: "has values that JSON does not: " + err.Error()}
	}
	r := &reader{tree: t, named: map[string]Activity{}}
	x := &Experiment{Raw: raw}
	r.keys("", m, "version", "title", "description", "tags", "contributions", "extensions", "controls", "configuration", "secrets", "steady-state-hypothesis", "method", "rollbacks", "runtime", "dry")
	x.Title, x.Description = r.text(m, "", "title", true), r.text(m, "", "description", true)
	x.Settings = r.settings(m)
	if h, ok := m["steady-state-hypothesis"]; ok && h != nil {
		x.Hypothesis = r.hypothesis(h)
	}
	x.Method = r.activities(m, "method")
	if len(x.Method) == 0 && len(t.errs) == 0 {
		t.bad("method", "is empty; want at least one action or probe")
	}
	x.Rollbacks = r.activities(m, "rollbacks")
	for i := range x.Rollbacks {
		if x.Rollbacks[i].Type != "action" {
			t.bad(fmt.Sprintf("rollbacks[%d].type", i), "is %s; rollbacks are actions", x.Rollbacks[i].Type)
		}
	}
	if r.controls {
		x.Doubts = append(x.Doubts, "controls are Python and are not played")
	}
	if m["dry"] != nil && m["dry"] != false {
		x.Doubts = append(x.Doubts, "dry is not known here: the experiment would be played; use assay chaos toolkit without --run to only look at it")
	}
	if len(x.Rollbacks) == 0 && slices.ContainsFunc(x.Method, func(a Activity) bool { return a.Type == "action" }) {
		x.Doubts = append(x.Doubts, "it has no rollbacks: what its actions do is not undone by anyone")
	}
	if len(t.errs) > 0 {
		return nil, errors.Join(t.errs...)
	}
	return x, nil
}

// reader turns plain values into an experiment and gathers what is wrong.
type reader struct {
	*tree
	named    map[string]Activity // by name, for references
	count    int
	controls bool
}

func (r *reader) keys(path string, m map[string]any, known ...string) {
	for _, k := range sortedKeys(m) {
		if !slices.Contains(known, k) && !strings.HasPrefix(k, "x-") {
			r.bad(join(path, k), "unknown key %q; %s", k, suggest.Meant(k, known))
		}
	}
	if m["controls"] != nil {
		r.controls = true
	}
}

func (r *reader) text(m map[string]any, path, key string, must bool) string {
	at := join(path, key)
	switch v := m[key].(type) {
	case string:
		if v != "" || !must {
			return v
		}
	case nil:
	default:
		r.bad(at, "%s is no text", show(v))
		return ""
	}
	if must {
		r.bad(at, "is missing; want a text")
	}
	return ""
}

func (r *reader) hypothesis(v any) *Hypothesis {
	const at = "steady-state-hypothesis"
	m, ok := v.(map[string]any)
	if !ok {
		r.bad(at, "%s is no mapping; want title and probes", show(v))
		return nil
	}
	r.keys(at, m, "title", "probes", "controls")
	h := &Hypothesis{Title: r.text(m, at, "title", true)}
	list, ok := m["probes"].([]any)
	if m["probes"] != nil && !ok {
		r.bad(at+".probes", "%s is no list of probes", show(m["probes"]))
	}
	for i, p := range list {
		path := fmt.Sprintf("%s.probes[%d]", at, i)
		a, ok := r.activity(p, path)
		if !ok {
			continue
		}
		if a.Type != "probe" {
			r.bad(path+".type", "is %s; a hypothesis has probes", a.Type)
		}
		if a.Tolerance == nil {
			r.bad(path+".tolerance", "is missing; want what the probe must give, for example 200")
		}
		h.Probes = append(h.Probes, a)
	}
	return h
}

func (r *reader) activities(m map[string]any, key string) []Activity {
	if m[key] == nil {
		return nil
	}
	list, ok := m[key].([]any)
	if !ok {
		r.bad(key, "%s is no list of activities", show(m[key]))
		return nil
	}
	var out []Activity
	for i, v := range list {
		if a, ok := r.activity(v, fmt.Sprintf("%s[%d]", key, i)); ok {
			out = append(out, a)
		}
	}
	return out
}

func (r *reader) activity(v any, path string) (Activity, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		r.bad(path, "%s is no activity; want a mapping with type, name and provider", show(v))
		return Activity{}, false
	}
	if r.count++; r.count > maxActivities {
		if r.count == maxActivities+1 {
			r.bad(path, "is one activity too many; at most %d", maxActivities)
		}
		return Activity{}, false
	}
	if ref, ok := m["ref"]; ok {
		name, _ := ref.(string)
		a, known := r.named[name]
		if !known {
			r.bad(path+".ref", "%s names no activity before it; %s", show(ref), suggest.Meant(name, sortedKeys(r.named)))
			return Activity{}, false
		}
		return a, true
	}
	before := len(r.errs)
	r.keys(path, m, "type", "name", "provider", "tolerance", "background", "pauses", "secrets", "secret", "configuration", "controls", "title", "description", "tags")
	a := Activity{Type: r.text(m, path, "type", true), Name: r.text(m, path, "name", true)}
	if a.Type != "" && a.Type != "probe" && a.Type != "action" {
		r.bad(path+".type", "%q is unknown; probe or action", a.Type)
	}
	a.Raw, _ = json.Marshal(m) // it was marshalled before, as a part of all
	switch b := m["background"].(type) {
	case nil:
	case bool:
		a.Background = b
	default:
		r.bad(path+".background", "%s is neither true nor false", show(b))
	}
	a.Before, a.After = r.pauses(m["pauses"], path+".pauses")
	for _, key := range []string{"secrets", "secret"} {
		switch s := m[key].(type) {
		case nil:
		case string:
			a.Secrets = append(a.Secrets, s)
		case []any:
			for _, one := range s {
				name, _ := one.(string)
				a.Secrets = append(a.Secrets, name)
			}
		default:
			r.bad(join(path, key), "%s is no name of a group of secrets", show(s))
		}
	}
	if tol, ok := m["tolerance"]; ok {
		a.Tolerance = r.tolerance(tol, path+".tolerance")
	}
	r.provider(m["provider"], path+".provider", &a)
	if len(r.errs) > before {
		return a, false
	}
	r.named[a.Name] = a
	return a, true
}

func (r *reader) pauses(v any, path string) (before, after time.Duration) {
	if v == nil {
		return 0, 0
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.bad(path, "%s is no mapping; want before and after, in seconds", show(v))
		return 0, 0
	}
	r.keys(path, m, "before", "after")
	return r.seconds(m, path, "before", 0, MaxPause), r.seconds(m, path, "after", 0, MaxPause)
}

// seconds reads a time in seconds.
func (r *reader) seconds(m map[string]any, path, key string, otherwise, most time.Duration) time.Duration {
	v := m[key]
	if v == nil {
		return otherwise
	}
	if list, ok := v.([]any); ok && key == "timeout" && len(list) == 2 { // to connect, and to read
		v = list[1]
	}
	n, ok := v.(float64)
	if !ok || n < 0 || n > most.Seconds() {
		r.bad(join(path, key), "%s is no time; want seconds, at most %v", show(v), most.Seconds())
		return otherwise
	}
	return time.Duration(n * 1e9)
}

func (r *reader) provider(v any, path string, a *Activity) {
	m, ok := v.(map[string]any)
	if !ok {
		r.bad(path, "is missing; want a mapping with type http or process")
		return
	}
	kind, _ := m["type"].(string)
	switch kind {
	case "http":
		a.HTTP = r.http(m, path)
	case "process":
		a.Process = r.process(m, path)
	case "python":
		module, _ := m["module"].(string)
		function, _ := m["func"].(string)
		r.bad(path+".type", "python is not run here, since %s.%s would need a Python with its packages; write an http provider for what it asks, a process provider that starts it (for example path: python3), or a fault of assay in chaos (assay list fault)", module, function)
	default:
		r.bad(path+".type", "%s is unknown; http or process", show(m["type"]))
	}
}

func (r *reader) http(m map[string]any, path string) *HTTP {
	r.keys(path, m, "type", "url", "method", "headers", "expected_status", "arguments", "timeout", "verify_tls", "max_retries")
	h := &HTTP{URL: r.text(m, path, "url", true), Method: strings.ToUpper(r.text(m, path, "method", false)), Timeout: max(r.seconds(m, path, "timeout", DefaultTimeout, MaxTimeout), time.Millisecond)}
	if h.Method == "" {
		h.Method = "GET"
	}
	if u, err := url.Parse(h.URL); h.URL != "" && !strings.Contains(h.URL, "${") && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		r.bad(path+".url", "%q is no URL of HTTP; want for example http://host:8000/health", h.URL)
	}
	if hs, ok := m["headers"].(map[string]any); ok {
		h.Headers = map[string]string{}
		for _, k := range sortedKeys(hs) {
			h.Headers[k] = plain(hs[k])
		}
	} else if m["headers"] != nil {
		r.bad(path+".headers", "%s is no mapping of headers", show(m["headers"]))
	}
	if arg := m["arguments"]; arg != nil {
		h.Body, _ = json.Marshal(arg)
	}
	if s := m["expected_status"]; s != nil {
		n, ok := s.(float64)
		if !ok || n < 100 || n > 599 || n != float64(int(n)) {
			r.bad(path+".expected_status", "%s is no status of HTTP; for example 200", show(s))
		}
		h.Expected = int(n)
	}
	if v, ok := m["verify_tls"]; ok {
		b, ok := v.(bool)
		if !ok {
			r.bad(path+".verify_tls", "%s is neither true nor false", show(v))
		}
		h.Insecure = !b
	}
	return h
}

func (r *reader) process(m map[string]any, path string) *Process {
	r.keys(path, m, "type", "path", "arguments", "timeout", "env")
	p := &Process{Path: r.text(m, path, "path", true), Timeout: max(r.seconds(m, path, "timeout", DefaultTimeout, MaxTimeout), time.Millisecond)}
	if m["env"] != nil {
		r.bad(path+".env", "is not known to the form; set the environment of assay")
	}
	switch args := m["arguments"].(type) {
	case nil:
	case []any:
		for _, a := range args {
			if s := plain(a); s != "" {
				p.Args = append(p.Args, s)
			}
		}
	case map[string]any:
		order := r.order(path+".arguments", args)
		for _, k := range order {
			p.Args = append(p.Args, k)
			if s := plain(args[k]); s != "" {
				p.Args = append(p.Args, s)
			}
		}
	case string:
		words, err := split(args)
		if err != nil {
			r.bad(path+".arguments", "%v", err)
		}
		p.Args = words
	default:
		r.bad(path+".arguments", "%s are no arguments; want a list, a mapping or a text", show(args))
	}
	return p
}

// order returns the keys of a mapping as they stand in the file.
func (r *reader) order(path string, m map[string]any) []string {
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(a, b string) int {
		x, y := r.where[join(path, a)], r.where[join(path, b)]
		if x[0] != y[0] {
			return x[0] - y[0]
		}
		return x[1] - y[1]
	})
	return keys
}

// split cuts a text into words as a shell would that knows quotes and nothing else: what else a shell does is refused.
func split(s string) ([]string, error) {
	var words []string
	var b strings.Builder
	quote, open := rune(0), false
	for _, c := range s {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case strings.ContainsRune("|&;<>`\\", c) || c == '(' || c == ')':
			return nil, fmt.Errorf("%q would need a shell, which is not run; want a list of arguments, or path: sh with arguments [-c, …]", string(c))
		case c == ' ' || c == '\t' || c == '\n':
			if open || b.Len() > 0 {
				words = append(words, b.String())
			}
			b.Reset()
			open = false
		default:
			b.WriteRune(c)
		}
	}
	if quote != 0 {
		return nil, errors.New("has a quote that is not closed")
	}
	if open || b.Len() > 0 {
		words = append(words, b.String())
	}
	return words, nil
}

// plain writes a scalar as text.
func plain(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	b, _ := json.Marshal(v) // it came from JSON's values
	return string(b)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// URL returns what the hypothesis asks for first by an HTTP GET, or else where the first HTTP activity goes, without path and query; one of this machine
// where there is none. Secrets are not filled in.
func (x *Experiment) URL() (target string, asked bool) {
	plain := func(a *Activity) *url.URL {
		if a.HTTP == nil {
			return nil
		}
		text, err := fill(a.HTTP.URL, x.Settings.Configuration)
		u, parsing := url.Parse(text)
		if err != nil || parsing != nil || u.Host == "" || strings.Contains(text, "$") || u.User != nil {
			return nil
		}
		return u
	}
	if x.Hypothesis != nil {
		for i := range x.Hypothesis.Probes {
			a := &x.Hypothesis.Probes[i]
			if u := plain(a); u != nil && a.HTTP.Method == "GET" && len(a.HTTP.Headers) == 0 && len(a.HTTP.Body) == 0 && u.RawQuery == "" {
				return u.String(), true
			}
		}
	}
	for _, a := range x.all() {
		if u := plain(a); u != nil {
			return u.Scheme + "://" + u.Host + "/", false
		}
	}
	return "http://127.0.0.1/", false
}

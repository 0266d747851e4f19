package openslo

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/assay-dev/assay/internal/suggest"
)

// Limits on a file: people write them, so what is larger is a mistake or an attack.
const (
	maxFile  = 1 << 20
	maxDocs  = 1000
	maxDepth = 32
	maxNodes = 100_000
)

// An Error is one thing wrong with a file: where it stands, which setting, and what would be right.
type Error struct {
	File string
	Line int
	Path string // spec.objectives[0].target
	Msg  string
}

// Error returns "file:line: path: message".
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if s != "" {
		s += ": "
	}
	if e.Path != "" {
		s += e.Path + ": "
	}
	return s + e.Msg
}

// A reader collects what is wrong with one file.
type reader struct {
	file string
	errs []error
}

func (r *reader) bad(n *yaml.Node, path, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	r.errs = append(r.errs, &Error{r.file, line, path, fmt.Sprintf(format, args...)})
}

// A node is one value of a file and where it stands. The node of a key that is not there has no y.
type node struct {
	r    *reader
	y    *yaml.Node
	path string
}

func (n node) there() bool { return n.y != nil }

func (n node) bad(format string, args ...any) { n.r.bad(n.y, n.path, format, args...) }

// An object is a mapping whose keys are known.
type object struct {
	node
	of map[string]node
}

// get returns the value of a key; missing ones stand where their object does.
func (o object) get(key string) node {
	if v, ok := o.of[key]; ok {
		return v
	}
	return node{r: o.r, path: join(o.path, key)}
}

// need returns the value of a key that must be there.
func (o object) need(key, what string) node {
	v := o.get(key)
	if !v.there() && o.there() {
		o.r.bad(o.y, o.path, "needs %s: %s", key, what)
	}
	return v
}

// has reports which of the keys are there.
func (o object) has(keys ...string) (out []string) {
	for _, k := range keys {
		if o.get(k).there() {
			out = append(out, k)
		}
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// object reads a mapping with only these keys. What is no mapping has no keys.
func (n node) object(keys ...string) object {
	o := object{node: n, of: map[string]node{}}
	if !n.there() {
		return o
	}
	if n.y.Kind != yaml.MappingNode {
		n.bad("want a mapping with keys %s, not %s", strings.Join(keys, ", "), kindOf(n.y))
		return o
	}
	for i := 0; i+1 < len(n.y.Content); i += 2 {
		k, v := n.y.Content[i], n.y.Content[i+1]
		switch at := join(n.path, k.Value); {
		case !slices.Contains(keys, k.Value):
			n.r.bad(k, at, "unknown key %q; %s", k.Value, suggest.Meant(k.Value, keys))
		case o.of[k.Value].there():
			n.r.bad(k, at, "key %q stands twice", k.Value)
		case v.Kind == yaml.ScalarNode && v.Tag == "!!null": // as good as absent
		default:
			o.of[k.Value] = node{n.r, v, at}
		}
	}
	return o
}

// list returns the items of a sequence.
func (n node) list() []node {
	if !n.there() {
		return nil
	}
	if n.y.Kind != yaml.SequenceNode {
		n.bad("want a list, not %s", kindOf(n.y))
		return nil
	}
	var out []node
	for i, y := range n.y.Content {
		out = append(out, node{n.r, y, fmt.Sprintf("%s[%d]", n.path, i)})
	}
	return out
}

// text returns a scalar as it is written.
func (n node) text() string {
	if !n.there() {
		return ""
	}
	if n.y.Kind != yaml.ScalarNode {
		n.bad("want a text, not %s", kindOf(n.y))
		return ""
	}
	return n.y.Value
}

// oneOf returns a text of a set; case does not matter where fold is set.
func (n node) oneOf(fold bool, words ...string) string {
	got := n.text()
	if !n.there() {
		return ""
	}
	for _, w := range words {
		if got == w || fold && strings.EqualFold(got, w) {
			return w
		}
	}
	n.bad("%q is unknown; one of %s", got, strings.Join(words, ", "))
	return ""
}

// boolean reads true or false.
func (n node) boolean() bool {
	if !n.there() {
		return false
	}
	v, err := strconv.ParseBool(n.text())
	if err != nil {
		n.bad("%q is not true or false", n.text())
	}
	return v
}

// number reads a finite number.
func (n node) number() float64 {
	if !n.there() {
		return 0
	}
	v, err := strconv.ParseFloat(n.text(), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		n.bad("%q is not a number", n.text())
		return 0
	}
	return v
}

// share reads a number within (0, most).
func (n node) share(most float64) float64 {
	v := n.number()
	if n.there() && !(v > 0 && v < most) {
		n.bad("%g is out of range; more than 0 and less than %g", v, most)
		return 0
	}
	return math.Round(v/most*1e12) / 1e12 // 99.9 / 100 is not the float that 0.999 is
}

const day = 24 * time.Hour

var shorthand = map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day, 'M': 30 * day, 'Q': 90 * day, 'Y': 365 * day}

// duration reads OpenSLO's shorthand: 5m, 12h, 30d, 4w, 1M, 1Q, 1Y.
func (n node) duration() time.Duration {
	if !n.there() {
		return 0
	}
	d, err := parseDuration(n.text())
	if err != nil {
		n.bad("%v", err)
	}
	return d
}

func parseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; write for example 5m, 12h, 30d, 4w, 1M, 1Q or 1Y", text)
	if len(text) < 2 {
		return 0, bad
	}
	unit, ok := shorthand[text[len(text)-1]]
	count, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil {
		return 0, bad
	}
	if count > uint64(maxWindow/unit) {
		return 0, fmt.Errorf("%q is too long; at most %s", text, "10 years")
	}
	return time.Duration(count) * unit, nil
}

const maxWindow = 3650 * day

func kindOf(y *yaml.Node) string {
	switch y.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if y.Tag == "!!null" {
		return "nothing"
	}
	return strconv.Quote(y.Value)
}

// resolve puts what an alias stands for in its place and bounds the tree.
func (r *reader) resolve(y *yaml.Node, depth int, nodes *int) bool {
	if *nodes++; *nodes > maxNodes || depth > maxDepth {
		r.bad(y, "", "is nested too deeply or too large; at most %d levels and %d values", maxDepth, maxNodes)
		return false
	}
	for i, c := range y.Content {
		if c.Kind == yaml.AliasNode {
			c = c.Alias
			y.Content[i] = c
		}
		if !r.resolve(c, depth+1, nodes) {
			return false
		}
	}
	return true
}

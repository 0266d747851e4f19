package plan

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/assay-dev/assay/internal/suggest"
)

// An Error is one thing wrong with a plan: where it stands, which setting, and what would be right.
type Error struct {
	File         string
	Line, Column int
	Path         string // load[1].arrivals.poisson.rate
	Msg          string
}

// Error returns "file:line:column: path: message".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
		}
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Limits on a plan file: a plan is written by people, so what is larger is a mistake or an attack.
const (
	maxPlan  = 1 << 20
	maxDepth = 32
	maxNodes = 100_000
)

// decoder fills Go values from a YAML tree, strictly. It remembers where each path stood, so that
// later checks of meaning can point at the line too.
type decoder struct {
	file    string
	where   map[string][2]int
	anchors map[string]ast.Node
	nodes   int
	errs    []error
}

// A shorthand is a mapping that may also be written as the one value that most people need of it.
type shorthand interface{ short(text string) error }

func (d *decoder) fail(n ast.Node, path, format string, args ...any) {
	line, col := position(n)
	d.errs = append(d.errs, &Error{d.file, line, col, path, fmt.Sprintf(format, args...)})
}

func position(n ast.Node) (line, col int) {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0, 0
	}
	p := n.GetToken().Position
	return p.Line, p.Column
}

// decode reads one YAML document into v, a pointer to a struct.
func decode(file string, data []byte, v any) (*decoder, error) {
	d := &decoder{file: file, where: map[string][2]int{}, anchors: map[string]ast.Node{}}
	if len(data) > maxPlan {
		return d, &Error{File: file, Msg: fmt.Sprintf("%d bytes is too large for a plan; at most %d", len(data), maxPlan)}
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return d, syntaxError(file, err)
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			line, col := position(doc.Body)
			return d, &Error{file, line, col, "", "a second document; a plan is one YAML document"}
		}
		body = doc.Body
	}
	if body == nil {
		return d, &Error{File: file, Msg: "is empty; a plan needs at least apiVersion, name, target and load"}
	}
	d.value(body, reflect.ValueOf(v).Elem(), "", 0)
	return d, errors.Join(d.errs...)
}

func syntaxError(file string, err error) error {
	e := &Error{File: file, Msg: "is not YAML: " + firstLine(err.Error())}
	var se *yaml.SyntaxError
	if errors.As(err, &se) {
		e.Msg = "is not YAML: " + se.Message
		if se.Token != nil && se.Token.Position != nil {
			e.Line, e.Column = se.Token.Position.Line, se.Token.Position.Column
		}
	}
	return e
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string, depth int) {
	if d.nodes++; d.nodes > maxNodes || depth > maxDepth {
		if d.nodes <= maxNodes+1 {
			d.fail(n, path, "is nested too deeply or too large")
			d.nodes = maxNodes + 2
		}
		return
	}
	line, col := position(n)
	d.where[path] = [2]int{line, col}
	switch x := n.(type) {
	case *ast.AnchorNode:
		d.anchors[x.Name.String()] = x.Value
		d.value(x.Value, v, path, depth+1)
		return
	case *ast.AliasNode:
		target, ok := d.anchors[x.Value.String()]
		if !ok {
			d.fail(n, path, "alias *%s has no anchor before it", x.Value)
			return
		}
		d.value(target, v, path, depth+1)
		return
	case *ast.TagNode:
		d.fail(n, path, "YAML tags are not used in plans; remove %s", x.Start.Value)
		return
	}
	if v.CanAddr() {
		if m, ok := v.Addr().Interface().(*Members); ok {
			m.decodeNode(d, n, path, depth)
			return
		}
		if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			text, isScalar := scalar(n)
			if !isScalar {
				d.fail(n, path, "want %s, not %s", describe(v.Type()), kindOf(n))
				return
			}
			if err := u.UnmarshalText([]byte(text)); err != nil {
				d.fail(n, path, "%v", err)
			}
			return
		}
	}
	if v.CanAddr() {
		if u, ok := v.Addr().Interface().(shorthand); ok {
			if text, isScalar := scalar(n); isScalar {
				if err := u.short(text); err != nil {
					d.fail(n, path, "%v", err)
				}
				return
			}
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), path, depth)
		v.Set(p)
	case reflect.Struct:
		d.structure(n, v, path, depth)
	case reflect.Slice:
		d.slice(n, v, path, depth)
	case reflect.Map:
		d.mapping(n, v, path, depth)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) pairs(n ast.Node, path string, want string) []*ast.MappingValueNode {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}
	}
	d.fail(n, path, "want %s, not %s", want, kindOf(n))
	return nil
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string, depth int) {
	fields := map[string][]int{}
	var names []string
	for _, f := range reflect.VisibleFields(v.Type()) { // those of embedded structs are its own
		if name := fieldName(f); name != "" && !f.Anonymous {
			fields[name] = f.Index
			names = append(names, name)
		}
	}
	seen := map[string]bool{}
	for _, kv := range d.pairs(n, path, "a mapping with keys "+strings.Join(names, ", ")) {
		if kv.Key.Type() == ast.MergeKeyType {
			d.fail(kv, path, "merge keys (<<) are not used in plans; write the settings out")
			continue
		}
		key, _ := scalar(kv.Key)
		at := join(path, key)
		i, ok := fields[key]
		switch {
		case !ok:
			d.fail(kv.Key, at, "unknown key %q; %s", key, suggest.Meant(key, names))
		case seen[key]:
			d.fail(kv.Key, at, "key %q stands twice", key)
		default:
			seen[key] = true
			wrong := len(d.errs)
			d.value(kv.Value, v.FieldByIndex(i), at, depth+1)
			if text, isScalar := scalar(kv.Value); isScalar && v.CanAddr() && len(d.errs) > wrong {
				if h, ok := v.Addr().Interface().(hinter); ok && h.hint(key, text) != "" {
					d.errs = d.errs[:wrong]
					d.fail(kv.Value, at, "%s", h.hint(key, text))
				}
			}
		}
	}
}

func (d *decoder) slice(n ast.Node, v reflect.Value, path string, depth int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, path, "want a list, not %s", kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1)
	}
	v.Set(out)
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string, depth int) {
	out := reflect.MakeMap(v.Type())
	for _, kv := range d.pairs(n, path, "a mapping") {
		key, _ := scalar(kv.Key)
		k, e := reflect.ValueOf(key), reflect.New(v.Type().Elem()).Elem()
		if out.MapIndex(k).IsValid() {
			d.fail(kv.Key, join(path, key), "key %q stands twice", key)
			continue
		}
		d.value(kv.Value, e, join(path, key), depth+1)
		out.SetMapIndex(k, e)
	}
	v.Set(out)
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	text, ok := scalar(n)
	if !ok {
		d.fail(n, path, "want %s, not %s", describe(v.Type()), kindOf(n))
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	case reflect.Uint32, reflect.Uint64:
		var u uint64
		if u, err = strconv.ParseUint(text, 10, v.Type().Bits()); err == nil {
			v.SetUint(u)
		}
	case reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil {
			v.SetFloat(f)
		}
	default:
		panic("plan: no decoding for " + v.Type().String())
	}
	if err != nil {
		d.fail(n, path, "%q is not %s", text, describe(v.Type()))
	}
}

// scalar returns the text of a scalar node as it was written, quotes and folding undone.
func scalar(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func kindOf(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.NullType:
		return "nothing"
	}
	return fmt.Sprintf("%q", n.GetToken().Value)
}

func describe(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case Duration:
		return "a duration such as 30s"
	case Rate:
		return "a rate such as 8/s"
	case Size:
		return "a size such as 64MiB"
	case Fraction:
		return "a share such as 60%"
	case Value:
		return "a bound such as 800ms or 99.9%"
	case Count:
		return "a number such as 2 or a share such as 50%"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

package toolkit

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// An Error is one thing wrong with an experiment: where it stands, and what would be right.
type Error struct {
	File         string
	Line, Column int
	Path         string // method[1].provider.url
	Msg          string
}

// Error returns "file:line:column: path: message".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Path != "" {
		b.WriteString(": " + e.Path)
	}
	return b.String() + ": " + e.Msg
}

// Limits of a file: people write them, so what is larger is a mistake or an attack.
const (
	maxFile  = 1 << 20
	maxDepth = 32
	maxNodes = 50_000
)

// tree is a parsed file: plain values, as encoding/json would give them, and where each stands.
type tree struct {
	file  string
	where map[string][2]int
	nodes int
	errs  []error
}

func (t *tree) bad(path, format string, args ...any) {
	e := &Error{File: t.file, Path: path, Msg: fmt.Sprintf(format, args...)}
	for at := path; ; {
		if w, ok := t.where[at]; ok {
			e.Line, e.Column = w[0], w[1]
			break
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			break
		}
		at = at[:i]
	}
	t.errs = append(t.errs, e)
}

// parse reads JSON or YAML, which holds JSON.
func parse(file string, data []byte) (*tree, map[string]any) {
	t := &tree{file: file, where: map[string][2]int{}}
	if len(data) > maxFile {
		t.bad("", "%d bytes is too large for an experiment; at most %d", len(data), maxFile)
		return t, nil
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		msg := err.Error()
		e := &Error{File: file}
		if se, ok := err.(*yaml.SyntaxError); ok {
			msg = se.Message
			if se.Token != nil && se.Token.Position != nil {
				e.Line, e.Column = se.Token.Position.Line, se.Token.Position.Column
			}
		}
		msg, _, _ = strings.Cut(msg, "\n")
		e.Msg = "is neither JSON nor YAML: " + msg
		t.errs = append(t.errs, e)
		return t, nil
	}
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			if body != nil {
				t.bad("", "holds a second document; an experiment is one")
				return t, nil
			}
			body = doc.Body
		}
	}
	if body == nil {
		t.bad("", "is empty; an experiment needs at least title, description and method")
		return t, nil
	}
	m, ok := t.value(body, "", 0).(map[string]any)
	if !ok && len(t.errs) == 0 {
		t.bad("", "is no mapping; want title, description, method and the like")
	}
	return t, m
}

func (t *tree) value(n ast.Node, path string, depth int) any {
	if t.nodes++; t.nodes > maxNodes || depth > maxDepth {
		if t.nodes <= maxNodes+1 {
			t.bad(path, "is nested too deeply or too large")
			t.nodes = maxNodes + 2
		}
		return nil
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		t.where[path] = [2]int{tk.Position.Line, tk.Position.Column}
	}
	switch x := n.(type) {
	case *ast.MappingNode:
		return t.mapping(x.Values, path, depth)
	case *ast.MappingValueNode:
		return t.mapping([]*ast.MappingValueNode{x}, path, depth)
	case *ast.SequenceNode:
		list := make([]any, 0, len(x.Values))
		for i, item := range x.Values {
			list = append(list, t.value(item, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return list
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return x.Value
	case *ast.StringNode:
		return x.Value
	case *ast.LiteralNode:
		return x.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		v, err := strconv.ParseFloat(strings.ReplaceAll(n.GetToken().Value, "_", ""), 64)
		if i, is := n.(*ast.IntegerNode); is && err != nil { // hexadecimal and the like
			v, err = number(i.Value)
		}
		if err != nil || math.IsInf(v, 0) {
			t.bad(path, "%s is no number of JSON", n.GetToken().Value)
		}
		return v
	}
	t.bad(path, "wants JSON's kinds of values; anchors, tags and the like are not used in experiments")
	return nil
}

func number(v any) (float64, error) {
	switch x := v.(type) {
	case int64:
		return float64(x), nil
	case uint64:
		return float64(x), nil
	}
	return 0, strconv.ErrSyntax
}

func (t *tree) mapping(pairs []*ast.MappingValueNode, path string, depth int) any {
	m := map[string]any{}
	for _, kv := range pairs {
		key := ""
		switch k := kv.Key.(type) {
		case *ast.StringNode:
			key = k.Value
		default:
			if kv.Key.GetToken() == nil || kv.Key.Type() == ast.MergeKeyType {
				t.bad(path, "has a key that is no name")
				continue
			}
			key = kv.Key.GetToken().Value
		}
		at := join(path, key)
		if _, twice := m[key]; twice {
			t.bad(at, "key %q stands twice", key)
			continue
		}
		m[key] = t.value(kv.Value, at, depth+1)
	}
	return m
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// show writes a value for a message.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if s := string(b); len(s) > 80 {
		return s[:80] + "…"
	}
	return string(b)
}

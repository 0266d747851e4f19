package chaos

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// pointer joins keys to a JSON pointer (RFC 6901).
func pointer(keys ...string) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k))
	}
	return b.String()
}

// keysOf splits a JSON pointer.
func keysOf(p string) []string {
	if p == "" {
		return nil
	}
	keys := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, k := range keys {
		keys[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(k)
	}
	return keys
}

// lookup returns what stands at a JSON pointer in decoded JSON.
func lookup(v any, p string) (any, bool) {
	for _, k := range keysOf(p) {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[k]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// at returns the string, or "", that stands at a JSON pointer.
func at(v any, p string) string {
	s, _ := lookup(v, p)
	text, _ := s.(string)
	return text
}

// number returns the number, or 0, that stands at a JSON pointer.
func number(v any, p string) int64 {
	n, _ := lookup(v, p)
	f, _ := n.(float64)
	return int64(f)
}

// list returns the list, or nil, that stands at a JSON pointer.
func list(v any, p string) []any {
	l, _ := lookup(v, p)
	items, _ := l.([]any)
	return items
}

// A field is one place in an object that a fault changes.
type field struct {
	Path string          `json:"path"`           // JSON pointer
	Was  json.RawMessage `json:"was,omitempty"`  // nil: nothing stood there
	Ours json.RawMessage `json:"ours,omitempty"` // nil: nothing is to stand there
}

// changed returns the field that takes the place at path in an object from what stands there to ours; nil ours takes it away.
func changed(object any, path string, ours any) field {
	f := field{Path: path}
	if now, ok := lookup(object, path); ok {
		f.Was = json.RawMessage(asJSON(now))
	}
	if ours != nil {
		f.Ours = json.RawMessage(asJSON(ours))
	}
	return f
}

// stands reports whether what stands at the field's place in an object is want.
func (f *field) stands(object any, want json.RawMessage) bool {
	now, ok := lookup(object, f.Path)
	if !ok || want == nil {
		return ok == (want != nil)
	}
	return sameJSON([]byte(asJSON(now)), want)
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	return reflect.DeepEqual(x, y)
}

// An operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// set returns the operation that makes value stand at path; nil takes away what stands there.
func set(path string, value json.RawMessage) operation {
	if value == nil {
		return operation{Op: "remove", Path: path}
	}
	return operation{Op: "add", Path: path, Value: value} // of a member it replaces, of a list's element the caller says replace
}

// parents returns operations that make the objects above path which an object lacks. made remembers those that were made already.
func parents(object any, path string, made map[string]bool) []operation {
	var ops []operation
	keys := keysOf(path)
	for i := 1; i < len(keys); i++ {
		p := pointer(keys[:i]...)
		if _, ok := lookup(object, p); !ok && !made[p] {
			made[p] = true
			ops = append(ops, operation{Op: "add", Path: p, Value: json.RawMessage("{}")})
		}
	}
	return ops
}

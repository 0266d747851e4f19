package mesh

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/assay-dev/assay/internal/suggest"
)

// unknown returns the path of the first key of a JSON value that its type does not know, in the order of the alphabet, with a hint of what was meant;
// "" if there is none. A decoder names the key alone.
func unknown(raw []byte, t reflect.Type) (path, hint string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return "", "" // it reads what it likes
	}
	switch t.Kind() {
	case reflect.Struct:
		fields := fieldsOf(t)
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return "", ""
		}
		for _, key := range sorted(m) {
			f, ok := fields[key]
			if !ok {
				if k, ok := folded(fields, key); ok { // as a decoder does
					f = fields[k]
				} else {
					return key, suggest.Meant(key, sorted(fields))
				}
			}
			if path, hint := unknown(m[key], f); path != "" {
				return strings.Replace(key+"."+path, ".[", "[", 1), hint
			}
		}
	case reflect.Map:
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) == nil {
			for _, key := range sorted(m) {
				if path, hint := unknown(m[key], t.Elem()); path != "" {
					return key + "." + path, hint
				}
			}
		}
	case reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for i, item := range list {
				if path, hint := unknown(item, t.Elem()); path != "" {
					return fmt.Sprintf("[%d].%s", i, path), hint
				}
			}
		}
	}
	return "", ""
}

// fieldsOf returns the types of a struct's fields by their keys in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) { // those of embedded structs are its own
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out[name] = f.Type
	}
	return out
}

func folded(fields map[string]reflect.Type, key string) (string, bool) {
	for name := range fields {
		if strings.EqualFold(name, key) {
			return name, true
		}
	}
	return "", false
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

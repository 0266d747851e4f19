package input

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// jsonRows are JSON objects, one a line.
type jsonRows struct {
	lines  Lines
	object map[string]json.RawMessage
}

func (r *jsonRows) Next() (int, error) {
	b, err := r.lines.Next()
	if err != nil {
		return 0, err
	}
	r.object = nil
	if err := json.Unmarshal(b, &r.object); err != nil || r.object == nil {
		return r.lines.N, r.lines.BadRow(r.lines.N, "the line", string(b), "a JSON object")
	}
	return r.lines.N, nil
}

func (r *jsonRows) Get(column string) (string, bool) { return Member(r.object, column) }

func (r *jsonRows) Columns() []string { return slices.Sorted(maps.Keys(r.object)) }

func (r *jsonRows) Close() {}

// Member returns a member of a JSON object as text, and whether it is there; a dot leads into an object.
func Member(object map[string]json.RawMessage, name string) (string, bool) {
	raw, ok := object[name]
	for at := object; !ok; {
		outer, inner, dotted := strings.Cut(name, ".")
		var next map[string]json.RawMessage
		if !dotted || json.Unmarshal(at[outer], &next) != nil {
			return "", false
		}
		at, name = next, inner
		raw, ok = at[name]
	}
	var text string
	switch {
	case string(raw) == "null":
		return "", true
	case len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
		return text, true
	}
	return string(raw), true
}

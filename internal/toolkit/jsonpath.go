package toolkit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// jsonPath is a path into a JSON value: names, numbers and *, one after another, each also after any number of steps down (..).
type jsonPath []pathStep

type pathStep struct {
	name  string
	index int
	kind  byte // n name, i index, * all
	deep  bool
}

// compilePath reads a path such as $.items[0].name, $['a b'], $.items[*].ready or $..name. Filters and slices are refused.
func compilePath(s string) (jsonPath, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), "$")
	if !ok {
		return nil, errors.New("a path begins with $")
	}
	var p jsonPath
	for rest != "" {
		var st pathStep
		switch {
		case strings.HasPrefix(rest, ".."):
			st.deep, rest = true, rest[2:]
		case rest[0] == '.':
			rest = rest[1:]
		case rest[0] != '[':
			return nil, fmt.Errorf("at %q: want . or [", rest)
		}
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, errors.New("a [ is not closed")
			}
			in := strings.TrimSpace(rest[1:end])
			rest = rest[end+1:]
			n, err := strconv.Atoi(in)
			switch {
			case in == "*":
				st.kind = '*'
			case len(in) >= 2 && (in[0] == '\'' || in[0] == '"') && in[len(in)-1] == in[0]:
				st.kind, st.name = 'n', in[1:len(in)-1]
			case err == nil:
				st.kind, st.index = 'i', n
			default:
				return nil, fmt.Errorf("[%s] is not known; names in quotes, numbers and * are", in)
			}
		} else {
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			name := rest[:end]
			rest = rest[end:]
			switch name {
			case "":
				return nil, errors.New("a step has no name")
			case "*":
				st.kind = '*'
			default:
				st.kind, st.name = 'n', name
			}
		}
		p = append(p, st)
	}
	return p, nil
}

// maxMatches bounds what a path may find.
const maxMatches = 10_000

// find returns what the path leads to, in the order of the value; members of a mapping in that of their names.
func (p jsonPath) find(v any) []any {
	found := []any{v}
	for _, st := range p {
		next := []any{}
		for _, x := range found {
			if st.deep {
				descend(x, 0, func(y any) { next = st.step(next, y) })
			} else {
				next = st.step(next, x)
			}
		}
		found = next
	}
	return found
}

func descend(v any, depth int, f func(any)) {
	if depth > maxDepth {
		return
	}
	f(v)
	switch x := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(x) {
			descend(x[k], depth+1, f)
		}
	case []any:
		for _, y := range x {
			descend(y, depth+1, f)
		}
	}
}

func (st pathStep) step(out []any, v any) []any {
	if len(out) >= maxMatches {
		return out
	}
	switch x := v.(type) {
	case map[string]any:
		switch st.kind {
		case 'n':
			if y, ok := x[st.name]; ok {
				out = append(out, y)
			}
		case '*':
			for _, k := range sortedKeys(x) {
				out = append(out, x[k])
			}
		}
	case []any:
		i := st.index
		if i < 0 {
			i += len(x)
		}
		switch {
		case st.kind == '*':
			out = append(out, x...)
		case st.kind == 'i' && i >= 0 && i < len(x):
			out = append(out, x[i])
		}
	}
	return out
}

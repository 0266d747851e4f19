package plan

import (
	"encoding/json"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// Members is a JSON object as a plan writes it, with its keys in the plan's order.
type Members json.RawMessage

// decodeNode reads the object from the plan's tree.
func (m *Members) decodeNode(d *decoder, n ast.Node, path string, depth int) {
	if kind := n.Type(); kind != ast.MappingType && kind != ast.MappingValueType {
		d.fail(n, path, "want a mapping, not %s", kindOf(n))
		return
	}
	if b := d.json(nil, n, path, depth); b != nil {
		*m = b
	}
}

// MarshalJSON returns the object.
func (m Members) MarshalJSON() ([]byte, error) {
	if len(m) == 0 {
		return []byte("{}"), nil
	}
	return m, nil
}

// JSONSchema describes an object of any members.
func (Members) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "object"} }

// json appends the value of a node as JSON.
func (d *decoder) json(b []byte, n ast.Node, path string, depth int) []byte {
	if d.nodes++; d.nodes > maxNodes || depth > maxDepth {
		d.fail(n, path, "is nested too deeply or too large")
		return b
	}
	switch x := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		b = append(b, '{')
		seen := map[string]bool{}
		for i, kv := range d.pairs(n, path, "a mapping") {
			key, ok := scalar(kv.Key)
			if at := join(path, key); !ok || seen[key] {
				d.fail(kv.Key, at, "want a name that does not stand twice")
				continue
			}
			seen[key] = true
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, key), ':')
			b = d.json(b, kv.Value, join(path, key), depth+1)
		}
		return append(b, '}')
	case *ast.SequenceNode:
		b = append(b, '[')
		for i, item := range x.Values {
			if i > 0 {
				b = append(b, ',')
			}
			b = d.json(b, item, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
		return append(b, ']')
	case *ast.NullNode:
		return append(b, "null"...)
	case *ast.BoolNode:
		return strconv.AppendBool(b, x.Value)
	case *ast.IntegerNode:
		return appendJSON(b, x.Value)
	case *ast.FloatNode:
		return appendJSON(b, x.Value)
	case *ast.InfinityNode, *ast.NanNode:
		d.fail(n, path, "is no number of JSON")
		return b
	}
	text, ok := scalar(n)
	if !ok {
		d.fail(n, path, "want JSON's kinds of values, not %s", kindOf(n))
	}
	return appendJSON(b, text)
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

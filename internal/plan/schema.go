package plan

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// Schema returns the JSON schema of a plan, for editors and other programs.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true}
	s := r.Reflect(&Plan{})
	s.Title = "assay plan"
	s.Required = []string{"apiVersion", "name", "target", "load"}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return append(out, '\n'), nil
}

func text(pattern, example string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern, Examples: []any{example}}
}

// JSONSchema describes a duration.
func (Duration) JSONSchema() *jsonschema.Schema {
	return text(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`, "30s")
}

// JSONSchema describes a rate.
func (Rate) JSONSchema() *jsonschema.Schema { return text(`^[0-9.eE+-]+ ?/ ?[smh]$`, "8/s") }

// JSONSchema describes a size.
func (Size) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer"}, text(`^[0-9.]+ ?(KiB|MiB|GiB|kB|MB|GB|B)?$`, "64MiB")}}
}

// JSONSchema describes a bound.
func (Value) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Examples: []any{"800ms", "99.9%", "12/s"}}}}
}

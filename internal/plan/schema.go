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
	s.Required = []string{"apiVersion", "name", "target"}
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
	return text(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|min|m|h))+$`, "30s")
}

// JSONSchema describes an offset.
func (Offset) JSONSchema() *jsonschema.Schema {
	return text(`^[+-]?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|min|m|h))+$`, "-10m")
}

// JSONSchema describes a rate.
func (Rate) JSONSchema() *jsonschema.Schema { return text(`^[0-9.eE+-]+ ?/ ?[smh]$`, "8/s") }

// JSONSchema describes a size.
func (Size) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer"}, text(`^[0-9.]+ ?(KiB|MiB|GiB|kB|MB|GB|B)?$`, "64MiB")}}
}

// JSONSchema describes a fraction.
func (Fraction) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number", Minimum: "0", Maximum: "1"}, text(`^[0-9.]+ ?%$`, "60%")}}
}

// JSONSchema describes a bound.
func (Value) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Examples: []any{"800ms", "99.9%", "12/s"}}}}
}

// shorten lets a mapping also be written as one value.
func shorten(s, short *jsonschema.Schema) {
	full := *s
	*s = jsonschema.Schema{OneOf: []*jsonschema.Schema{short, &full}}
}

// JSONSchemaExtend allows a plain number of tokens.
func (Lengths) JSONSchemaExtend(s *jsonschema.Schema) {
	shorten(s, &jsonschema.Schema{Type: "integer", Minimum: "1"})
}

// JSONSchemaExtend allows a plain duration.
func (Think) JSONSchemaExtend(s *jsonschema.Schema) { shorten(s, Duration(0).JSONSchema()) }

// JSONSchemaExtend allows the path alone.
func (Trace) JSONSchemaExtend(s *jsonschema.Schema) {
	shorten(s, &jsonschema.Schema{Type: "string", Examples: []any{"trace.csv"}})
}

// JSONSchemaExtend allows the path alone.
func (Prompts) JSONSchemaExtend(s *jsonschema.Schema) {
	shorten(s, &jsonschema.Schema{Type: "string", Examples: []any{"prompts.jsonl"}})
}

// JSONSchemaExtend allows the name alone.
func (Suite) JSONSchemaExtend(s *jsonschema.Schema) {
	shorten(s, &jsonschema.Schema{Type: "string", Enum: []any{"serverless-model"}})
}

package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Schema tells the shape of a JSON text, by JSON Schema: draft 2020-12 unless it names another. A keyword that the standard does not know is refused,
// since one that is silently ignored would make a check that never fails; so is a reference to another document.
type Schema struct{ compiled *jsonschema.Schema }

// ParseSchema reads a schema.
func ParseSchema(b []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, errors.New("not JSON")
	}
	if err := keywords(doc, 0); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, errors.New(ownWords(err))
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		return nil, errors.New(ownWords(err))
	}
	return &Schema{s}, nil
}

// schemaURL stands for the schema in texts of the library.
const schemaURL = "urn:schema"

// noLoader refuses other documents.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("it refers to another document: " + url)
}

// ownWords makes one line of an error of the library about a schema.
func ownWords(err error) string {
	var bad *jsonschema.SchemaValidationError
	var why *jsonschema.ValidationError
	if errors.As(err, &bad) && errors.As(bad.Err, &why) {
		return "not a schema at " + strings.Join(append([]string{"#"}, deepest(why).InstanceLocation...), "/")
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// Check reports what in the JSON text b does not fit. It names the place in the schema, never what stands in the text.
func (s *Schema) Check(b []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return errors.New("not JSON")
	}
	err = s.compiled.Validate(v)
	var why *jsonschema.ValidationError
	if !errors.As(err, &why) {
		return err
	}
	return fmt.Errorf("%s does not hold", spot(deepest(why)))
}

// spot is the place in the schema at which an error arose.
func spot(e *jsonschema.ValidationError) string {
	_, at, _ := strings.Cut(e.SchemaURL, "#")
	return strings.Join(append([]string{"#" + at}, e.ErrorKind.KeywordPath()...), "/")
}

// deepest returns the cause that tells most, the same for the same text: alternatives are told as such.
func deepest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(e.Causes) > 0 {
		if k := e.ErrorKind.KeywordPath(); len(k) > 0 && (k[0] == "anyOf" || k[0] == "oneOf") {
			break
		}
		e = slices.MinFunc(e.Causes, func(a, b *jsonschema.ValidationError) int { return strings.Compare(spot(a), spot(b)) })
	}
	return e
}

// The keywords of JSON Schema by what they hold; those of older drafts and of annotation too.
var (
	holdsSchema  = strings.Fields("additionalItems additionalProperties contains contentSchema else if items not propertyNames then unevaluatedItems unevaluatedProperties")
	holdsList    = strings.Fields("allOf anyOf items oneOf prefixItems")
	holdsMembers = strings.Fields("$defs definitions dependencies dependentSchemas patternProperties properties")
	holdsOther   = strings.Fields("$anchor $comment $dynamicAnchor $dynamicRef $id $ref $schema $vocabulary const contentEncoding contentMediaType default dependentRequired deprecated " +
		"description enum examples exclusiveMaximum exclusiveMinimum format maxContains maxItems maxLength maxProperties maximum minContains minItems minLength minProperties minimum " +
		"multipleOf pattern readOnly required title type uniqueItems writeOnly")
)

// keywords refuses the keywords that the standard does not know.
func keywords(schema any, depth int) error {
	if depth > 64 {
		return errors.New("nested deeper than 64 levels")
	}
	top, ok := schema.(map[string]any)
	if !ok {
		if _, ok := schema.(bool); ok && depth > 0 {
			return nil
		}
		return errors.New("not a JSON object")
	}
	for _, key := range slices.Sorted(maps.Keys(top)) {
		var inner []any
		switch v := top[key].(type) {
		case []any:
			if slices.Contains(holdsList, key) {
				inner = v
			}
		case map[string]any:
			switch {
			case slices.Contains(holdsMembers, key):
				for _, name := range slices.Sorted(maps.Keys(v)) {
					if _, list := v[name].([]any); !list { // a list of names, in older drafts
						inner = append(inner, v[name])
					}
				}
			case slices.Contains(holdsSchema, key):
				inner = []any{v}
			}
		}
		for _, s := range inner {
			if err := keywords(s, depth+1); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		if !slices.Contains(slices.Concat(holdsSchema, holdsList, holdsMembers, holdsOther), key) {
			return fmt.Errorf("%s: this keyword is not known to JSON Schema", key)
		}
	}
	return nil
}

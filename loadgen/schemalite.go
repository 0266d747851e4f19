package loadgen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A Schema is a small part of JSON Schema, enough to tell the shape of an answer from garbage: type, const, enum, required, properties,
// additionalProperties (true or false), items, minItems, maxItems, minLength, maxLength, pattern, minimum and maximum. Titles and the like are passed over;
// any other keyword is refused, since one that is silently ignored would make a check that never fails.
type Schema struct {
	types      []string
	value      any // const
	hasValue   bool
	enum       []any
	required   []string
	properties map[string]*Schema
	closed     bool // additionalProperties: false
	items      *Schema
	pattern    *regexp.Regexp
	low, high  float64
	count      [2]int // least and most
	length     [2]int
}

// ParseSchema reads a schema.
func ParseSchema(b []byte) (*Schema, error) { return parseSchema(b, 0) }

func parseSchema(b []byte, depth int) (*Schema, error) {
	if depth > 32 {
		return nil, errors.New("nested deeper than 32 levels")
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(b, &top); err != nil || top == nil {
		return nil, errors.New("not a JSON object")
	}
	s := &Schema{low: math.Inf(-1), high: math.Inf(1), count: [2]int{0, math.MaxInt}, length: [2]int{0, math.MaxInt}}
	for key, raw := range top {
		if err := s.keyword(key, raw, depth); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return s, nil
}

func (s *Schema) keyword(key string, raw json.RawMessage, depth int) (err error) {
	switch key {
	case "$schema", "$id", "$comment", "title", "description", "examples", "default":
	case "type":
		var one string
		if json.Unmarshal(raw, &one) == nil {
			s.types = []string{one}
		} else if err := json.Unmarshal(raw, &s.types); err != nil {
			return errors.New("want a name or a list of names")
		}
		for _, t := range s.types {
			if !strings.Contains(" null boolean object array number integer string ", " "+t+" ") || t == "" {
				return fmt.Errorf("no type %q", t)
			}
		}
	case "const":
		s.hasValue = true
		s.value, err = decode(raw)
	case "enum":
		err = json.Unmarshal(raw, &s.enum)
	case "required":
		err = json.Unmarshal(raw, &s.required)
	case "properties":
		var all map[string]json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			return err
		}
		s.properties = map[string]*Schema{}
		for name, raw := range all {
			if s.properties[name], err = parseSchema(raw, depth+1); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	case "additionalProperties":
		open := true
		err = json.Unmarshal(raw, &open)
		s.closed = !open
	case "items":
		s.items, err = parseSchema(raw, depth+1)
	case "pattern":
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		s.pattern, err = regexp.Compile(text)
	case "minimum":
		err = json.Unmarshal(raw, &s.low)
	case "maximum":
		err = json.Unmarshal(raw, &s.high)
	case "minItems":
		err = json.Unmarshal(raw, &s.count[0])
	case "maxItems":
		err = json.Unmarshal(raw, &s.count[1])
	case "minLength":
		err = json.Unmarshal(raw, &s.length[0])
	case "maxLength":
		err = json.Unmarshal(raw, &s.length[1])
	default:
		return errors.New("this keyword is not known here")
	}
	return err
}

// decode reads exactly one JSON value.
func decode(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("not JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// Check reports what in the JSON text b does not fit. It names places in the text, never what stands there.
func (s *Schema) Check(b []byte) error {
	v, err := decode(b)
	if err != nil {
		return err
	}
	return s.check(v, "$")
}

func (s *Schema) check(v any, at string) error {
	if len(s.types) > 0 && !s.typed(v) {
		return fmt.Errorf("%s is not of type %s", at, strings.Join(s.types, " or "))
	}
	if s.hasValue && !reflect.DeepEqual(v, s.value) {
		return fmt.Errorf("%s is not the constant", at)
	}
	if s.enum != nil && !s.listed(v) {
		return fmt.Errorf("%s is none of the values listed", at)
	}
	switch v := v.(type) {
	case float64:
		if v < s.low || v > s.high {
			return fmt.Errorf("%s is out of range", at)
		}
	case string:
		if n := utf8.RuneCountInString(v); n < s.length[0] || n > s.length[1] {
			return fmt.Errorf("%s has the wrong length", at)
		}
		if s.pattern != nil && !s.pattern.MatchString(v) {
			return fmt.Errorf("%s does not match the pattern", at)
		}
	case []any:
		if len(v) < s.count[0] || len(v) > s.count[1] {
			return fmt.Errorf("%s has %d items", at, len(v))
		}
		for i := range v {
			if s.items == nil {
				break
			}
			if err := s.items.check(v[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return s.members(v, at)
	}
	return nil
}

func (s *Schema) members(v map[string]any, at string) error {
	for _, name := range s.required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s.%s is missing", at, name)
		}
	}
	for name, sub := range s.properties {
		if inner, ok := v[name]; ok {
			if err := sub.check(inner, at+"."+name); err != nil {
				return err
			}
		}
	}
	if s.closed {
		for name := range v {
			if s.properties[name] == nil {
				return fmt.Errorf("%s has a member that the schema does not name", at)
			}
		}
	}
	return nil
}

func (s *Schema) listed(v any) bool {
	for _, w := range s.enum {
		if reflect.DeepEqual(v, w) {
			return true
		}
	}
	return false
}

func (s *Schema) typed(v any) bool {
	for _, t := range s.types {
		ok := false
		switch v := v.(type) {
		case nil:
			ok = t == "null"
		case bool:
			ok = t == "boolean"
		case string:
			ok = t == "string"
		case float64:
			ok = t == "number" || t == "integer" && v == math.Trunc(v)
		case []any:
			ok = t == "array"
		case map[string]any:
			ok = t == "object"
		}
		if ok {
			return true
		}
	}
	return false
}

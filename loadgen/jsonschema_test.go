package loadgen

import (
	"strings"
	"testing"
)

func TestSchema(t *testing.T) {
	const order = `{"type":"object","required":["id","lines"],"additionalProperties":false,"properties":{
		"id":{"type":"string","pattern":"^[a-z]+$","maxLength":4}, "total":{"type":"number","minimum":0,"exclusiveMaximum":10},
		"lines":{"type":"array","minItems":1,"items":{"$ref":"#/$defs/line"}}, "at":{"format":"date-time"}, "kind":{"enum":["a",2,null]}},
		"$defs":{"line":{"anyOf":[{"type":"integer"},{"type":"string","minLength":2}]}}}`
	s, err := ParseSchema([]byte(order))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"id":"ab","lines":[1,"xy"],"total":9.5,"at":"2026-01-01T00:00:00Z","kind":2}`: "",
		`{"id":"ab","lines":[1.0]}`:               "", // a whole number
		`{"id":"secret","lines":[1]}`:             "#/properties/id/maxLength does not hold",
		`{"id":"AB","lines":[1]}`:                 "#/properties/id/pattern does not hold",
		`{"id":7,"lines":[1]}`:                    "#/properties/id/type does not hold",
		`{"lines":[1]}`:                           "#/required does not hold",
		`{"id":"ab","lines":[]}`:                  "#/properties/lines/minItems does not hold",
		`{"id":"ab","lines":["x"]}`:               "#/$defs/line/anyOf does not hold",
		`{"id":"ab","lines":[1],"secret":1}`:      "#/additionalProperties does not hold",
		`{"id":"ab","lines":[1],"total":10}`:      "#/properties/total/exclusiveMaximum does not hold",
		`{"id":"ab","lines":[1],"kind":"secret"}`: "#/properties/kind/enum does not hold",
		`{"id":"ab","lines":[1],"at":"secret"}`:   "#/properties/at/format does not hold",
		`[]`:                                      "#/type does not hold",
		`{"id":"ab"`:                              "not JSON",
		`{"id":"ab","lines":[1]} {}`:              "not JSON",
		`{"id":"toolong","lines":[]}`:             "#/properties/id/maxLength does not hold", // the first of two, always
	} {
		got := ""
		if err := s.Check([]byte(text)); err != nil {
			got = err.Error()
		}
		if got != want || strings.Contains(got, "secret") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`{`:                                  "not JSON",
		`[]`:                                 "not a JSON object",
		`true`:                               "not a JSON object",
		`{"requird":["a"]}`:                  "requird: this keyword is not known",
		`{"properties":{"a":{"minimun":1}}}`: "properties: minimun: this keyword is not known",
		`{"anyOf":[{"items":{"x":1}}]}`:      "anyOf: items: x: this keyword is not known",
		`{"type":"strin"}`:                   "not a schema at #/type",
		`{"minLength":-1}`:                   "not a schema at #/minLength",
		`{"pattern":"("}`:                    "not a schema at #/pattern",
		`{"$ref":"file:///etc/passwd"}`:      "refers to another document",
		`{"$ref":"#/$defs/none"}`:            "none",
		strings.Repeat(`{"items":`, 70) + "{}" + strings.Repeat("}", 70): "nested deeper",
	} {
		if _, err := ParseSchema([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v, want one line with %q", text, err, want)
		}
	}
}

// FuzzSchema reads any text as a schema and as an answer.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"a":{"a":1}}`)
	f.Add(`{"oneOf":[{"const":1},{"not":{}}],"unevaluatedItems":false}`, `[1]`)
	f.Fuzz(func(t *testing.T, schema, text string) {
		s, err := ParseSchema([]byte(schema))
		if err == nil {
			err = s.Check([]byte(text))
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of several lines: %q", err)
		}
	})
}

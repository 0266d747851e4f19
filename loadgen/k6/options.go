package k6

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/grafana/sobek"
	"golang.org/x/net/http/httpguts"

	"github.com/assay-dev/assay/loadgen"
)

// An object is a script's settings while they are read: what is taken leaves it, so that what is left is unknown.
type object struct {
	what   string // for messages
	fields map[string]any
	known  []string
	err    error // the first
}

// objectOf reads v, which may be missing.
func objectOf(what string, v sobek.Value) (*object, error) {
	o := &object{what: what, fields: map[string]any{}}
	if v == nil || sobek.IsUndefined(v) || sobek.IsNull(v) {
		return o, nil
	}
	fields, ok := v.Export().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: want an object, not %s", what, v)
	}
	maps.Copy(o.fields, fields)
	return o, nil
}

func (o *object) fail(key string, v any, want string) {
	if o.err == nil {
		o.err = fmt.Errorf("%s: %s: %s: want %s", o.what, key, shown(v), want)
	}
}

// shown prints a value for a message, and not much of it.
func shown(v any) string {
	s := fmt.Sprintf("%v", v)
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return s
}

// take removes the value of key; ok is false where there is none.
func (o *object) take(key string) (v any, ok bool) {
	o.known = append(o.known, key)
	v, ok = o.fields[key]
	delete(o.fields, key)
	return v, ok && v != nil
}

func (o *object) text(key, otherwise string) string {
	v, ok := o.take(key)
	if !ok {
		return otherwise
	}
	s, ok := v.(string)
	if !ok {
		o.fail(key, v, "a string")
	}
	return s
}

func (o *object) flag(key string, otherwise bool) bool {
	v, ok := o.take(key)
	if !ok {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		o.fail(key, v, "true or false")
	}
	return b
}

// count reads a whole number from 0 to 2^31-1.
func (o *object) count(key string) int {
	v, ok := o.take(key)
	if !ok {
		return 0
	}
	n, ok := whole(v)
	if !ok || n < 0 || n > math.MaxInt32 {
		o.fail(key, v, "a whole number, 0 or more")
		return 0
	}
	return int(n)
}

// length reads a duration: a string such as "30s", or milliseconds as everywhere in k6.
func (o *object) length(key string, otherwise time.Duration) time.Duration {
	v, ok := o.take(key)
	if !ok {
		return otherwise
	}
	d, err := durationOf(v)
	if err != nil || d <= 0 {
		o.fail(key, v, `a duration above 0, such as "30s", or milliseconds`)
	}
	return d
}

func durationOf(v any) (time.Duration, error) {
	switch v := v.(type) {
	case string:
		return time.ParseDuration(v)
	case int64:
		return time.Duration(v) * time.Millisecond, nil
	case float64:
		return time.Duration(v * float64(time.Millisecond)), nil
	}
	return 0, errors.New("neither a string nor a number")
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

// pairs reads an object of strings, sorted by key.
func (o *object) pairs(key string) [][2]string {
	v, ok := o.take(key)
	if !ok {
		return nil
	}
	fields, ok := v.(map[string]any)
	if !ok {
		o.fail(key, v, "an object")
		return nil
	}
	var out [][2]string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch v := fields[name].(type) {
		case string:
			out = append(out, [2]string{name, v})
		case int64, float64, bool:
			out = append(out, [2]string{name, fmt.Sprint(v)})
		default:
			o.fail(key+"."+name, v, "a string")
		}
	}
	return out
}

// headers reads headers, which must be such that they cannot end the head of a request.
func (o *object) headers(key string) [][2]string {
	list := o.pairs(key)
	for _, h := range list {
		if !httpguts.ValidHeaderFieldName(h[0]) || !httpguts.ValidHeaderFieldValue(h[1]) {
			o.fail(key+"."+h[0], "not shown", "a valid HTTP header")
		}
	}
	return list
}

// object reads an object of settings; nil where there is none.
func (o *object) object(key string) *object {
	v, ok := o.take(key)
	if !ok {
		return nil
	}
	fields, ok := v.(map[string]any)
	if !ok {
		o.fail(key, v, "an object")
		return nil
	}
	return &object{what: o.what + ": " + key, fields: maps.Clone(fields)}
}

// join takes over the first mistake of an object that was read to its end.
func (o *object) join(inner *object) {
	if err := inner.end(); err != nil && o.err == nil {
		o.err = err
	}
}

// expect reads what a good answer holds.
func (o *object) expect(key string) *loadgen.Expect {
	x := o.object(key)
	if x == nil {
		return nil
	}
	e := &loadgen.Expect{Contains: x.text("contains", ""), Regexp: x.text("regexp", ""), SHA256: x.text("sha256", ""), MinTokens: x.count("minTokens"),
		MaxTokens: x.count("maxTokens"), Model: x.text("model", ""), Version: x.text("version", "")}
	if v, ok := x.take("schema"); ok {
		raw, err := json.Marshal(v)
		if err != nil {
			x.fail("schema", v, "an object")
		}
		e.Schema = raw
	}
	o.join(x)
	return e
}

// payloadsOf turns an array of bodies into payloads; each is a string, an ArrayBuffer, or an object with body and type.
func payloadsOf(value any) (*loadgen.Payloads, bool) {
	items, ok := value.([]any)
	if !ok {
		return nil, false
	}
	var list []loadgen.Payload
	for _, it := range items {
		p := loadgen.Payload{}
		if fields, ok := it.(map[string]any); ok {
			it = fields["body"]
			p.Type, _ = fields["type"].(string)
		}
		f := reflect.ValueOf(&p.Body).Elem()
		if set(f, it) != "" {
			return nil, false
		}
		list = append(list, p)
	}
	out, err := loadgen.NewPayloads(list...)
	return out, err == nil
}

// settings gives what is left to the exported fields of client, a pointer to a struct, under their names with a small first letter.
func (o *object) settings(client any) {
	v := reflect.ValueOf(client).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Anonymous {
			continue
		}
		key := lowerFirst(f.Name)
		if !settable(f.Type) {
			continue
		}
		value, ok := o.take(key)
		if !ok {
			continue
		}
		if want := set(v.Field(i), value); want != "" {
			o.fail(key, value, want)
		}
	}
}

// lowerFirst turns LimitField into limitField and URL into url.
func lowerFirst(name string) string {
	r := []rune(name)
	for i := range r {
		if i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) || !unicode.IsUpper(r[i]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

var (
	typeRaw      = reflect.TypeFor[json.RawMessage]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typePayloads = reflect.TypeFor[*loadgen.Payloads]()
)

func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	}
	return t == typePayloads
}

// set gives value to a field and returns what would be right if it cannot.
func set(f reflect.Value, value any) (want string) {
	switch t := f.Type(); {
	case t == typeRaw:
		raw, err := json.Marshal(value)
		if text, ok := value.(string); ok {
			raw, err = []byte(text), nil
		}
		if err != nil || !json.Valid(raw) || raw[0] != '{' {
			return "an object"
		}
		f.SetBytes(raw)
	case t == typePayloads:
		p, ok := payloadsOf(value)
		if !ok {
			return "an array of strings, ArrayBuffers, or objects with body and type"
		}
		f.Set(reflect.ValueOf(p))
	case t == typeDuration:
		d, err := durationOf(value)
		if err != nil {
			return `a duration, such as "30s", or milliseconds`
		}
		f.SetInt(int64(d))
	case t.Kind() == reflect.Slice:
		switch b := value.(type) {
		case string:
			f.SetBytes([]byte(b))
		case []byte:
			f.SetBytes(b)
		case sobek.ArrayBuffer:
			f.SetBytes(slices.Clone(b.Bytes()))
		default:
			return "a string or an ArrayBuffer"
		}
	case t.Kind() == reflect.String:
		s, ok := value.(string)
		if !ok {
			return "a string"
		}
		f.SetString(s)
	case t.Kind() == reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			return "true or false"
		}
		f.SetBool(b)
	case t.Kind() == reflect.Float64:
		switch n := value.(type) {
		case int64:
			f.SetFloat(float64(n))
		case float64:
			f.SetFloat(n)
		default:
			return "a number"
		}
	default:
		n, ok := whole(value)
		if !ok || f.OverflowInt(n) {
			return "a whole number"
		}
		f.SetInt(n)
	}
	return ""
}

// end returns the first mistake: a wrong value, or a setting that nothing took.
func (o *object) end() error {
	if o.err == nil && len(o.fields) > 0 {
		slices.Sort(o.known)
		o.err = fmt.Errorf("%s: %q is unknown; want one of %s", o.what, slices.Sorted(maps.Keys(o.fields))[0], strings.Join(slices.Compact(o.known), ", "))
	}
	return o.err
}

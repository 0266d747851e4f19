package front

import (
	"bytes"
	"encoding/json"
)

// maxKeys bounds the members of an object.
const maxKeys = 1000

// object takes a line of JSON apart. Members of members are not looked at.
func (l *layout) object(line []byte, v *values) bool {
	if len(line) < 2 || line[0] != '{' || !json.Valid(line) {
		return false
	}
	b, known := line[1:], false
	for range maxKeys {
		b = bytes.TrimLeft(b, " \t,")
		if len(b) == 0 || b[0] != '"' {
			break // its end
		}
		key, rest := text(b)
		b = bytes.TrimLeft(rest, " \t:")
		var value []byte
		switch b[0] {
		case '"':
			value, b = text(b)
			if bytes.IndexByte(value, '\\') >= 0 {
				value = unescape(value)
			}
		case '{', '[':
			b = b[nested(b):]
			continue
		default:
			n := bytes.IndexAny(b, ",} \t")
			value, b = b[:n], b[n:]
			if string(value) == "null" {
				value = nil
			}
		}
		f := named(l.kind, key)
		if f == skipped || len(value) == 0 {
			continue
		}
		if (f == requestTime || f == stampMsec) && digits(value) { // a number whose zeros were dropped
			v[f], known = value, true
			continue
		}
		if f.fits(value) && len(v[f]) == 0 {
			v[f], known = value, true
		}
	}
	return known && (len(v[status]) > 0 || len(v[upstreamStatus]) > 0 || len(v[flags]) > 0)
}

// text returns the string that b begins with, as it stands there, and what follows. b is valid JSON.
func text(b []byte) (value, rest []byte) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:]
		}
	}
	return b[1:], nil
}

func unescape(b []byte) []byte {
	var s string
	if json.Unmarshal(append(append([]byte{'"'}, b...), '"'), &s) != nil {
		return b
	}
	return []byte(s)
}

// nested returns how long the object or array is that b begins with. b is valid JSON.
func nested(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			_, rest := text(b[i:])
			i = len(b) - len(rest) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

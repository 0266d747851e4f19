package front

import (
	"bytes"
	"fmt"
	"strings"
)

// values are the fields of one line, as they stand there; those that it does not tell are empty.
type values [fields][]byte

// A layout takes a line apart.
type layout struct {
	kind  string
	parts []part
	end   string // what follows the last field
	pairs bool   // key=value pairs follow, of which at least one says something we record
	json  bool   // the line is a JSON object
}

// A part is a field and what stands before it.
type part struct {
	before string
	field  field
}

// maxParts bounds the fields of a format.
const maxParts = 200

// compile reads a log_format of nginx or a format of Envoy.
func compile(kind, format string) (*layout, error) {
	if strings.HasPrefix(strings.TrimSpace(format), "{") && strings.HasSuffix(strings.TrimSpace(format), "}") {
		return &layout{kind: kind, json: true}, nil // the keys are read from the lines, which escape as JSON does
	}
	l := &layout{kind: kind}
	told := map[field]bool{}
	var text strings.Builder
	rest := strings.TrimRight(format, "\n")
	rest = strings.TrimSuffix(rest, `\n`)
	for rest != "" {
		name, size := variable(kind, rest)
		if size == 0 {
			text.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		f := variables[name]
		if kind == "envoy" {
			f = command(name)
		}
		if text.Len() == 0 && len(l.parts) > 0 {
			return nil, fmt.Errorf("format: nothing stands before %s: where it begins cannot be told", rest[:size])
		}
		l.parts = append(l.parts, part{text.String(), f})
		if len(l.parts) > maxParts {
			return nil, fmt.Errorf("format: more than %d fields", maxParts)
		}
		told[f] = true
		text.Reset()
		rest = rest[size:]
	}
	l.end = text.String()
	if !told[stampMsec] && !told[stampISO] && !told[stampLocal] && !told[stampStart] {
		return nil, fmt.Errorf("format %q tells no time: want %s", format, map[string]string{"nginx": "$msec, $time_iso8601 or $time_local in it", "envoy": "%START_TIME% in it"}[kind])
	}
	return l, nil
}

// variable returns the name of the variable that text begins with and how long it is with what marks it; 0: it begins with none.
func variable(kind, text string) (name string, size int) {
	if kind == "envoy" {
		if i := strings.IndexByte(text[1:], '%'); text[0] == '%' && i > 0 {
			name = text[1 : 1+i]
			if open := strings.IndexByte(name, '('); open > 0 && !strings.Contains(name, ")") { // START_TIME(%s.%3f)
				if j := strings.Index(text, ")%"); j > 0 {
					return text[1 : j+1], j + 2
				}
			}
			return name, i + 2
		}
		return "", 0
	}
	if text[0] != '$' {
		return "", 0
	}
	if strings.HasPrefix(text, "${") {
		if i := strings.IndexByte(text, '}'); i > 2 {
			return text[2:i], i + 1
		}
		return "", 0
	}
	n := 1
	for n < len(text) && (text[n] == '_' || text[n] >= '0' && text[n] <= '9' || text[n] >= 'a' && text[n] <= 'z' || text[n] >= 'A' && text[n] <= 'Z') {
		n++
	}
	if n == 1 {
		return "", 0
	}
	return text[1:n], n
}

// match takes a line apart. It reports whether the line has this layout.
func (l *layout) match(line []byte, v *values) bool {
	*v = values{}
	if l.json {
		return l.object(line, v)
	}
	rest := line
	for i, p := range l.parts {
		if len(rest) < len(p.before) || string(rest[:len(p.before)]) != p.before {
			return false
		}
		rest = rest[len(p.before):]
		next := l.end
		if i+1 < len(l.parts) {
			next = l.parts[i+1].before
		}
		n := len(rest)
		switch {
		case p.field >= lists:
			n = list(rest, next)
		case len(next) == 1:
			if n = bytes.IndexByte(rest, next[0]); n < 0 {
				return false
			}
		case next != "":
			if n = bytes.Index(rest, []byte(next)); n < 0 {
				return false
			}
		}
		if value := rest[:n]; p.field != skipped {
			if !p.field.fits(value) {
				return false
			}
			v[p.field] = value
		}
		rest = rest[n:]
	}
	if len(rest) < len(l.end) || string(rest[:len(l.end)]) != l.end {
		return false
	}
	rest = bytes.TrimSpace(rest[len(l.end):])
	if l.pairs {
		return l.tail(rest, v)
	}
	return len(rest) == 0
}

// list returns how long the list is that b begins with: values with ", " or " : " between them.
func list(b []byte, next string) int {
	stop := byte(' ')
	if next != "" {
		stop = next[0]
	}
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == ',' && i+1 < len(b) && b[i+1] == ' ':
			i++
		case b[i] == ' ' && i+2 < len(b) && b[i+1] == ':' && b[i+2] == ' ':
			i += 2
		case b[i] == ' ', b[i] == stop && !(stop == ':' || stop == ','):
			return i
		}
	}
	return len(b)
}

// tail reads pairs such as rt=0.5 urt="0.1, 0.2".
func (l *layout) tail(b []byte, v *values) bool {
	known := false
	for len(b) > 0 {
		n := 0
		for n < len(b) && (b[n] == '_' || b[n] == '-' || b[n] >= '0' && b[n] <= '9' || b[n] >= 'a' && b[n] <= 'z' || b[n] >= 'A' && b[n] <= 'Z') {
			n++
		}
		if n == 0 || n == len(b) || b[n] != '=' && b[n] != ':' {
			return false
		}
		f := named(l.kind, b[:n])
		b = b[n+1:]
		var value []byte
		if len(b) > 0 && b[0] == '"' {
			end := bytes.IndexByte(b[1:], '"')
			if end < 0 {
				return false
			}
			value, b = b[1:1+end], b[end+2:]
		} else {
			end := list(b, " ")
			value, b = bytes.TrimSuffix(b[:end], []byte(",")), b[end:]
		}
		if f != skipped {
			if !f.fits(value) {
				return false
			}
			v[f], known = value, true
		}
		if len(b) > 0 && b[0] != ' ' && b[0] != ',' {
			return false
		}
		b = bytes.TrimLeft(b, " ,")
	}
	return known
}

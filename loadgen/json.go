package loadgen

// scan walks one JSON text without allocating. Its methods return false as soon as the text is not valid JSON,
// and stay on the value they were asked for otherwise. The answers of a stream are read by it since a general decoder costs more than
// everything else that is done per token.
type scan struct {
	b     []byte
	i     int
	depth int
}

// maxDepth bounds nesting.
const maxDepth = 200

func (s *scan) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next returns the first byte of the next token, 0 at the end.
func (s *scan) next() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scan) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.i++
	return true
}

// open enters an object or array.
func (s *scan) open(c byte) bool {
	s.depth++
	return s.depth <= maxDepth && s.take(c)
}

// more goes to the next member or element: it takes the comma, or the closing bracket, after which more is false.
func (s *scan) more(first bool, end byte) (more, ok bool) {
	switch c := s.next(); {
	case c == end:
		s.i++
		s.depth--
		return false, true
	case first:
		return c != 0, c != 0
	case c == ',':
		s.i++
		return true, true
	}
	return false, false
}

// key goes to the next member of an object and returns its raw name.
func (s *scan) key(first bool) (name []byte, more, ok bool) {
	if more, ok = s.more(first, '}'); !more || !ok {
		return nil, more, ok
	}
	if name, ok = s.text(); !ok {
		return nil, false, false
	}
	return name, true, s.take(':')
}

// text reads a string and returns what stands between its quotes, still escaped.
func (s *scan) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	from := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[from : s.i-1], true
		case c < ' ':
			return nil, false
		case c == '\\':
			if !s.escape() {
				return nil, false
			}
		default:
			s.i++
		}
	}
	return nil, false
}

// escape reads an escape sequence.
func (s *scan) escape() bool {
	if s.i+1 >= len(s.b) {
		return false
	}
	c := s.b[s.i+1]
	s.i += 2
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if s.i >= len(s.b) || !hexadecimal(s.b[s.i]) {
				return false
			}
			s.i++
		}
		return true
	}
	return false
}

func hexadecimal(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// number reads a number and returns it as an integer, cut to the range of an int32; whole is false for fractions and exponents.
func (s *scan) number() (v int64, whole, ok bool) {
	s.space()
	negative := s.i < len(s.b) && s.b[s.i] == '-'
	if negative {
		s.i++
	}
	from := s.i
	for ; s.i < len(s.b) && digit(s.b[s.i]); s.i++ {
		if v < 1<<31 {
			v = 10*v + int64(s.b[s.i]-'0')
		}
	}
	if s.i == from || s.b[from] == '0' && s.i > from+1 {
		return 0, false, false
	}
	whole = true
	if s.i < len(s.b) && s.b[s.i] == '.' {
		whole = false
		s.i++
		if !s.digits() {
			return 0, false, false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		whole = false
		if s.i++; s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return 0, false, false
		}
	}
	v = min(v, 1<<31-1)
	if negative {
		v = -v
	}
	return v, whole, true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (s *scan) digits() bool {
	from := s.i
	for s.i < len(s.b) && digit(s.b[s.i]) {
		s.i++
	}
	return s.i > from
}

func (s *scan) literal(text string) bool {
	if len(s.b)-s.i < len(text) || string(s.b[s.i:s.i+len(text)]) != text {
		return false
	}
	s.i += len(text)
	return true
}

// skip reads any value.
func (s *scan) skip() bool {
	switch c := s.next(); c {
	case '{':
		if !s.open('{') {
			return false
		}
		for first := true; ; first = false {
			_, more, ok := s.key(first)
			if !ok || !more {
				return ok
			}
			if !s.skip() {
				return false
			}
		}
	case '[':
		if !s.open('[') {
			return false
		}
		for first := true; ; first = false {
			more, ok := s.more(first, ']')
			if !ok || !more {
				return ok
			}
			if !s.skip() {
				return false
			}
		}
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		_, _, ok := s.number()
		return ok
	}
}

// string reads any value and returns the raw inside of a string, nil for anything else.
func (s *scan) string() ([]byte, bool) {
	if s.next() == '"' {
		return s.text()
	}
	return nil, s.skip()
}

// object reads an object: member is called with each key and has to read its value.
func (s *scan) object(member func(key []byte) bool) bool {
	if !s.open('{') {
		return false
	}
	for first := true; ; first = false {
		key, more, ok := s.key(first)
		if !ok || !more {
			return ok
		}
		if !member(key) {
			return false
		}
	}
}

// objectOr is object for a value that may be something else, which is skipped.
func (s *scan) objectOr(member func(key []byte) bool) bool {
	if s.next() != '{' {
		return s.skip()
	}
	return s.object(member)
}

// array reads an array, or skips what is none: element has to read each value.
func (s *scan) array(element func() bool) bool {
	if s.next() != '[' {
		return s.skip()
	}
	if !s.open('[') {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.more(first, ']')
		if !ok || !more {
			return ok
		}
		if !element() {
			return false
		}
	}
}

// count reads any value and returns it if it is a whole number of at least zero, else -1.
func (s *scan) count() (n int32, ok bool) {
	if !digit(s.next()) {
		return -1, s.skip()
	}
	v, whole, ok := s.number()
	if !whole {
		return -1, ok
	}
	return int32(v), ok
}

// filled reads any value and reports whether it is a string that is not empty.
func (s *scan) filled() (yes, ok bool) {
	if s.next() == '"' {
		text, ok := s.text()
		return len(text) > 0, ok
	}
	return false, s.skip()
}

// end reports whether nothing but space is left.
func (s *scan) end() bool { return s.next() == 0 && s.i == len(s.b) }

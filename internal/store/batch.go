package store

import (
	"encoding/binary"
	"errors"
	"strings"
)

// A batch is the payload of one log frame while records are added to it. It
// is self-contained: strings that occur again are references into its own
// dictionary, instants are differences to the record before.
type batch struct {
	buf  []byte // frame header, then the records
	n    int    // records
	prev int64  // Due or Start of the record before
	dict map[string]uint64
	last [stringSlots]lastString
}

// lastString is the string that a field had in the record before: most often it has it again, which
// saves the look-up.
type lastString struct {
	s    string
	code uint64
}

// The fields with a memory for their last string.
const (
	slotPhase = iota
	slotClass
	slotInstance
	slotError
	slotName
	slotService
	stringSlots
)

// Codes of a string: a literal follows, the empty string, or the entries of the dictionary from firstEntry.
const (
	codeLiteral = 0
	codeEmpty   = 1
	firstEntry  = 2
)

// A literal joins the dictionary only while it is worth it; both sides apply the same rule.
const (
	maxEntries  = 1 << 14
	maxEntryLen = 256
)

func newBatch() *batch {
	b := &batch{dict: make(map[string]uint64)}
	b.reset()
	return b
}

func (b *batch) reset() {
	b.buf = append(b.buf[:0], make([]byte, frameHeader)...)
	b.n, b.prev = 0, 0
	clear(b.dict)
	clear(b.last[:])
}

func (b *batch) uint(v uint64) { b.buf = binary.AppendUvarint(b.buf, v) }
func (b *batch) int(v int64)   { b.buf = binary.AppendVarint(b.buf, v) }

// string adds s, of the field slot.
func (b *batch) string(slot int, s string) {
	if s == "" {
		b.buf = append(b.buf, codeEmpty)
		return
	}
	l := &b.last[slot]
	if l.code != 0 && l.s == s {
		b.uint(l.code)
		return
	}
	if code, ok := b.entry(s); ok {
		*l = lastString{s, code}
	}
}

// entry adds s by way of the dictionary and returns its code there, if it is in it now.
func (b *batch) entry(s string) (uint64, bool) {
	if code, ok := b.dict[s]; ok {
		b.uint(code)
		return code, true
	}
	b.buf = append(b.buf, codeLiteral)
	b.literal(s)
	if len(b.dict) >= maxEntries || len(s) > maxEntryLen {
		return 0, false
	}
	// The copy does not outlive the batch, but the caller's memory may be reused before it is written.
	code := uint64(firstEntry + len(b.dict))
	b.dict[strings.Clone(s)] = code
	return code, true
}

func (b *batch) literal(s string) {
	b.uint(uint64(len(s)))
	b.buf = append(b.buf, s...)
}

// errCorrupt is what a decoder finds in a payload whose checksum is right.
var errCorrupt = errors.New("the records in it are malformed")

// A decoder reads the payload of one frame. After a malformed field all reads give zero and bad is set.
type decoder struct {
	b    []byte
	bad  bool
	prev int64
	dict []string
}

func (d *decoder) start(payload []byte) {
	*d = decoder{b: payload, dict: d.dict[:0]}
}

func (d *decoder) fail() {
	d.bad, d.b = true, nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

// count reads the length of a list whose items take at least one byte each.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	switch code := d.uint(); {
	case d.bad || code == codeEmpty:
		return ""
	case code == codeLiteral:
		s := d.literal()
		if len(d.dict) < maxEntries && len(s) <= maxEntryLen {
			d.dict = append(d.dict, s)
		}
		return s
	case code-firstEntry < uint64(len(d.dict)):
		return d.dict[code-firstEntry]
	default:
		d.fail()
		return ""
	}
}

func (d *decoder) literal() string { return string(d.bytes(d.uint())) }

package store

import "unsafe"

// Texts makes strings of bytes, many of them in one piece of memory, which nobody writes to again: for short texts of which there may be a million, each
// seen once. A string that is kept holds its whole piece.
type texts struct{ free []byte }

// textPiece is the size of a piece.
const textPiece = 16 << 10

// of returns b as a string.
func (t *texts) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > cap(t.free)-len(t.free) {
		if len(b) > textPiece/8 {
			return string(b)
		}
		t.free = make([]byte, 0, textPiece)
	}
	n := len(t.free)
	t.free = append(t.free, b...)
	return unsafe.String(&t.free[n], len(b))
}

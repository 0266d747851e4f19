package gpu

import "strings"

// What DCGM writes where it has no value, as dcgm_structs.h has them: blank, not found, not supported and not permitted stand in a row.
const (
	blank32 = 0x7ffffff0
	blank64 = 0x7ffffffffffffff0
	blankFP = 1 << 47
	blanks  = 4
)

// OfBlank says of points and samples that they are blank.
const OfBlank = "of DCGM with a number that stands for no value"

// Blank reports whether a value of a series is what DCGM writes where it has none. Exporters of today leave such values out; older ones show them.
func Blank(series string, v float64) bool {
	if v < blank32 || !strings.HasPrefix(series, "DCGM_") {
		return false
	}
	// A double cannot tell the four of 64 bits apart: they are the nearest to 2^63.
	return v < blank32+blanks || v == blank64 || v >= blankFP && v < blankFP+blanks
}

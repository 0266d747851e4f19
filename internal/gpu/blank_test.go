package gpu

import (
	"math"
	"testing"
)

func TestBlank(t *testing.T) {
	const memory = "DCGM_FI_DEV_MEMORY_TEMP"
	for _, tc := range []struct {
		series string
		v      float64
		want   bool
	}{
		{memory, 9223372036854775794, true}, {memory, 9223372036854775792, true}, {memory, 2147483632, true}, {memory, 2147483635, true}, {memory, 140737488355328, true}, {memory, 140737488355331, true},
		{memory, 2147483631, false}, {memory, 2147483636, false}, {memory, 140737488355332, false}, {memory, 41, false}, {memory, 0, false}, {memory, math.NaN(), false}, {memory, math.Inf(1), false}, {memory, 1e300, false},
		{"node_memory_bytes", 2147483632, false}, {"node_memory_bytes", 9223372036854775794, false},
	} {
		if got := Blank(tc.series, tc.v); got != tc.want {
			t.Errorf("%s %v: %t", tc.series, tc.v, got)
		}
	}
}

package loadgen

import (
	"fmt"
	"testing"
)

func BenchmarkText(b *testing.B) {
	for _, n := range []int32{64, 15_000, 120_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := &Phase{}
			r := &planned{in: n}
			var buf []byte
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				buf = p.appendText(buf[:0], r, 1, i)
			}
		})
	}
}

package trace_test

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

func Example() {
	// Five seconds of the trace, ten times as fast.
	s := trace.Settings{Paths: []string{"testdata/azure-llm.csv"}, To: 5 * time.Second, TimeScale: 0.1}
	var stats trace.Stats
	for it, err := range s.Each(1, &stats) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v: %d tokens in, %d out\n", time.Duration(it.At).Round(time.Millisecond), it.In, it.Out)
	}
	fmt.Println(stats.Outside, "outside")
	// Output:
	// 0s: 374 tokens in, 44 out
	// 431ms: 396 tokens in, 109 out
	// 454ms: 879 tokens in, 55 out
	// 471ms: 91 tokens in, 16 out
	// 1 outside
}

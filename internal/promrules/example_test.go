package promrules_test

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

func Example() {
	groups, notes := promrules.Generate([]assay.SLO{{Name: "availability", Service: "shop", Target: .999, Window: int64(30 * 24 * time.Hour), Good: assay.Indicator{Metric: "availability"}}})
	for _, g := range groups {
		fmt.Println(g.Name, len(g.Rules))
	}
	fmt.Println(len(notes), "notes; pages over", promrules.Pairs(30 * 24 * time.Hour)[0].Long)
	// Output:
	// sloth-slo-sli-recordings-shop-availability 8
	// sloth-slo-meta-recordings-shop-availability 7
	// sloth-slo-alerts-shop-availability 2
	// 0 notes; pages over 1h0m0s
}

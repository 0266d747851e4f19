package openslo_test

import (
	"fmt"

	"github.com/assay-dev/assay/internal/openslo"
)

func Example() {
	set, err := openslo.ReadFiles("testdata", "shop.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range set.SLOs {
		fmt.Printf("%s %g own=%v\n", s.Name, s.Target, s.Good.Own())
	}
	// Output:
	// availability 0.999 own=false
	// fast-enough-0 0.99 own=true
	// fast-enough-1 0.9 own=true
	// answers 0.95 own=true
	// elsewhere 0.9 own=false
}

package importers_test

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/importers"
)

func Example() {
	im, err := importers.Open(context.Background(), importers.Settings{Paths: []string{"testdata/hits.csv"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(im.Requests, "requests from", time.Unix(0, im.Epoch).UTC())
	err = im.Run(context.Background(), func(r assay.Record) error {
		if q, ok := r.(*assay.Request); ok {
			fmt.Println(q.Phase, q.Outcome, time.Duration(q.End-q.Due))
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2 requests from 2025-12-31 23:59:59.999 +0000 UTC
	// ramp ok 1.5ms
	// ramp reset 2ms
}

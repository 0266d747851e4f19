package cloud_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/cloud"
	"github.com/assay-dev/assay/collectors/input"
)

// A REPORT line is a request: its init is part of what its user waited for.
func Example() {
	const text = "2026-01-01T00:00:01.300Z REPORT RequestId: 11111111-1111-4111-8111-111111111111\tDuration: 100.00 ms\tInit Duration: 200.00 ms\t\n"
	in := &input.Input{File: input.NewFile("fn.log", strings.NewReader(text), nil), Tally: &input.Tally{}}
	err := cloud.Kinds[0].Read(context.Background(), in, func(r assay.Record) error {
		if q, ok := r.(*assay.Request); ok {
			fmt.Println(time.Unix(0, q.Due).UTC().Format(time.StampMilli), q.Outcome, q.Cold, time.Duration(q.End-q.Due))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// Jan  1 00:00:01.000 ok cold 300ms
	// <nil>
}

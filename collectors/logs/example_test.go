package logs_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/logs"
)

// What vLLM says while it starts becomes the phases of its start.
func Example() {
	const text = `2026-01-01T00:00:00.000Z stdout F INFO 01-01 00:00:00 [api_server.py:1351] vLLM API server version 0.15.1
2026-01-01T00:00:25.000Z stdout F INFO 01-01 00:00:25 [default_loader.py:291] Loading weights took 21.50 seconds
2026-01-01T00:00:41.250Z stderr F INFO:     Application startup complete.
`
	in := &input.Input{File: input.NewFile("vllm-0.log", strings.NewReader(text), nil), Tally: &input.Tally{}}
	err := logs.Kinds[0].Read(context.Background(), in, func(r assay.Record) error {
		e := r.(*assay.Event)
		fmt.Println(strings.TrimSpace(e.Instance + " " + e.Kind + " " + e.Attrs["phase"]))
		return nil
	})
	fmt.Println(in.Tally.Kept, "of", in.Tally.Read(), "lines kept,", err)
	// Output:
	// vllm-0 instance.started
	// vllm-0 instance.phase weights_load
	// vllm-0 instance.ready
	// 3 of 3 lines kept, <nil>
}

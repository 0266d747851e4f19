package live_test

import (
	"fmt"
	"os"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/live"
)

func Example() {
	w := live.New(live.Options{Clock: clock.New(), Run: "demo", Total: 2 * time.Minute})
	guards, err := live.NewGuards(w, []live.Guard{{Metric: "error_ratio", Over: 10 * time.Second, Max: 0.5}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a run, the window stands in the path of every record.
	for i := range int64(20) {
		due := (100 + i) * 50e6
		r := assay.Request{Phase: "steady", Due: due, Sent: due, FirstToken: due + 40e6, End: due + 90e6, Outcome: assay.OK}
		if i > 6 {
			r.Outcome = assay.Timeout
		}
		w.Observe(&r)
	}
	w.Observe(&assay.Event{Kind: assay.EventInstanceEjected, Time: 5e9, Instance: "w-1", Text: "probe timed out"})
	for _, b := range guards.Evaluate(7e9) {
		fmt.Println(b.Text)
	}
	p := live.Progress{W: os.Stdout, Mode: live.Plain}
	p.Tick(w, 7e9)
	// Output:
	// error_ratio over 10s is 65.0 %, above its max 50.0 % (n=20)
	// 0:05 instance w-1 ejected: probe timed out
}

package gpu

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestNVMLLives: errors were watched for only while the command lived, and a life that went well lets it be started as often again.
func TestNVMLLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lives := []time.Duration{time.Second, 2 * time.Second, time.Second, time.Minute, time.Second, time.Second, time.Second, time.Second, time.Hour}
		var got []string
		n := &NVML{Path: "x", Clock: runClock{time.Now()}}
		n.live = func(context.Context, string) error {
			d := lives[0]
			lives = lives[1:]
			if err := n.line([]byte(hello)); err != nil {
				t.Error(err)
			}
			time.Sleep(d)
			return errors.New("off")
		}
		err := n.Run(t.Context(), func(r assay.Record) error {
			if e, ok := r.(*assay.Event); ok && e.Kind == assay.EventGPUWatched {
				got = append(got, fmt.Sprintf("%s..%s %s", e.Attrs["start_ns"], e.Attrs["end_ns"], e.Attrs["cards"]))
			}
			return nil
		})
		if err == nil || err.Error() != "nvml: assay-nvml ended 5 times: off" || len(lives) != 1 {
			t.Errorf("%v, %d lives left", err, len(lives))
		}
		// Waits are 1, 2 and 4 s, and 1, 2, 4 and 8 s after the minute.
		var want []string
		for _, l := range [][2]float64{{0, 1}, {2, 4}, {6, 7}, {11, 71}, {72, 73}, {75, 76}, {80, 81}, {89, 90}} {
			begin := max(int64(l[0]*1e9), 1)
			want = append(want, fmt.Sprintf("%d..%d 0000:3b:00", begin, int64(l[1]*1e9)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

package gpu

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestSMIHangs: a query that cannot be killed is told of and let be, and asked no more while it hangs.
func TestSMIHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		free := make(chan struct{})
		time.AfterFunc(12500*time.Millisecond, func() { close(free) })
		queries := 0
		var got []string
		n := &NvidiaSMI{Path: "/bin/sh", Interval: 4 * time.Second, Timeout: 2 * time.Second, Clock: runClock{time.Now()}}
		n.exec = func(cmd *exec.Cmd) error {
			if queries++; queries == 2 {
				<-free
				return nil
			}
			_, err := io.WriteString(cmd.Stdout, "index, uuid\n0, GPU-a\n")
			return err
		}
		if err := n.Run(ctx, func(r assay.Record) error {
			if s, ok := r.(*assay.Scrape); ok && s.Target == "nvidia-smi" {
				got = append(got, fmt.Sprintf("%v %s", time.Duration(s.Time), s.Error))
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		const still = " a query before still hangs in the driver"
		want := []string{"1ns it took longer than 2s and could not be killed: it hangs in the driver", "4s" + still, "8s" + still, "12s" + still}
		if diff := cmp.Diff(want, got); diff != "" || queries < 4 {
			t.Errorf("%d queries; (-want +got):\n%s", queries, diff)
		}
	})
}

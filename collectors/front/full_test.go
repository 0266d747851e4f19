package front

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// follow follows a log of nginx, to which a line with each stamp is written at its second, and returns what was counted and told.
func follow(t *testing.T, format string, lines map[int]string, fault func(n int) error) (got []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		for second, line := range lines {
			time.AfterFunc(time.Duration(second)*time.Second+100*time.Millisecond, func() {
				f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				fmt.Fprintln(f, line)
			})
		}
		n := 0
		l := &Log{Kind: "nginx", Path: path, Format: format, Clock: epoch{time.Now()}}
		if err := l.Run(ctx, func(r assay.Record) error {
			if n++; fault != nil {
				if err := fault(n); err != nil {
					return err
				}
			}
			switch r := r.(type) {
			case *assay.Sample:
				got = append(got, fmt.Sprintf("%v %s %v", time.Duration(r.Time), r.Name, r.Value))
			case *assay.Event:
				got = append(got, r.Text)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	return got
}

// bubbleBegan is when a bubble begins.
const bubbleBegan = 946684800

func at(second float64) string { return fmt.Sprintf("%.3f 200", bubbleBegan+second) }

// TestLogGoesOn: samples that are not taken are lost; what they count is not.
func TestLogGoesOn(t *testing.T) {
	got := follow(t, "$msec $status", map[int]string{1: at(1), 2: at(2), 3: at(3)}, func(n int) error {
		if n == 2 || n == 3 {
			return assay.ErrFull
		}
		return nil
	})
	want := []string{"999ms nginx_log_client_gone_total 0", "1s nginx_log_client_gone_total 0",
		"2s nginx_log_requests_total 2", "2s nginx_log_client_gone_total 0", "3s nginx_log_requests_total 3", "3s nginx_log_client_gone_total 0",
		"access.log: 3 lines do not tell how long their requests took: $request_time in the log_format would"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

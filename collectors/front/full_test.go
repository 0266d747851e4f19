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
	want := []string{"0s nginx_log_client_gone_total 0", "1s nginx_log_client_gone_total 0",
		"2s nginx_log_requests_total 2", "2s nginx_log_client_gone_total 0", "3s nginx_log_requests_total 3", "3s nginx_log_client_gone_total 0",
		"access.log: 3 lines do not tell how long their requests took: $request_time in the log_format would"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLogStamps: one line whose stamp is ahead does not silence the counters, and one that is far ahead does not count.
func TestLogStamps(t *testing.T) {
	got := follow(t, "$msec $status", map[int]string{1: at(1), 2: at(3600), 3: at(33), 4: at(4), 5: at(5), 6: at(6) + "\n" + at(-5000)}, nil)
	want := []string{"0s nginx_log_client_gone_total 0", "0s nginx_log_requests_total 0", "1s nginx_log_requests_total 1", "1s nginx_log_client_gone_total 0",
		"3.25s nginx_log_requests_total 2", "3.25s nginx_log_client_gone_total 0", "4s nginx_log_requests_total 3", "4s nginx_log_client_gone_total 0",
		"5s nginx_log_requests_total 4", "5s nginx_log_client_gone_total 0", "6.25s nginx_log_requests_total 6", "6.25s nginx_log_client_gone_total 0",
		"access.log: 6 lines do not tell how long their requests took: $request_time in the log_format would",
		"access.log: 1 of 7 lines were not recorded: stamped more than a minute ahead"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCountsClockSetBack: where the clock of the machine is set back, the counters go on at once.
func TestCountsClockSetBack(t *testing.T) {
	now := int64(1_800_000_000e9)
	var got []string
	d := &decoder{kind: "nginx", now: func() int64 { return now }, run: func(unix int64) int64 { return unix - 1_800_000_000e9 }, emit: func(r assay.Record) error {
		if s := r.(*assay.Sample); s.Name == "nginx_log_requests_total" {
			got = append(got, fmt.Sprintf("%v %v", time.Duration(s.Time), s.Value))
		}
		return nil
	}}
	for _, step := range []time.Duration{0, time.Second, -time.Hour, time.Second, time.Second} {
		now += int64(step)
		if err := d.counts.add(d, &entry{end: now, code: 200, took: -1, upstream: -1, connect: -1, first: -1, hop: -1, retries: -1}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"-1s 0", "0s 1", "1s 2", "-59m59s 3", "-59m58s 4"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

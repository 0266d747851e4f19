package gpu

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestFollowKernelRotated: an error that is written just before the log is rotated is recorded, and a log that is written to at every look does not hold up the end.
func TestFollowKernelRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kern.log")
	add := func(code string) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if code != "" {
			code = "2000-01-01T00:00:00Z n1 kernel: NVRM: Xid (PCI:0000:3b:00): " + code + ", pid=1, name=a, off\n"
		}
		if _, err := f.WriteString(code); err != nil {
			t.Fatal(err)
		}
	}
	add("")
	var got []string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		time.AfterFunc(300*time.Millisecond, func() { add("79") })
		err := (&FollowKernel{Path: path, Clock: runClock{time.Now()}}).Run(ctx, func(r assay.Record) error {
			e := r.(*assay.Event)
			switch got = append(got, e.Attrs["xid"]); {
			case len(got) == 1:
				add("48")
				if err := os.Rename(path, path+".1"); err != nil {
					t.Error(err)
				}
				add("31")
			case len(got) > 8:
				t.Fatal("it does not end")
			case e.Attrs["xid"] == "31" || e.Attrs["xid"] == "63":
				add("63")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	// Looks are at 400, 600 and 800 ms and at the end; each has one more error written.
	if diff := cmp.Diff([]string{"79", "48", "31", "63", "63", "63", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

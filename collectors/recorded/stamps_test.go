package recorded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// stamped are a good line of each kind of log, its stamp written as %s in a layout.
var stamped = map[string]struct{ line, layout string }{
	"nginx":      {`1.1.1.1 - - [%s] "GET / HTTP/1.1" 200 12 "-" "c" 0.010 0.008`, "02/Jan/2006:15:04:05 -0700"},
	"logs":       {`%s INFO:     Application startup complete.`, time.RFC3339},
	"kernel-log": {`%s g kernel: NVRM: Xid (PCI:0000:1b:00): 79, pid=1, name=x, GPU has fallen off the bus.`, "2006-01-02T15:04:05-07:00"},
	"lambda":     {"%s REPORT RequestId: 11111111-1111-1111-1111-111111111111\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\tMemory Size: 128 MB\tMax Memory Used: 50 MB", "2006-01-02T15:04:05.000Z"},
	"ollama":     {`{"created_at":"%s","done":true,"model":"m","total_duration":1000000000,"eval_count":3,"load_duration":1000}`, time.RFC3339},
}

func opened(t *testing.T, kind, text string) (input.Summary, []assay.Event) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range Kinds {
		if Kinds[i].Name != kind {
			continue
		}
		s, err := input.Open(t.Context(), []input.Spec{{Kind: &Kinds[i], Path: path}}, input.Settings{Latest: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()})
		if err != nil {
			t.Fatal(kind, err)
		}
		defer s.Close()
		var events []assay.Event
		if err := s.Run(t.Context(), func(r assay.Record) error {
			if e, ok := r.(*assay.Event); ok {
				events = append(events, *e)
			}
			return nil
		}); err != nil {
			t.Fatal(kind, err)
		}
		return s.Summaries[0], events
	}
	t.Fatal("no kind " + kind)
	return input.Summary{}, nil
}

// A line whose stamp cannot be true is rejected with that reason, and so is one that is too long; those around it are kept.
func TestLinesThatCannotBe(t *testing.T) {
	for kind, l := range stamped {
		at := func(year, second int) string {
			return fmt.Sprintf(l.line, time.Date(year, 11, 20, 10, 0, second, 0, time.UTC).Format(l.layout)) + "\n"
		}
		sum, _ := opened(t, kind, at(2026, 0)+at(2199, 1)+strings.Repeat("x", 5<<20)+"\n"+at(2026, 9))
		want := input.Summary{Read: 4, Kept: 2, Rejected: map[string]int64{"stamped in the future": 1, "a row of more than 4 MiB": 1}}
		if d := cmp.Diff(want, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected}); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
		for _, n := range sum.Notes {
			if strings.Contains(n, "left out") {
				t.Errorf("%s: note %q", kind, n)
			}
		}
	}
}

// One bad stamp in a kernel's log does not take away the time that the others show it was watched.
func TestWatchOfAKernelLogEndsWithWhatIsTrue(t *testing.T) {
	_, events := opened(t, "kernel-log", `2026-11-20T10:00:00+00:00 g kernel: NVRM: Xid (PCI:0000:1b:00): 79, pid=1, GPU has fallen off the bus.
2199-11-20T10:00:00+00:00 g kernel: eth0 up
2026-11-20T10:10:00+00:00 g kernel: eth0 up
`)
	for _, e := range events {
		if e.Kind == assay.EventGPUWatched && e.Attrs["end_ns"] == fmt.Sprint(time.Date(2026, 11, 20, 10, 10, 0, 0, time.UTC).UnixNano()) {
			return
		}
	}
	t.Errorf("no watch up to 10:10 among %+v", events)
}

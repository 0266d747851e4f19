package gpu

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestKernelLogTellsWhatItAssumed: a stamp without a zone or a year is taken for one, and which is told.
func TestKernelLogTellsWhatItAssumed(t *testing.T) {
	const xid = " gpu-7 kernel: [  123.456789] NVRM: Xid (PCI:0000:05:00): 79, pid=1, GPU has fallen off the bus."
	for name, tt := range map[string]struct {
		text    string
		options map[string]string
		want    []string
	}{
		"syslog":                  {"Mar  1 10:00:00" + xid + "\nMar  1 10:00:01 gpu-7 kernel: [  124.0] usb 1-1: new device\n", nil, []string{"stamps name no year: 2025 was taken for the first, by the file's last change; year= names another", "2 stamps name no time zone: UTC was taken; zone= names another"}},
		"syslog with its year":    {"Mar  1 10:00:00" + xid + "\nMar  1 10:00:01 gpu-7 kernel: [  124.0] usb 1-1: new device\n", map[string]string{"year": "2024", "zone": "Europe/Berlin"}, nil},
		"dmesg -T":                {"[Tue Mar  4 10:00:00 2025] NVRM: Xid (PCI:0000:05:00): 79, pid=1, GPU has fallen off the bus.\n[Tue Mar  4 10:00:01 2025] usb 1-1: new device\n", nil, []string{"2 stamps name no time zone: UTC was taken; zone= names another"}},
		"journalctl -o short-iso": {"2025-03-01T10:00:00+0100" + xid + "\n2025-03-01T10:00:01+0100 gpu-7 kernel: usb 1-1: new device\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kern.log")
			if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			changed := time.Date(2025, 3, 5, 0, 0, 0, 0, time.UTC)
			if err := os.Chtimes(path, changed, changed); err != nil {
				t.Fatal(err)
			}
			_, _, sum, err := readAll(t, &KernelLog, path, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(slices.Values(sum.Notes))
			if want := slices.Sorted(slices.Values(tt.want)); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

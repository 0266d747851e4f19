package gpu

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

func instant(t testing.TB, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

func TestKernelLogOfOthers(t *testing.T) {
	_, events, sum, err := readAll(t, &KernelLog, "testdata/dmesg.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Read != 11 || sum.Kept != 7 || !cmp.Equal(sum.Rejected, map[string]int64{whyNoXID: 3, whyNoGPU: 1}) {
		t.Errorf("%+v", sum)
	}
	var got []string
	for _, e := range events {
		if e.Kind != assay.EventWarning {
			got = append(got, time.Unix(0, e.Time).UTC().Format("01-02 15:04:05")+" "+e.Kind+" "+strings.Join([]string{e.Attrs["xid"], e.Attrs["pci"], e.Attrs["pid"], e.Attrs["process"], e.Attrs["class"], e.Attrs["severity"]}, ","))
		}
	}
	want := []string{
		"07-31 23:14:18 gpu.xid 43,0000:00:05,1045242,pt_main_thread,information,information",
		"07-31 23:15:26 gpu.xid 43,0000:00:05,1084984,pt_main_thread,information,information",
		"08-05 03:54:13 gpu.xid 31,0000:00:07,2512125,python3.10,app,failure",
		"08-09 13:32:56 gpu.xid 94,0000:00:08,,,app,failure",
		"08-30 11:43:09 gpu.xid 13,0000:cb:00,,,app,failure",
		"08-30 11:43:14 gpu.xid 109,0000:cb:00,1797828,pt_main_thread,gpu,failure",
		"08-30 11:43:14 gpu.watched ,,,,,",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	w := assay.Event{Time: instant(t, "2024-08-30T11:43:14Z"), Kind: assay.EventGPUWatched, Source: "kernel-log",
		Attrs: map[string]string{"start_ns": "1722158127000000000", "end_ns": "1725018194000000000", "cards": "0000:00:05 0000:00:07 0000:00:08 0000:cb:00"}}
	if d := cmp.Diff(w, events[6]); d != "" {
		t.Errorf("watched (-want +got):\n%s", d)
	}
}

// Lines of errors alone, as grep leaves them, do not tell how long they were watched for.
func TestKernelLogOfErrorsAlone(t *testing.T) {
	const xid = "2026-11-20T10:09:59Z gpu-1 kernel: NVRM: Xid (PCI:0000:1b:00): 79, GPU has fallen off the bus.\n2026-11-20T10:10:30Z gpu-1 kernel: NVRM: Xid (PCI:0000:1b:00): 45, Ch 1\n"
	for text, watched := range map[string]string{xid: "", xid + "2026-11-20T10:11:00Z gpu-1 kernel: usb 1-1: new device\n": strconv.FormatInt(instant(t, "2026-11-20T10:09:59Z"), 10)} {
		path := filepath.Join(t.TempDir(), "kern.log")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, events, _, err := readAll(t, &KernelLog, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(events, func(e assay.Event) bool { return e.Kind == assay.EventGPUWatched })
		if i < 0 || events[i].Attrs["start_ns"] != watched || events[i].Attrs["cards"] != "0000:1b:00" {
			t.Errorf("%s: %+v", text, events)
		}
	}
}

func TestKernelLogLines(t *testing.T) {
	const s = int64(time.Second)
	for _, tc := range []struct {
		line       string
		at         string
		resolution int64
		text, why  string
	}{
		{"[ 1843.308145] NVRM: x", "2026-07-14T08:30:43.308145Z", 1e6, "NVRM: x", ""},
		{"kern  :err   : [   12.5] NVRM: x", "2026-07-14T08:00:12.5Z", 1e6, "NVRM: x", ""},
		{"3,1234,1843308145,-;NVRM: x", "2026-07-14T08:30:43.308145Z", 1e6, "NVRM: x", ""},
		{"6,1234,99,-,caller=T12;NVRM: x", "2026-07-14T08:00:00.000099Z", 1e6, "NVRM: x", ""},
		{"[Mon Aug  5 03:54:13 2024] NVRM: x", "2024-08-05T03:54:13Z", s, "NVRM: x", ""},
		{"2025-05-27T04:18:33,211323+02:00 NVRM: x", "2025-05-27T02:18:33.211323Z", 1e3, "NVRM: x", ""},
		{"2026-07-14T08:12:38+0000 node kernel: NVRM: x", "2026-07-14T08:12:38Z", s, "NVRM: x", ""},
		{"2026-07-14T08:12:38.123456Z node kernel: [ 12.3] NVRM: x", "2026-07-14T08:12:38.123456Z", 1e3, "NVRM: x", ""},
		{"2026-07-14 08:12:38 node kernel: NVRM: x", "2026-07-14T08:12:38Z", s, "NVRM: x", ""},
		{"Fri 2024-08-30 11:11:22 UTC node kernel: NVRM: x", "2024-08-30T11:11:22Z", s, "NVRM: x", ""},
		{"Fri 2024-08-30 11:11:22 CEST node kernel: NVRM: x", "2024-08-30T11:11:22Z", s, "NVRM: x", ""},
		{"Okt 06 17:59:27 balrog kernel: NVRM: x", "2026-10-06T17:59:27Z", s, "NVRM: x", ""},
		{"Jan  6 17:59:27.5 balrog kernel: [ 5.5] NVRM: x", "2027-01-06T17:59:27.5Z", s / 10, "NVRM: x", ""}, // after October: the next year
		{"1720944758.123456 node kernel: NVRM: x", "2024-07-14T08:12:38.123456Z", 1e3, "NVRM: x", ""},
		{`{"__REALTIME_TIMESTAMP":"1720944758123456","_TRANSPORT":"kernel","MESSAGE":"NVRM: x"}`, "2024-07-14T08:12:38.123456Z", 1e3, "NVRM: x", ""},
		{`{"__REALTIME_TIMESTAMP":"9","_SOURCE_REALTIME_TIMESTAMP":"1720944758123456","MESSAGE":[78,86,10]}`, "2024-07-14T08:12:38.123456Z", 1e3, "NV\n", ""},
		{`{"__REALTIME_TIMESTAMP":"1720944758123456","_TRANSPORT":"stdout","MESSAGE":"x"}`, "", 0, "", whyNoGPU},
		{`{"MESSAGE":"x"}`, "", 0, "", whyNoStamp},
		{`{"MESSAGE"`, "", 0, "", whyNoJSON},
		{" SUBSYSTEM=pci", "", 0, "", whyContinue},
		{"Xyz 06 17:59:27 a kernel: x", "", 0, "x", whyNoStamp},
		{"Feb 31 17:59:27 a kernel: x", "", 0, "x", whyNoStamp},
		{"2026-13-14T08:12:38Z a kernel: x", "", 0, "x", whyNoStamp},
		{"[99999999999999999999.5] x", "", 0, "x", whyNoStamp},
		{"hello", "", 0, "", whyNoStamp},
	} {
		k := &kernelLog{zone: time.UTC, boot: instant(t, "2026-07-14T08:00:00Z"), year: 2026, last: instant(t, "2026-10-06T00:00:00Z")}
		if strings.HasPrefix(tc.line, "Okt") {
			k.last = 0
		}
		l, why := k.line([]byte(tc.line))
		want := logLine{resolution: tc.resolution, text: tc.text}
		if tc.at != "" {
			want.at = instant(t, tc.at)
		}
		for _, host := range []string{"node", "balrog", "a"} {
			if strings.Contains(tc.line, " "+host+" kernel: ") {
				want.host = host
			}
		}
		if l != want || why != tc.why {
			t.Errorf("%s:\n got %+v, %q\nwant %+v, %q", tc.line, l, why, want, tc.why)
		}
	}
	// Around the turn of a year lines come out of order, and the log was written last after it.
	k := &kernelLog{zone: time.UTC, year: 2027, end: instant(t, "2027-01-10T00:00:00Z")}
	for _, tc := range [][2]string{
		{"Sep 30 12:00:00", "2026-09-30T12:00:00Z"}, {"Dec 31 23:59:58", "2026-12-31T23:59:58Z"}, {"Jan  1 00:00:01", "2027-01-01T00:00:01Z"},
		{"Dec 31 23:59:59", "2026-12-31T23:59:59Z"}, {"Jan  1 00:00:02", "2027-01-01T00:00:02Z"}, {"Dec 31 23:59:59", "2026-12-31T23:59:59Z"}, {"Jan  5 00:00:03", "2027-01-05T00:00:03Z"},
	} {
		if l, why := k.line([]byte(tc[0] + " a kernel: x")); why != "" || l.at != instant(t, tc[1]) {
			t.Errorf("%s: got %v %s, want %s", tc[0], time.Unix(0, l.at).UTC(), why, tc[1])
		}
	}
	k = &kernelLog{zone: time.UTC}
	for line, want := range map[string]string{"[ 1843.308145] x": whyNoBoot, "Oct 06 17:59:27 a kernel: x": whyNoYear} {
		if _, why := k.line([]byte(line)); why != want {
			t.Errorf("%s: %q, want %q", line, why, want)
		}
	}
}

func TestParseXID(t *testing.T) {
	for _, tc := range []struct {
		text string
		want xid
		ok   bool
	}{
		{"NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus.", xid{code: 79, pci: "0000:3b:00", pid: "1234", process: "python3", text: "GPU has fallen off the bus."}, true},
		{"NVRM: Xid (PCI:0000:01:00): 79, pid=1122, GPU has fallen off the bus.", xid{code: 79, pci: "0000:01:00", pid: "1122", text: "GPU has fallen off the bus."}, true},
		{"NVRM: Xid (PCI:0000:01:00): 32, Channel ID 00000000 intr 00004000", xid{code: 32, pci: "0000:01:00", text: "Channel ID 00000000 intr 00004000"}, true},
		{"NVRM: Xid (0000:01:00): 13, 0001", xid{code: 13, pci: "0000:01:00", text: "0001"}, true},
		{"NVRM: Xid (PCI:0000:dc:00): 45, pid=1818990, name=python3, Ch 00000001 caused by previous Xid 149", xid{code: 45, pci: "0000:dc:00", pid: "1818990", process: "python3", text: "Ch 00000001 caused by previous Xid 149", after: 149}, true},
		{"NVRM: Xid (PCI:0000:07:00 GPU-I:05): 13, pid='<unknown>', name=<unknown>, Graphics Exception", xid{code: 13, pci: "0000:07:00", instance: "GPU-I:05", text: "Graphics Exception"}, true},
		{"NVRM: Xid (PCI:00000000:3B:00.0): 79", xid{code: 79, pci: "0000:3b:00"}, true},
		{"NVRM: Xid (PCI:0000:00:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus. (simulated by assay, x)", xid{code: 79, pci: "0000:00:00", text: "GPU has fallen off the bus. (simulated by assay, x)", simulated: true}, true},
		{"NVRM: Xid (PCI:0000:66:00): abc, pid=2280636", xid{}, false},
		{"NVRM: GPU 0000:01:00.0: GPU has fallen off the bus.", xid{}, false},
		{"NVRM: Xid (PCI:...): 79", xid{}, false},
	} {
		got, ok := parseXID(tc.text)
		if ok != tc.ok || got != tc.want {
			t.Errorf("%s:\n got %+v, %t\nwant %+v, %t", tc.text, got, ok, tc.want, tc.ok)
		}
	}
}

func TestXIDEvent(t *testing.T) {
	x, _ := parseXID("NVRM: Xid (PCI:0000:01:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (OS Reboot)")
	want := &assay.Event{Time: 5, Resolution: 1, Kind: "gpu.xid", Source: "s", Text: "XID 154, recovery action changed: GPU recovery action changed from 0x0 (None) to 0x2 (OS Reboot)",
		Attrs: map[string]string{"xid": "154", "pci": "0000:01:00", "cause": "none", "action": "node reboot", "class": "node", "severity": "failure", "host": "n"}}
	if d := cmp.Diff(want, x.event(logLine{at: 5, resolution: 1, host: "n"}, "s")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A line that is stamped in the future leaves the rest of the watch.
func TestKernelLogWithALineOfTheFuture(t *testing.T) {
	const text = "2026-11-20T10:00:00+00:00 g kernel: NVRM: Xid (PCI:0000:1b:00): 79, pid=1, name=x, GPU has fallen off the bus.\n" +
		"2199-11-20T10:00:00+00:00 g kernel: NVRM: Xid (PCI:0000:1b:00): 79, pid=1, name=x, GPU has fallen off the bus.\n" +
		"2026-11-20T10:10:00+00:00 g kernel: eth0 up\n"
	var events []assay.Event
	settings := input.Settings{Latest: instant(t, "2027-01-01T00:00:00Z")}
	sum, err := inputtest.Read(t, input.Spec{Kind: &KernelLog, Path: inputtest.File(t, "kern.log", text)}, settings, func(_ *input.Set, r assay.Record) {
		if e, ok := r.(*assay.Event); ok && e.Kind != assay.EventWarning {
			events = append(events, *e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int64{"stamped in the future": 1, whyNoGPU: 1}, sum.Rejected); d != "" || len(events) != 2 {
		t.Fatalf("%d events, rejected (-want +got):\n%s", len(events), d)
	}
	if w := events[1]; w.Kind != assay.EventGPUWatched || w.Attrs["start_ns"] != "1795168800000000000" || w.Attrs["end_ns"] != "1795169400000000000" {
		t.Errorf("watched %+v, want the ten minutes", w)
	}
}

func TestKernelLogFiles(t *testing.T) {
	const line = "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.\n"
	for _, tc := range []struct {
		name, text string
		options    map[string]string
		events     int
		rejected   map[string]int64
		err        string
	}{
		{"no boot", "[ 5.0] " + line, nil, 0, nil, "1 an error of a GPU, but counted from the start of its machine: want boot="},
		{"boot", "[ 5.0] " + line, map[string]string{"boot": "1784000000"}, 2, nil, ""},
		{"bad boot", "[ 5.0] " + line, map[string]string{"boot": "soon"}, 0, nil, `boot "soon": want an instant`},
		{"bad year", "x", map[string]string{"year": "12"}, 0, nil, `year "12": want a year`},
		{"a quiet log says so", "[ 5.0] usb\n[ 6.0] usb\n", map[string]string{"boot": "2026-07-14T08:00:00Z"}, 1, map[string]int64{whyNoGPU: 1}, ""},
		{"a long line", "[ 5.0] " + strings.Repeat("x", 10<<20), map[string]string{"boot": "1784000000"}, 0, nil, "a row of more than 4 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, events, sum, err := readAll(t, &KernelLog, inputtest.File(t, "in.txt", tc.text), tc.options)
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%v, want %q", err, tc.err)
			}
			if err == nil && (int(sum.Events) != tc.events || !cmp.Equal(tc.rejected, sum.Rejected)) {
				t.Errorf("%d events, %+v", len(events), sum)
			}
		})
	}
}

func TestIsKernelLog(t *testing.T) {
	for head, want := range map[string]bool{
		"6,1234,99,-;Linux version 6\n": true, "[ 1.0] usb\n[ 2.0] NVRM: loading\n": true, "[ 1.0] usb\n": false, "{\"a\":1}\n": false, "": false, "1784000000.5 x\n": false,
	} {
		if got := isKernelLog("x", []byte(head)); got != want {
			t.Errorf("%q: %t", head, got)
		}
	}
}

func FuzzKernelLog(f *testing.F) {
	b, err := os.ReadFile("testdata/dmesg.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f.Add(line)
	}
	f.Add("6,1234,99,-,caller=T12;NVRM: x")
	f.Add(`{"__REALTIME_TIMESTAMP":"1720944758123456","_TRANSPORT":"kernel","MESSAGE":"NVRM: x"}`)
	f.Add("Oct 06 17:59:27.5 balrog kernel: [ 5.5] NVRM: x")
	f.Fuzz(func(t *testing.T, text string) {
		tally := &input.Tally{}
		in := &input.Input{File: input.NewFile("testdata/dmesg.txt", strings.NewReader(text), nil), Tally: tally}
		err := readKernelLog(t.Context(), in, func(r assay.Record) error {
			if e := r.(*assay.Event); e.Kind == "" || len(e.Text) > 1000 {
				t.Errorf("%q gave %+v", text, e)
			}
			return nil
		})
		_ = err
		if x, ok := parseXID(text); ok && (x.code < 0 || x.code > 999 || len(x.pci) != 10) {
			t.Errorf("%q gave %+v", text, x)
		}
	})
}

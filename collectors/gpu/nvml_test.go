package gpu

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
)

// helper makes a stand-in of assay-nvml that says some lines and then does as its last line says.
func helper(t *testing.T, lines string, then string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a shell script")
	}
	path := filepath.Join(t.TempDir(), "assay-nvml")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncat <<'END'\n"+lines+"\nEND\n"+then+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

const hello = `{"hello":{"driver":"590.48.01","nvml":"13.590","cards":[{"index":0,"uuid":"GPU-aa","name":"NVIDIA H100","pci":"00000000:3B:00.0"}],"events":["xid"]}}`

func TestNVML(t *testing.T) {
	path := helper(t, hello+`
{"sample":{"unix_ns":5,"uuid":"GPU-aa","values":{"temperature_gpu":41,"Bad Name":1},"processes":[{"pid":7,"name":"x","bytes":1024},{"pid":8,"bytes":-1}]}}
{"event":{"unix_ns":5,"uuid":"GPU-aa","kind":"xid","data":79}}
{"event":{"unix_ns":5,"uuid":"GPU-aa","kind":"recovery","data":2}}
{"error":"it has no counters of ECC"}`, "exec cat >/dev/null")
	s := &sink{}
	stop := start(t, &NVML{Path: path, Clock: runClock{time.Now()}}, s)
	s.until(t, "warning", func() bool { return len(s.events) >= 3 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := map[string]float64{`nvidia_smi_temperature_gpu{uuid="aa"}`: 41, `nvidia_smi_compute_apps{uuid="aa"}`: 2, `nvidia_smi_compute_app_used_memory_bytes{pid="7",process_name="x",uuid="aa"}`: 1024,
		`nvidia_smi_gpu_info{driver_version="590.48.01",index="0",name="NVIDIA H100",pci_bus_id="00000000:3B:00.0",uuid="aa"}`: 1}
	if d := cmp.Diff(want, values(s.scrapes)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var got []string
	for _, e := range s.events {
		got = append(got, e.Kind+" "+e.Attrs["xid"]+" "+e.Attrs["pci"]+e.Attrs["cards"]+" "+e.Text)
	}
	if d := cmp.Diff([]string{"gpu.xid 79 0000:3b:00 XID 79, fallen off the bus: told by the driver", "annotation   the driver told of recovery of GPU 0000:3b:00: node reboot",
		"run.warning   it has no counters of ECC", "gpu.watched  0000:3b:00 "}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestNVMLInTrouble(t *testing.T) {
	s := &sink{}
	// The library is not there: there is nothing to start again for.
	err := (&NVML{Path: helper(t, `{"error":"ERROR_LIBRARY_NOT_FOUND","fatal":true}`, "exit 1"), Clock: runClock{time.Now()}}).Run(t.Context(), s.emit)
	if err == nil || err.Error() != "nvml: ERROR_LIBRARY_NOT_FOUND" || len(s.events) != 0 {
		t.Errorf("%v, %+v", err, s.events)
	}
	// It dies: the run is told, and it is started again.
	for then, want := range map[string]string{"echo symbol lookup error >&2; exit 127": `assay-nvml ended: exit status 127`, "echo no JSON": `it said "no JSON", which is no line of assay-nvml`, "exit 0": "it ended by itself"} {
		s := &sink{}
		stop := start(t, &NVML{Path: helper(t, hello, then), Clock: runClock{time.Now()}}, s)
		s.until(t, "word of its end", func() bool { return len(s.events) > 0 })
		if err := stop(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(s.events[0].Text, want) || !strings.HasSuffix(s.events[0].Text, "it is started again in 1s") {
			t.Errorf("%q, want %q", s.events[0].Text, want)
		}
	}
	h, err := (&NVML{}).Ask(t.Context(), helper(t, hello, ""))
	if err != nil || len(h.Cards) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := (&NVML{}).Ask(t.Context(), helper(t, `{"error":"no driver","fatal":true}`, "exit 1")); err == nil || err.Error() != "nvml: no driver" {
		t.Error(err)
	}
	if _, err := (&NVML{}).Ask(t.Context(), helper(t, "hm", "")); err == nil {
		t.Error("no JSON is taken for an answer")
	}
}

func FuzzNVMLLine(f *testing.F) {
	f.Add(hello)
	f.Add(`{"sample":{"unix_ns":5,"uuid":"GPU-aa","values":{"temperature_gpu":41},"processes":[{"pid":7,"name":"x","bytes":1024}]}}`)
	f.Add(`{"event":{"unix_ns":-5,"uuid":"GPU-aa","kind":"xid","data":79}}`)
	f.Fuzz(func(t *testing.T, line string) {
		n := &NVML{Clock: runClock{time.Now()}}
		n.cards, n.emit = map[string]gpu.NVMLCard{}, func(r assay.Record) error {
			if e, ok := r.(*assay.Event); ok && e.Time <= 0 {
				t.Errorf("%q gave %+v", line, e)
			}
			return nil
		}
		_ = n.line([]byte(line))
	})
}

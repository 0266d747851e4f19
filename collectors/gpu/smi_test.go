package gpu

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// readAll reads a file as an input of one kind and returns its records, their summary and the error.
func readAll(t testing.TB, k *input.Kind, path string, options map[string]string) (scrapes []assay.Scrape, events []assay.Event, sum input.Summary, err error) {
	t.Helper()
	sum, err = inputtest.Read(t, input.Spec{Kind: k, Path: path, Options: options}, input.Settings{}, func(s *input.Set, r assay.Record) {
		switch r := r.(type) {
		case *assay.Scrape:
			c := *r
			c.Time += s.Epoch
			c.Samples = slices.Clone(c.Samples)
			scrapes = append(scrapes, c)
		case *assay.Event:
			c := *r
			c.Time += s.Epoch
			events = append(events, c)
		}
	})
	return scrapes, events, sum, err
}

// series names a sample as expositions do.
func series(s *assay.Sample) string {
	var ls []string
	for _, l := range s.Labels {
		ls = append(ls, fmt.Sprintf("%s=%q", l.Name, l.Value))
	}
	if ls == nil {
		return s.Name
	}
	return s.Name + "{" + strings.Join(ls, ",") + "}"
}

func values(scrapes []assay.Scrape) map[string]float64 {
	out := map[string]float64{}
	for i := range scrapes {
		for j := range scrapes[i].Samples {
			out[series(&scrapes[i].Samples[j])] = scrapes[i].Samples[j].Value
		}
	}
	return out
}

// The capture's exposition is the exporter's own reading of it. What the exporter says of itself is not in it.
func TestCapturesAsTheirExporterReadsThem(t *testing.T) {
	for _, name := range []string{"linux-x86_64__nvidia-h100-80gb-hbm3__590.48.01", "linux-x86_64__nvidia-l40s__595.80"} {
		dir := "../../../shared/data/recordings/nvidia-smi/"
		capture, err := os.ReadFile(dir + name + ".txt")
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("the captures are absent; testdata has an excerpt")
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, stage := range []string{"idle", "load"} {
			other := map[string]string{"idle": "load", "load": "idle"}[stage]
			text := strings.ReplaceAll(string(capture), "# "+other+" :: query-gpu", "# "+other+" :: left out")
			var lines []string
			skip := false
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "# "+other+" ::") {
					skip = true
				} else if strings.HasPrefix(line, "# "+stage+" ::") || strings.HasPrefix(line, "# capabilities ::") {
					skip = false
				}
				if skip && strings.Contains(line, "--query-") {
					line = "# $ left out\n"
				}
				lines = append(lines, line)
			}
			scrapes, _, sum, err := readAll(t, &SMI, inputtest.File(t, "in.txt", strings.Join(lines, "")), nil)
			if err != nil {
				t.Fatal(err)
			}
			exposition, err := os.ReadFile(dir + name + "__" + stage + ".metrics")
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]float64{}
			for line := range strings.Lines(string(exposition)) {
				line = strings.TrimSpace(line)
				cut := strings.LastIndexByte(line, ' ')
				if line == "" || line[0] == '#' || !strings.HasPrefix(line, "nvidia_smi_") {
					continue
				}
				switch line[:cut] {
				case "nvidia_smi_command_exit_code", "nvidia_smi_failed_scrapes_total", "nvidia_smi_last_collect_success", "nvidia_smi_compute_apps_last_collect_success":
					continue
				}
				if line[:cut] == `nvidia_smi_compute_apps{uuid="00000000-0000-0000-0000-000000000000"}` && line[cut:] == " 0" {
					continue // that there is no process is the absence of rows in a file of rows
				}
				if strings.HasPrefix(line, "nvidia_smi_name{") {
					continue // the exporter reads the 40 of the name NVIDIA L40S as a value
				}
				v, err := strconv.ParseFloat(line[cut+1:], 64)
				if err != nil {
					t.Fatal(line)
				}
				want[line[:cut]] = v
			}
			if len(want) < 100 {
				t.Fatalf("only %d series expected", len(want))
			}
			if d := cmp.Diff(want, values(scrapes)); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", name, stage, d)
			}
			if sum.Read != sum.Kept+sum.Rejected[whyNotThere]+sum.Rejected[whyDeprecated]+sum.Rejected[whyText] || len(sum.Notes) != 2 {
				t.Errorf("%+v", sum)
			}
		}
	}
}

func TestExcerptOfACapture(t *testing.T) {
	scrapes, _, sum, err := readAll(t, &SMI, "testdata/l40s.txt", map[string]string{"zone": "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	sum.Path = ""
	want := input.Summary{Kind: "nvidia-smi", Things: "cells", Read: 62, Kept: 56, Rejected: map[string]int64{whyNotThere: 4, whyDeprecated: 2}, Samples: 39,
		Notes: []string{"2 lines of other sections (help, tables, lists) were passed over"}, Begin: 1783082018737e6, End: 1783082033650e6}
	if d := cmp.Diff(want, sum); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	got := values(scrapes[1:]) // under load
	for name, v := range map[string]float64{
		"nvidia_smi_utilization_gpu_ratio": 0.09, "nvidia_smi_memory_used_bytes": 1235 << 20, "nvidia_smi_pstate": 0, "nvidia_smi_driver_version": 595.8, "nvidia_smi_pci_base_class": 3,
		"nvidia_smi_clocks_event_reasons_counters_sw_power_cap_seconds": 204.642816, "nvidia_smi_ecc_errors_uncorrected_aggregate_sram_threshold_exceeded": 0,
		"nvidia_smi_compute_apps": 2, "nvidia_smi_clocks_current_sm_clock_hz": 2520e6,
	} {
		if g, ok := got[name+`{uuid="00000000-0000-0000-0000-000000000000"}`]; !ok || math.Abs(g-v) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, g, v)
		}
	}
	if at := scrapes[len(scrapes)-1].Time; at != 1783082033650*1e6 { // 2026-07-03 08:33:53.650 in New York
		t.Errorf("stamped %d", at)
	}
}

func TestCells(t *testing.T) {
	for _, tc := range []struct {
		head, cell string
		want       float64
		why        string
		name       string
	}{
		{"utilization.gpu [%]", "87 %", 0.87, "", "nvidia_smi_utilization_gpu_ratio"},
		{"utilization.gpu", "87", 0.87, "", "nvidia_smi_utilization_gpu_ratio"}, // nounits
		{"utilization.gpu [%]", "[N/A]", 0, whyNotThere, "nvidia_smi_utilization_gpu_ratio"},
		{"memory.used [MiB]", "479 MiB", 479 << 20, "", "nvidia_smi_memory_used_bytes"},
		{"memory.used", "479", 479 << 20, "", "nvidia_smi_memory_used_bytes"},
		{"memory.used [MiB]", "479 GiB", 0, whyText, "nvidia_smi_memory_used_bytes"},
		{"power.draw [W]", "69.85 W", 69.85, "", "nvidia_smi_power_draw_watts"},
		{"power.draw.instant", "69.85", 69.85, "", "nvidia_smi_power_draw_instant_watts"},
		{"enforced.power.limit", "700.00", 700, "", "nvidia_smi_enforced_power_limit_watts"},
		{"power.min_limit", "200.00", 200, "", "nvidia_smi_power_min_limit_watts"},
		{"clocks.sm [MHz]", "345 MHz", 345e6, "", "nvidia_smi_clocks_current_sm_clock_hz"},
		{"clocks.current.video", "345", 345e6, "", "nvidia_smi_clocks_current_video_clock_hz"},
		{"clocks_throttle_reasons.active", "0x0000000000000044", 0x44, "", "nvidia_smi_clocks_event_reasons_active"},
		{"clocks_throttle_reasons.sw_power_cap", "Active", 1, "", "nvidia_smi_clocks_event_reasons_sw_power_cap"},
		{"clocks_event_reasons_counters.sync_boost", "1500000", 1.5, "", "nvidia_smi_clocks_event_reasons_counters_sync_boost_seconds"},
		{"clocks_event_reasons.sw_power_cap", "Not Active", 0, "", "nvidia_smi_clocks_event_reasons_sw_power_cap"},
		{"display_mode", "[Requested functionality has been deprecated]", 0, whyDeprecated, "nvidia_smi_display_mode"},
		{"mig.mode.current", "[Not Supported]", 0, whyUnsupport, "nvidia_smi_mig_mode_current"},
		{"mig.mode.current", "Enabled", 1, "", "nvidia_smi_mig_mode_current"},
		{"temperature.memory", "N/A", 0, whyNotThere, "nvidia_smi_temperature_memory"},
		{"temperature.memory", "", 0, whyNotThere, "nvidia_smi_temperature_memory"},
		{"temperature.gpu", "[Unknown Error]", 0, whyError, "nvidia_smi_temperature_gpu"},
		{"temperature.gpu", "[GPU requires reset]", 0, whyError, "nvidia_smi_temperature_gpu"},
		{"temperature.gpu", "NaN", 0, whyText, "nvidia_smi_temperature_gpu"},
		{"temperature.gpu", "-3", -3, "", "nvidia_smi_temperature_gpu"},
		{"gpu_recovery_action", "Drain and Reset", 4, "", "nvidia_smi_gpu_recovery_action"},
		{"fabric.state", "Not Supported", 0, "", "nvidia_smi_fabric_state"},
		{"ecc.errors.uncorrected.aggregate.sram.thresholdExceeded", "Yes", 1, "", "nvidia_smi_ecc_errors_uncorrected_aggregate_sram_threshold_exceeded"},
		{"pstate", "P8", 8, "", "nvidia_smi_pstate"},
		{"pci.bus", "0x3B", 59, "", "nvidia_smi_pci_bus"},
		{"pci.bus", "0xZZ", 0, whyText, "nvidia_smi_pci_bus"},
	} {
		c := columnOf(tc.head)
		got, why := c.value(tc.cell)
		if math.Abs(got-tc.want) > 1e-9*math.Abs(tc.want) || why != tc.why || c.name != tc.name {
			t.Errorf("%s %q: %s %v, %q; want %s %v, %q", tc.head, tc.cell, c.name, got, why, tc.name, tc.want, tc.why)
		}
	}
}

const stamp = "2026/07/14 08:12:53.353"

func TestSMIFiles(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		options    map[string]string
		want       map[string]float64
		rejected   map[string]int64
		err        string
	}{
		{name: "two cards, headers again", text: "timestamp, uuid, temperature.gpu\n" + stamp + ", GPU-aa, 40\n" + stamp + ", GPU-bb, 41\ntimestamp, uuid, temperature.gpu\n2026/07/14 08:12:54.353, GPU-aa, 42\n",
			want: map[string]float64{`nvidia_smi_temperature_gpu{uuid="aa"}`: 42, `nvidia_smi_temperature_gpu{uuid="bb"}`: 41}},
		{name: "no header", text: stamp + ", 0, 40\n", options: map[string]string{"fields": "timestamp;index;temperature.gpu"},
			want: map[string]float64{`nvidia_smi_temperature_gpu{index="0"}`: 40, `nvidia_smi_index{index="0"}`: 0}},
		{name: "no stamp, time given", text: "uuid, temperature.gpu\nGPU-aa, 40\n", options: map[string]string{"time": "2026-07-14T08:12:38Z"}, want: map[string]float64{`nvidia_smi_temperature_gpu{uuid="aa"}`: 40}},
		{name: "no stamp", text: "uuid, temperature.gpu\nGPU-aa, 40\n", err: "2 no timestamp in the query"},
		{name: "a card lost on the way", text: "timestamp, uuid, temperature.gpu\n" + stamp + ", GPU-aa, 40\nUnable to determine the device handle for GPU0000:3B:00.0: Unknown Error\n" + stamp + ", GPU-aa\n",
			want: map[string]float64{`nvidia_smi_temperature_gpu{uuid="aa"}`: 40}, rejected: map[string]int64{"a message in place of a row": 1, "in a row of another length than its header": 2}},
		{name: "MIG", text: "timestamp, uuid, mig.mode.current, utilization.gpu [%], memory.used [MiB]\n" + stamp + ", GPU-aa, Enabled, [N/A], 5 MiB\n",
			want: map[string]float64{`nvidia_smi_mig_mode_current{uuid="aa"}`: 1, `nvidia_smi_memory_used_bytes{uuid="aa"}`: 5 << 20}, rejected: map[string]int64{whyNotThere: 1}},
		{name: "processes", text: "timestamp, gpu_uuid, pid, process_name, used_gpu_memory [MiB]\n" + stamp + ", GPU-aa, 7, /bin/x, 3 MiB\n" + stamp + ", GPU-aa, 8, [Not Found], [N/A]\n",
			want: map[string]float64{`nvidia_smi_compute_app_info{pid="7",process_name="/bin/x",uuid="aa"}`: 1, `nvidia_smi_compute_app_used_memory_bytes{pid="7",process_name="/bin/x",uuid="aa"}`: 3 << 20,
				`nvidia_smi_compute_app_info{pid="8",process_name="[Not Found]",uuid="aa"}`: 1, `nvidia_smi_compute_apps{uuid="aa"}`: 2}, rejected: map[string]int64{whyNotThere: 1}},
		{name: "no card", text: "timestamp, temperature.gpu\n" + stamp + ", 40\n", err: "names no card"},
		{name: "another time", text: "timestamp, uuid\nyesterday, GPU-aa\n", err: "timestamp is no YYYY/MM/DD"},
		{name: "bad option", text: "x", options: map[string]string{"time": "now"}, err: `time "now": want an instant`},
		{name: "bad fields", text: "x", options: map[string]string{"fields": "a b;c d"}, err: "want those of the query"},
		{name: "prose", text: "No devices were found\n", err: "before the header"},
		{name: "far future", text: "timestamp, uuid, temperature.gpu\n9999/07/14 08:12:53.353, GPU-aa, 40\n", err: "nothing with a time"},
		{name: "a long row", text: "timestamp, uuid, " + strings.Repeat("x.y, ", 2000) + "z.z\n", err: "more than 1000"},
		{name: "a long line", text: "timestamp, uuid, temperature.gpu\n" + strings.Repeat("x", 10<<20), err: "a row of more than 4 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			scrapes, _, sum, err := readAll(t, &SMI, inputtest.File(t, "in.txt", tc.text), tc.options)
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%v, want %q", err, tc.err)
			}
			if err != nil {
				return
			}
			if d := cmp.Diff(tc.want, values(scrapes)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.rejected, sum.Rejected); d != "" {
				t.Errorf("rejected (-want +got):\n%s", d)
			}
		})
	}
}

func TestIsSMI(t *testing.T) {
	for head, want := range map[string]bool{
		"timestamp, uuid, utilization.gpu [%]\n": true, "index, pci.bus_id, name": true, "timestamp,elapsed,label\n": false, "timeStamp,elapsed,uuid": false, "due,latency": false, "": false,
		captureMark + "\n# nvidia_gpu_exporter GPU capture\n": true,
	} {
		if got := isSMI("x", []byte(head)); got != want {
			t.Errorf("%q: %t", head, got)
		}
	}
}

func FuzzSMI(f *testing.F) {
	b, err := os.ReadFile("testdata/l40s.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("timestamp, uuid, temperature.gpu\n" + stamp + ", GPU-aa, 40\n")
	f.Add("timestamp, gpu_uuid, pid, process_name, used_gpu_memory [MiB]\n" + stamp + ", GPU-aa, 7, /bin/x, 3 MiB\n")
	f.Fuzz(func(t *testing.T, text string) {
		tally := &input.Tally{}
		in := &input.Input{File: input.NewFile("x", strings.NewReader(text), nil), Tally: tally}
		err := readSMI(t.Context(), in, func(r assay.Record) error {
			for _, s := range r.(*assay.Scrape).Samples {
				if s.Name == "" || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
					t.Errorf("%q gave %+v", text, s)
				}
			}
			return nil
		})
		if err == nil && tally.Read() < tally.Kept {
			t.Errorf("read %d, kept %d", tally.Read(), tally.Kept)
		}
	})
}

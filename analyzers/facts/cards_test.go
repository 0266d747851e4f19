package facts

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// Two pods on one machine and one on another. An error of a card is the cause of the exit of the instance on that card, as well as is told where it ran.
func TestErrorsOfCardsAndTheirInstances(t *testing.T) {
	event := func(at int64, kind, instance string, attrs ...string) assay.Event {
		e := assay.Event{Time: at * second, Resolution: second, Kind: kind, Source: "kubernetes", Instance: instance, Attrs: map[string]string{}}
		for i := 0; i+1 < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	up := func(id, node string, more ...string) []assay.Event {
		return []assay.Event{event(1, assay.EventInstanceCreated, id, "node", node), event(2, assay.EventInstanceStarted, id, more...), event(10, assay.EventInstanceReady, id)}
	}
	died := func(at int64, id string) assay.Event {
		return event(at, assay.EventInstanceExited, id, "reason", "crash", "code", "139", "signal", "11")
	}
	minutes := make([]float64, 10)
	dcgm := func(pci, uuid string, pods ...string) assay.Series {
		return series(minutes, append([]string{"Hostname", "gpu-1", "pci_bus_id", pci, "UUID", uuid}, pods...)...)
	}
	both := shows{"DCGM_FI_DEV_FB_USED": {dcgm("00000000:3B:00.0", "GPU-A", "pod", "a"), dcgm("00000000:5E:00.0", "GPU-B", "pod", "b")}}
	for _, c := range []struct {
		name   string
		events []assay.Event
		q      shows
		want   string // the failures of instances: who, cause, confidence and by what
		hit    string // what the failure of the card says
	}{
		{"by the pod that the exporter names", []assay.Event{xidEvent(300, "79", "0000:3b:00", "", "host", "gpu-1"), died(303, "a"), died(304, "b")}, both,
			"a xid 79 high " + ByLabel + "; b crash high ", "instances on it, " + ByLabel + ": a"},
		{"by the pod under the name that Prometheus gives it", []assay.Event{xidEvent(300, "31", "0000:3b:00", "", "host", "gpu-1"), died(303, "a")},
			shows{"DCGM_FI_DEV_FB_USED": {dcgm("00000000:3B:00.0", "GPU-A", "pod", "dcgm-exporter-x7k2p", "exported_pod", "a")}}, "a xid 31 high " + ByLabel, "instances on it, " + ByLabel + ": a"},
		{"by the pod and nvidia-smi, where the exporter does not say in which slot a card is", []assay.Event{xidEvent(300, "79", "0000:3b:00", "", "host", "gpu-1"), died(303, "a")},
			shows{"DCGM_FI_DEV_FB_USED": {series(minutes, "Hostname", "gpu-1", "UUID", "GPU-A1", "pod", "a")}, "nvidia_smi_gpu_info": {series(minutes, "uuid", "a1", "pci_bus_id", "00000000:3B:00.0")}},
			"a xid 79 high " + ByLabel, "instances on it, " + ByLabel + ": a"},
		{"by its process", []assay.Event{event(20, assay.EventInstanceStarted, "p", "pid", "4242"), event(21, assay.EventInstanceReady, "p"), xidEvent(300, "31", "0000:3b:00", "", "host", "gpu-1", "pid", "4242"), died(303, "p")}, both,
			"p xid 31 high " + ByPID, "instances on it, " + ByPID + ": p"},
		{"by its process, as nvidia-smi saw it", []assay.Event{event(20, assay.EventInstanceStarted, "p", "pid", "4242"), event(21, assay.EventInstanceReady, "p"), xidEvent(300, "48", "a1", ""), died(303, "p")},
			shows{"nvidia_smi_compute_app_used_memory_bytes": {series(minutes, "pid", "4242", "process_name", "vllm", "uuid", "a1")}}, "p xid 48 high " + ByLabel, "instances on it, " + ByLabel + ": p"},
		{"by its machine, the only one that ended", []assay.Event{xidEvent(300, "48", "0000:3b:00", "", "host", "gpu-1"), died(303, "a"), died(304, "c")}, nil,
			"a xid 48 high " + ByNode + "; c crash high ", "instances on it, " + ByNode + ": a, b"},
		{"by its machine, and two ended", []assay.Event{xidEvent(300, "48", "0000:3b:00", "", "host", "gpu-1"), died(303, "a"), died(304, "b")}, nil,
			"a crash high " + ByNode + "; b crash high " + ByNode, "instances on it, " + ByNode + ": a, b"},
		{"which brings the whole machine down", []assay.Event{xidEvent(300, "79", "0000:3b:00", "", "host", "gpu-1"), died(303, "a"), died(304, "b")}, nil,
			"a xid 79 high " + ByNode + "; b xid 79 high " + ByNode, "instances on it, " + ByNode + ": a, b"},
		{"after the exit", []assay.Event{died(303, "a"), xidEvent(310, "31", "0000:3b:00", "", "host", "gpu-1")}, both, "a crash high ", "instances on it, " + ByLabel + ": a"},
		{"long before the exit", []assay.Event{xidEvent(300, "31", "0000:3b:00", "", "host", "gpu-1"), died(340, "a")}, both, "a crash high ", "instances on it, " + ByLabel + ": a"},
		{"of another cause", []assay.Event{xidEvent(300, "31", "0000:3b:00", "", "host", "gpu-1"), event(303, assay.EventInstanceExited, "a", "reason", "oom")}, both,
			"a oom high " + ByLabel, "instances on it, " + ByLabel + ": a"},
		{"of a card that nobody places", []assay.Event{xidEvent(300, "31", "0000:99:00", "", "host", "gpu-9"), died(303, "a")}, both, "a crash high ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := &factstest.Run{M: assay.Manifest{Imported: true, End: assay.Ending{At: 600 * second}}, E: append(append(up("a", "gpu-1"), up("b", "gpu-1")...), up("c", "gpu-2")...)}
			run.E = append(run.E, c.events...)
			if c.q != nil {
				run.Q = c.q
			}
			f, err := Compute(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			hit := ""
			for _, e := range f.Episodes {
				if e.Subject == assay.GPU {
					hit = strings.Join(e.Evidence, "; ")
					continue
				}
				by := ""
				for _, x := range e.Evidence {
					for _, b := range []string{ByPID, ByLabel, ByNode} {
						if strings.HasPrefix(x, "XID") && strings.Contains(x, b) {
							by = b
						}
					}
				}
				got = append(got, e.Instance+" "+e.Cause+" "+string(e.Confidence)+" "+by)
			}
			if d := cmp.Diff(c.want, strings.Join(got, "; ")); d != "" {
				t.Errorf("failures (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.hit, hit); d != "" {
				t.Errorf("of the card (-want +got):\n%s", d)
			}
		})
	}
}

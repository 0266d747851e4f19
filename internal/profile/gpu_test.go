package profile

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/gpu"
)

func TestLabelsOfGPUs(t *testing.T) {
	for _, tc := range []struct {
		kind, dimension string
		want            []string
	}{
		{"dcgm", "uuid", []string{"UUID", "uuid", "gpu_uuid"}},
		{"dcgm", "host", []string{"Hostname", "hostname"}},
		{"dcgm", "model", []string{"modelName", "model_name"}},
		{"dcgm", "pod", []string{"pod", "exported_pod", "pod_name"}},
		{"dcgm", "mig", []string{"GPU_I_ID"}},
		{"amd-gpu", "uuid", []string{"serial_number"}},
		{"intel-gpu", "pci", []string{"pci_bdf"}},
		{"nvidia-smi", "none", nil},
		{"unheard-of", "pod", nil},
	} {
		if d := cmp.Diff(tc.want, For(tc.kind).Label(tc.dimension)); d != "" && len(tc.want) > 0 {
			t.Errorf("%s %s (-want +got):\n%s", tc.kind, tc.dimension, d)
		}
	}
}

// Every reason for which a vocabulary tells how long clocks were held down is in the table of reasons.
func TestReasonsOfGPUs(t *testing.T) {
	seen := 0
	for _, kind := range GPUs {
		if For(kind) == nil {
			t.Fatal(kind)
		}
		for q := range For(kind).Quantities {
			for _, prefix := range []Quantity{GPUThrottled, GPUThrottling} {
				name, ok := strings.CutPrefix(string(q), string(prefix))
				if !ok {
					continue
				}
				seen++
				if _, known := gpu.ReasonNamed(name); !known {
					t.Errorf("%s: %s is no reason of the table", kind, name)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d reasons seen", seen)
	}
	// The old name of the mask and the new one are read alike.
	if got := Detect([]string{"DCGM_FI_DEV_CLOCKS_EVENT_REASONS"}); !slices.Equal(got, []string{"dcgm"}) {
		t.Errorf("Detect: %v", got)
	}
}

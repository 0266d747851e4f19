package chaos

import (
	"strings"
	"testing"
)

// A kind of fault that several drivers do says of each how it was shown.
func TestProofOfEachDriver(t *testing.T) {
	const mesh = "documents by chaosmesh, objects on a real API server with a stand-in for its controller, never against a real controller"
	for name, want := range map[string]string{
		"hang":        "live by local",
		"kill":        "live by local; " + mesh,
		"cut":         "live by local; " + mesh,
		"clock":       "live by local; " + mesh,
		"http":        "live by local and wire; " + mesh,
		"pod-failure": mesh,
		"throttle":    "documents by lambda, against a stand-in of AWS, never on AWS",
		"gpu-memory":  "documents by local, against stand-ins of nvidia-smi and the driver's library, never on a GPU",
	} {
		if k, ok := find(name); !ok || k.Proof() != want {
			t.Errorf("%s: %q, want %q", name, k.Proof(), want)
		}
	}
	for _, k := range Kinds() {
		for _, driver := range k.By() {
			if !strings.Contains(k.Proof(), driver) {
				t.Errorf("%s: %q says nothing of %s", k.Name, k.Proof(), driver)
			}
		}
	}
}

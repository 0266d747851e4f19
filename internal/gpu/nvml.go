package gpu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// NVMLCommand is the name of the command that asks the driver's library.
const NVMLCommand = "assay-nvml"

// NVMLLine is one line that the command assay-nvml says on stdout, as JSON: exactly one of its parts is set. Numbers that the driver does not tell are
// left out. The names of values are those of nvidia_gpu_exporter without their prefix, in base units.
type NVMLLine struct {
	Hello  *NVMLHello  `json:"hello,omitempty"`  // first, once the library answered
	Sample *NVMLSample `json:"sample,omitempty"` // one card, once a look
	Event  *NVMLEvent  `json:"event,omitempty"`
	Error  string      `json:"error,omitempty"` // why something is missing; the command goes on, or ends by itself
	Fatal  bool        `json:"fatal,omitempty"` // beside Error: there is nothing to ask
}

// NVMLHello says what the library found.
type NVMLHello struct {
	Driver string     `json:"driver"`
	NVML   string     `json:"nvml"`
	Cards  []NVMLCard `json:"cards"`
	Events []string   `json:"events,omitempty"` // kinds of events that are told: xid, ecc, recovery
}

// NVMLCard is one card.
type NVMLCard struct {
	Index int    `json:"index"`
	UUID  string `json:"uuid"`
	Name  string `json:"name"`
	PCI   string `json:"pci"`
}

// NVMLSample is what one card told in one look.
type NVMLSample struct {
	Unix      int64              `json:"unix_ns"`
	UUID      string             `json:"uuid"`
	Values    map[string]float64 `json:"values"`
	Processes []NVMLProcess      `json:"processes,omitempty"`
}

// NVMLProcess is a process that holds memory of a card.
type NVMLProcess struct {
	PID   int     `json:"pid"`
	Name  string  `json:"name,omitempty"`
	Bytes float64 `json:"bytes"` // -1: not told
}

// NVMLEvent is an event of the driver.
type NVMLEvent struct {
	Unix int64  `json:"unix_ns"`
	UUID string `json:"uuid"`
	Kind string `json:"kind"` // xid, or what else the driver calls it
	Data uint64 `json:"data"` // of an xid: its code
	PCI  string `json:"pci,omitempty"`
}

// FindNVML returns the path of the command that asks the driver's library: beside exe, or on PATH.
func FindNVML(exe string) (string, error) {
	beside := filepath.Join(filepath.Dir(exe), NVMLCommand)
	if st, err := os.Stat(beside); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
		return beside, nil
	}
	path, err := exec.LookPath(NVMLCommand)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside %s nor on PATH; go -C cmd/%[1]s build makes it, with a C compiler", NVMLCommand, filepath.Base(exe))
	}
	return filepath.Abs(path)
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"

	"github.com/assay-dev/assay"
)

func host() assay.Host {
	return assay.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Kernel: kernel(), Go: runtime.Version()}
}

// kernel returns the kernel's release where the system tells it as a file.
func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return string(b[:max(0, len(b)-1)])
}

// attempt counts the runs beside this one that had the same plan and release, this one included.
func attempt(parent string, m *assay.Manifest) int {
	n := 1
	entries, err := os.ReadDir(parent)
	if err != nil {
		return n // no runs yet
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		var other assay.Manifest
		raw, err := os.ReadFile(filepath.Join(parent, e.Name(), "run.json"))
		if err == nil && json.Unmarshal(raw, &other) == nil &&
			other.PlanHash == m.PlanHash && other.Target.Release == m.Target.Release && other.Target.Name == m.Target.Name {
			n++
		}
	}
	return n
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The test binary is its own holder.
func TestMain(m *testing.M) {
	if os.Getenv("ASSAY_GPU_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestDriver calls a stand-in for the driver's library, built here, as it would call the real one.
func TestDriver(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("libraries are loaded on Linux only")
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is needed to build the stand-in")
	}
	dir := t.TempDir()
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", filepath.Join(dir, "libcuda.so.1"), "testdata/cuda.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tc := range []struct {
		name, libs, settings, env, out, err string
	}{
		{"holds", dir, `{"for_ns":60000000000,"bytes":1048576}`, "", `{"bytes":1048576,"free_before":1073741824,"free_after":1072693248,"total":1073741824}`, ""},
		{"too much", dir, `{"for_ns":60000000000,"bytes":600000000}`, "", `{"bytes":0,`, "take memory: error 2 of the driver, CUDA_ERROR_OUT_OF_MEMORY"},
		{"no device", dir, `{"for_ns":60000000000,"bytes":1}`, "ASSAY_FAKE_NONE=1", "", "the driver shows no device"},
		{"no driver", t.TempDir(), `{"for_ns":60000000000,"bytes":1}`, "", "", "load the driver's library: libcuda.so.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := os.Stat("/dev/nvidiactl"); err == nil && tc.name == "no driver" {
				t.Skip("there is a driver here")
			}
			cmd := exec.Command(os.Args[0], "mark", tc.settings)
			cmd.Env = append(os.Environ(), "ASSAY_GPU_MAIN=1", "LD_LIBRARY_PATH="+tc.libs, tc.env)
			var errs strings.Builder
			cmd.Stderr = &errs
			out, err := cmd.Output() // its stdin is empty, so it ends at once
			if (err != nil) != (tc.err != "") || !strings.Contains(errs.String(), tc.err) || !strings.HasPrefix(string(out), tc.out) {
				t.Errorf("%v: said %s and %s; want %s and %q", err, out, errs.String(), tc.out, tc.err)
			}
		})
	}
}

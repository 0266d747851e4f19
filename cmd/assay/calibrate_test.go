package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

// TestCalibrate: what is measured is kept for this machine, stamped on the next run, and held against a plan that asks for more.
func TestCalibrate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	if c := calibrated(); c != nil {
		t.Fatalf("calibrated before: %+v", c)
	}
	got := assayIn(t, dir, "calibrate", "--most", "60/s", "-o", "json")
	if got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	var said struct {
		Calibration assay.Calibration
		Steps       []loadgen.CalibrationStep
		File        string
	}
	if err := json.Unmarshal([]byte(got.out), &said); err != nil {
		t.Fatalf("%v in %s", err, got.out)
	}
	kept := calibrated()
	if kept == nil || *kept != said.Calibration || len(said.Steps) == 0 || said.Steps[0].Rate != 60 {
		t.Fatalf("kept %+v, said %s", kept, got.out)
	}
	if !strings.Contains(got.out, `"rate_per_s": 60`) || !strings.Contains(got.out, `"lateness_p99_ns"`) {
		t.Errorf("keys without units:\n%s", got.out)
	}
	if kept.PerRequest <= 0 || kept.SafeRate != 60 && kept.Beyond == "" || len(kept.Date) != len("2026-11-25") {
		t.Errorf("%+v", kept)
	}
	if left := ours(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	kept.SafeRate = 50
	if _, err := keep(kept); err != nil {
		t.Fatal(err)
	}
	plan := write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: x\ntarget: {kind: http, url: http://127.0.0.1:1}\nload:\n  - {name: calm, arrivals: {even: {rate: 40/s}}, for: 1s}\n  - {name: fast, arrivals: {even: {rate: 80/s}}, for: 1s}\n")
	out := assayIn(t, dir, "validate", plan).out
	if !strings.Contains(out, "phase fast reaches 80/s; this machine was on time up to 50/s") || strings.Contains(out, "phase calm reaches") {
		t.Errorf("validate:\n%s", out)
	}
	text := assayIn(t, dir, "calibrate", "--most", "60/s").out
	for _, want := range []string{"cost  ", "safe rate", "tried  ", "kept in"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if err := os.WriteFile(said.File, []byte(`{"date": "20`), 0o644); err != nil {
		t.Fatal(err)
	}
	if c := calibrated(); c != nil {
		t.Errorf("a torn file is %+v", c)
	}
	for _, args := range [][]string{{"--most", "x"}, {"--most", "0/s"}, {"-o", "yaml"}} {
		if got := assayIn(t, dir, append([]string{"calibrate"}, args...)...); got.code != assay.ExitUsage {
			t.Errorf("%v: exit %d, want %d", args, got.code, assay.ExitUsage)
		}
	}
}

package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/plan"
)

func TestSuiteCommand(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: s\ntarget: {kind: sandbox}\nsuite: {name: serverless-model, size: quick}\n")
	list := assayIn(t, dir, "list", "suite")
	if list.code != 0 || !strings.Contains(list.out, "serverless-model/stream-stall") || !strings.Contains(list.out, "Version 1, sizes full, quick.") {
		t.Errorf("list: exit %d\n%s%s", list.code, list.out, list.err)
	}
	v := assayIn(t, dir, "validate", "plan.yaml")
	for _, want := range []string{"suite serverless-model, version 1, size quick: ", "unmeasured: disk-full (the file system of the model cache is full): needs suite.cache: ", "unmeasured: xid ", "kill, 1.2s into phase kill: SIGKILL"} {
		if v.code != 0 || !strings.Contains(v.out, want) {
			t.Errorf("validate: exit %d, without %q\n%s%s", v.code, want, v.out, v.err)
		}
	}
	if strings.Contains(v.out, "CANNOT be decided") {
		t.Errorf("an objective of the suite cannot be decided:\n%s", v.out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--suite", "serverless-modle"}, `suite.name: "serverless-modle" is no suite; did you mean "serverless-model"?`},
		{[]string{"run", "--suite", "serverless-model", "--size", "big"}, `suite.size: "big" is unknown; quick or full`},
		{[]string{"run", "plan.yaml", "--suite", "serverless-model"}, "give a plan or --suite, not both"},
	} {
		if got := assayIn(t, dir, c.args...); got.code != assay.ExitUsage || !strings.Contains(got.err, c.want) {
			t.Errorf("%v: exit %d %s", c.args, got.code, got.err)
		}
	}
}

// A cache on the disk of the machine is not filled; each step that the local driver can do passes all that is checked of faults, in both sizes.
func TestSuiteIsCheckedAsPlansAre(t *testing.T) {
	for _, size := range []string{"quick", "full"} {
		p, err := suitePlan("serverless-model", size)
		if err != nil {
			t.Fatal(err)
		}
		p.Suite.Cache = "/"
		if p, _, err = complete(p); err != nil {
			t.Fatal(err)
		}
		var done []string
		for _, s := range p.Standard().Steps {
			if s.Unmeasured == "" {
				done = append(done, s.Name)
			}
		}
		for _, name := range []string{"kill", "crash-loop", "hang", "hang-healthy", "slow-weights", "far-from-zero", "stream-fin", "stream-rst", "stream-stall", "too-many", "dns-at-start", "spike"} {
			if !slices.Contains(done, name) {
				t.Errorf("%s: %s is not done on the sandbox", size, name)
			}
		}
	}
	if size, err := diskSize("/"); err == nil && size > maxCache {
		if err := refuses(&plan.Fault{Fault: "disk", By: "local", Dir: "/", For: plan.Duration(time.Second), Instances: plan.Count{N: 1}}); err == nil || !strings.Contains(err.Error(), "which others may use") {
			t.Errorf("the machine's disk: got %v", err)
		}
	}
}

// Where there is a GPU, the memory of one can be held: the step says how much.
func TestSuiteOnAMachineWithAGPU(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in of nvidia-smi is a shell script")
	}
	dir := t.TempDir()
	smi, err := filepath.Abs("../../internal/gpu/testdata/nvidia-smi")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(smi, filepath.Join(dir, "nvidia-smi")), os.Symlink("/bin/sh", filepath.Join(dir, gpu.Command))); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("ASSAY_FAKE_GPU", dir)
	for _, size := range []string{"quick", "full"} {
		p, err := suitePlan("serverless-model", size)
		if err != nil {
			t.Fatal(err)
		}
		if p, _, err = complete(p); err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Standard().Steps {
			if s.Name == "gpu-memory" && s.Unmeasured != "" {
				t.Errorf("%s: gpu-memory is not done: %s", size, s.Unmeasured)
			}
		}
	}
}

// The quick suite runs on the sandbox: each step that can be done here is measured, what cannot is not passed, and nothing is left behind.
func TestSuiteOnSandbox(t *testing.T) {
	full(t)
	dir := t.TempDir()
	got := assayIn(t, dir, "run", "--suite", "serverless-model", "--size", "quick")
	if got.code != assay.ExitGo && got.code != assay.ExitInvalid && got.code != assay.ExitInconclusive && got.code != assay.ExitNoGo {
		t.Fatalf("exit %d\n%s\n%s", got.code, got.err, got.out)
	}
	gone(t, dir, 3*time.Second)
	r, _ := readResult(t, runsIn(t, dir)[0])
	if r.Suite == nil || r.Suite.Version != 1 || r.Suite.Size != "quick" {
		t.Fatalf("suite: %+v", r.Suite)
	}
	for _, s := range r.Suite.Steps {
		switch {
		case s.State == assay.VoidFault:
			t.Errorf("%s is void: %s", s.Name, s.Why)
		case s.State == assay.Unmeasured && s.Why == "":
			t.Errorf("%s is unmeasured for no reason", s.Name)
		}
	}
	for _, f := range r.Faults {
		if f.Window.Clear == 0 || f.Window.Remains != "" {
			t.Errorf("%s: %+v", f.Window.ID, f.Window)
		}
	}
	if h := assayIn(t, dir, "heal"); h.code != 0 || strings.Contains(h.out, "reverted:") {
		t.Errorf("heal: exit %d\n%s", h.code, h.out)
	}
}

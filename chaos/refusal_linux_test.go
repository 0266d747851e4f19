package chaos

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/pacetest"
)

// Whatever a platform lists, what belongs to the run is never hurt: the platform, the guardian, our other helpers, ourselves and those above us.
func TestRefusalOfOurOwn(t *testing.T) {
	lookOnly(t)
	child := func(name string) Process {
		cmd := role(name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p, err := ProcessOf(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.killGroup(); cmd.Wait() })
		return p
	}
	guardian, err := StartGuardian(context.Background(), os.Args[0], t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer guardian.Close()
	platform, helper := child("tree"), child("victim")
	var worker Process
	for end := time.Now().Add(pacetest.Patience); worker.PID == 0; time.Sleep(10 * time.Millisecond) {
		pids, err := platform.members()
		if err != nil || time.Now().After(end) {
			t.Fatalf("the platform has no workers: %v, %v", pids, err)
		}
		for _, pid := range pids {
			if pid != platform.PID {
				if worker, err = ProcessOf(pid); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	of := func(pid int) Process {
		p, err := ProcessOf(pid)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tc := range []struct {
		name string
		p    Process
		want string // "" for one that may be hurt
	}{
		{"a worker", worker, ""},
		{"the platform", platform, "it is the platform itself"},
		{"the guardian", of(guardian.PID()), "it leads a session"},
		{"a helper", helper, "it belongs to this run and is no instance of the platform"},
		{"ourselves", of(os.Getpid()), "it is this process or an ancestor of it"},
		{"who started us", of(os.Getppid()), "it "},
		{"the first process", Process{PID: 1, Start: 1}, "it is the first process of the machine"},
	} {
		if got := refusal(Victim{ID: "w-1", Process: tc.p}, platform); !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

package sandbox

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

func TestNothingOutlivesThePlatform(t *testing.T) {
	for name, end := range map[string]func(p *Platform){
		"its parent dies":      func(p *Platform) { p.stdin.Close() },
		"the platform is shot": func(p *Platform) { syscall.Kill(p.PID, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.InitialScale, cfg.MinScale = 2, 2
			p := startTest(t, cfg)
			w := watchEvents(t, p)
			w.next(assay.EventInstanceReady, nil)
			w.next(assay.EventInstanceReady, nil)
			if n := len(groupMembers(p.PID)); n != 3 {
				t.Fatalf("%d processes in the group, want the platform and two workers", n)
			}
			end(p)
			t.Logf("all gone after %s", waitGone(t, p.PID, 2*time.Second))
			<-p.Done()
			if p.Wait() == nil {
				t.Error("Wait says that it ended in order")
			}
		})
	}
}

// Here nobody sweeps the group: only the parent-death signal reaches the workers.
func TestWorkersDieWithTheirPlatform(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale = 2, 2
	cmd := exec.Command(os.Args[0], PlatformCommand)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := json.NewEncoder(stdin).Encode(cfg); err != nil {
		t.Fatal(err)
	}
	var a announcement
	if err := json.NewDecoder(stdout).Decode(&a); err != nil {
		t.Fatal(err)
	}
	p := &Platform{AdminURL: a.Admin}
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)
	w.next(assay.EventInstanceReady, nil)
	var list []Instance
	getJSON(t, p.AdminURL+"/admin/instances", &list)
	if len(list) != 2 {
		t.Fatalf("got %d instances, want 2", len(list))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, in := range list {
		for deadline := time.Now().Add(pacetest.Patience); ; time.Sleep(time.Millisecond) {
			if ticks, err := StartTicks(in.PID); err != nil || ticks != in.PIDStart {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("worker %d has outlived its platform", in.PID)
			}
		}
	}
}

func TestStopDrains(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale = 1, 1
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)
	answer, began := make(chan error, 1), make(chan struct{})
	go func() { answer <- longAsk(p.URL, began) }()
	<-began
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the answer under way: %v", err)
	}
	exit := w.next(assay.EventInstanceExited, nil)
	if exit.Attrs["reason"] != exitShutdown || exit.Attrs["code"] != "0" {
		t.Errorf("got exit %v, want shutdown with code 0", exit.Attrs)
	}
	if _, open := <-w.events; open {
		t.Error("the event stream goes on after the last exit")
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("stopping again: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	inUse, bad, noDir := testConfig(t), testConfig(t), testConfig(t)
	inUse.Listen = ln.Addr().String()
	bad.MaxScale, bad.ActivationScale = 0, 0
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noDir.TruthDir = filepath.Join(file, "truth")
	for _, tt := range []struct {
		name string
		opt  StartOptions
		want string
	}{
		{"port in use", StartOptions{Config: inUse}, "listen: " + inUse.Listen + " is in use by another process"},
		{"bad settings", StartOptions{Config: bad}, "max_scale: 0 is too small; must be at least 1"},
		{"no directory", StartOptions{Config: noDir}, "create truth directory"},
		{"not owned", StartOptions{Config: testConfig(t), Own: func(int, uint64) error { return io.ErrClosedPipe }}, "hand over the platform's process group: io: read/write on closed pipe"},
		{"no binary", StartOptions{Config: testConfig(t), Exe: "/no/such/file"}, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var pid int
			if tt.opt.Own == nil {
				tt.opt.Own = func(p int, ticks uint64) error {
					pid = p
					if got, err := StartTicks(p); err != nil || got != ticks {
						t.Errorf("handed over start %d, want %d (%v)", ticks, got, err)
					}
					return nil
				}
			}
			p, err := Start(t.Context(), tt.opt)
			if err == nil {
				p.Stop(t.Context())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line with %q", err, tt.want)
			}
			if pid != 0 && len(groupMembers(pid)) > 0 {
				t.Errorf("processes of a refused start are left")
			}
		})
	}
}

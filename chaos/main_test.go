package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/gpu"
)

// The test binary plays all the processes of these tests: the guardian, victims, and
// injectors that are killed at a given stage.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "x-guardian" {
		if err := GuardianMain(context.Background(), os.Stdin, os.Stdout, GuardianOptions{}); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	gpuNode = func(int) string { return "/dev/full" } // a device that is there, in place of one that is not
	mayTune = func() error { return nil }             // the stand-in of nvidia-smi asks for no rights
	if filepath.Base(os.Args[0]) == gpu.Command {
		if err := gpu.HoldMain(context.Background(), os.Stdin, os.Stdout, os.Args[1:], func() (gpu.Device, error) { return &card{free: 1 << 30}, nil }); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == OpenCommand {
		if err := OpenMain(os.Stdout, os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == BurnCommand {
		if err := BurnMain(context.Background(), os.Stdin, os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == ReadsCommand {
		if err := ReadsMain(context.Background(), os.Stdin, os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	switch os.Getenv("ASSAY_CHAOS_ROLE") {
	case "victim":
		victimMain()
	case "spinner":
		for range 3 {
			go func() {
				for n := 0; ; n++ { // reads the clock far more often than a server does
					if n%100 == 0 {
						time.Now()
					}
				}
			}()
		}
		victimMain()
	case "tree":
		treeMain()
	case "injector":
		injectorMain()
	case "kubectl":
		kubectlMain()
	default:
		// The race detector would make each of those processes wait a second before it ends.
		os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
		dir, err := standIns()
		if err != nil {
			panic(err)
		}
		code := m.Run()
		os.RemoveAll(dir)
		os.Exit(code)
	}
}

// standIns puts a machine with one GPU on PATH: a stand-in of nvidia-smi, and this binary as the holder of its memory.
func standIns() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "assay-gpu"); err != nil {
		return "", err
	}
	smi, err := filepath.Abs("../internal/gpu/testdata/nvidia-smi")
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	os.Setenv("ASSAY_FAKE_GPU", dir)
	return dir, errors.Join(os.Symlink(smi, filepath.Join(dir, "nvidia-smi")), os.Symlink(self, filepath.Join(dir, gpu.Command)))
}

// card is a GPU whose memory the stand-in of nvidia-smi sees.
type card struct{ free int64 }

func (c *card) Take(n int64) error {
	c.free -= n
	return os.WriteFile(filepath.Join(os.Getenv("ASSAY_FAKE_GPU"), fmt.Sprint("held-", os.Getpid())), fmt.Appendln(nil, n>>20), 0o644)
}

func (c *card) Memory() (free, total int64, err error) { return c.free, 1 << 30, nil }

func lookOnly(t *testing.T) {
	t.Helper()
	if err := signalsWork(); err != nil {
		t.Skip(err)
	}
}

func role(name string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "ASSAY_CHAOS_ROLE="+name, "GOMAXPROCS=1"), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// victimMain is a tiny server that ends with its parent, or after a minute.
func victimMain() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	time.AfterFunc(time.Minute, func() { os.Exit(1) })
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") }),
		ErrorLog: log.New(io.Discard, "", 0)} // it runs out of descriptors on purpose
	go server.Serve(ln)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// treeMain is the leader of a group of two victims.
func treeMain() {
	for range 2 {
		v := role("victim")
		v.StdinPipe()
		if err := v.Start(); err != nil {
			panic(err)
		}
	}
	time.Sleep(time.Minute)
}

// config is what an injector is told.
type config struct {
	Dir, Admin, Stage string
	Step              Step
	Verify, Grace     time.Duration
	Own               bool // start a process group and have the guardian own it
	Load              bool // it makes load
	Stop              *StopOptions

	Cluster, Workload, HPA string // by kubernetes: kubeconfig, and what is changed
	Lambda                 string // by lambda: where the stand-in listens
}

// told is what an injector says once it has reached its stage.
type told struct {
	Guardian int
	Group    Process
	Addr     string // where a stop is listened for
}

// injectorMain runs one step and stops dead at the given stage, to be killed there.
func injectorMain() {
	var c config
	if err := json.Unmarshal([]byte(os.Getenv("ASSAY_CHAOS_CONFIG")), &c); err != nil {
		panic(err)
	}
	ctx := context.Background()
	g, err := StartGuardian(ctx, os.Args[0], c.Dir)
	if err != nil {
		panic(err)
	}
	say := told{Guardian: g.PID()}
	if c.Own {
		tree := role("tree")
		tree.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := tree.Start(); err != nil {
			panic(err)
		}
		if say.Group, err = ProcessOf(tree.Process.Pid); err != nil {
			panic(err)
		}
		own := g.Own
		if c.Load {
			own = g.OwnLoad
		}
		if err := own(ctx, say.Group); err != nil {
			panic(err)
		}
	}
	if c.Stop != nil {
		if say.Addr, err = g.Watch(ctx, *c.Stop, func(string) {}); err != nil {
			panic(err)
		}
	}
	reached := drilltest.Stage(c.Stage, &say)
	j, err := drilltest.Create(c.Dir)
	if err != nil {
		panic(err)
	}
	j.On = func(e *assay.Event) {
		if e.Kind != assay.EventFaultArmed {
			reached(e.Kind)
		}
	}
	var driver Driver = &Local{Platform: &AdminPlatform{URL: c.Admin}}
	switch {
	case c.Cluster != "":
		d := standDriver(c.Cluster, c.Workload)
		d.HPA, driver = c.HPA, d
	case c.Lambda != "":
		driver = standLambda(c.Lambda)
	}
	r := &Runner{Steps: []Step{c.Step}, Driver: driver, Clock: clock.New(), Seed: 1, Verify: c.Verify, Grace: c.Grace,
		Sync: func(e *assay.Event) error { return j.Write(e) }, Guard: stageGuard{g, reached},
		Begin: func(context.Context, string) (int64, error) { return 1, nil }}
	if err := r.Run(ctx, j.Write); err != nil {
		panic(err)
	}
	reached("done")
}

// stageGuard stops right after the guardian has answered.
type stageGuard struct {
	*Guardian
	reached func(string)
}

func (g stageGuard) Arm(ctx context.Context, u Undo) error {
	err := g.Guardian.Arm(ctx, u)
	g.reached(assay.EventFaultArmed)
	return err
}

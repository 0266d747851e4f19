package cluster

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/klog/v2"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/meshtest"
)

var background = context.Background()

// The test binary plays the guardian and injectors that are killed, too.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "x-guardian":
		if err := chaos.GuardianMain(background, os.Stdin, os.Stdout, chaos.GuardianOptions{}); err != nil {
			os.Exit(1)
		}
	case os.Getenv("ASSAY_MESH_CONFIG") != "":
		injectorMain()
	default:
		os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
		logs := flag.NewFlagSet("klog", flag.ContinueOnError)
		klog.InitFlags(logs)
		_ = logs.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL"})
		klog.SetOutput(io.Discard)
		flag.Parse()
		_ = flag.Set("test.parallel", "8") // they wait more than they work
		code := m.Run()
		for _, stop := range slices.Backward(stops) {
			stop()
		}
		os.Exit(code)
	}
}

// cluster starts a cluster for a test, in front of the API server of all. Tests must not use the same names of objects.
func cluster(t *testing.T) *meshtest.Cluster {
	t.Helper()
	backend, err := api()
	if err != nil {
		t.Fatal(err)
	}
	return meshtest.New(t, backend, 3)
}

// driver is that of a cluster: patient, since the machine may be busy. Where the wait is what is tested, a test makes it impatient.
func driver(kubeconfig, run string) (*chaos.Mesh, error) {
	client, err := kube.Load(kubeconfig, "")
	if err != nil {
		return nil, err
	}
	return &chaos.Mesh{API: client, Kubeconfig: kubeconfig, Namespace: meshtest.Namespace, Pods: "app=vllm", RunID: run,
		Patience: 15 * time.Second, Select: 10 * time.Second, Flight: 500 * time.Millisecond, Poll: 50 * time.Millisecond}, nil
}

// journal is a run's events, on disk.
type journal struct {
	mu     sync.Mutex
	file   *os.File
	events []assay.Event
	on     func(e *assay.Event)
}

func newJournal(dir string) (*journal, error) {
	f, err := os.Create(filepath.Join(dir, "events.jsonl"))
	return &journal{file: f}, err
}

func (j *journal) write(r assay.Record) error {
	e := r.(*assay.Event)
	j.mu.Lock()
	j.events = append(j.events, *e)
	err := json.NewEncoder(j.file).Encode(e)
	j.mu.Unlock()
	if j.on != nil {
		j.on(e)
	}
	return err
}

// kinds lists the kinds of the events of the fault, in order.
func (j *journal) kinds() (list []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Fault != "" {
			list = append(list, e.Kind)
		}
	}
	return list
}

// find returns the first event of a kind.
func (j *journal) find(kind string) assay.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Kind == kind {
			return e
		}
	}
	return assay.Event{}
}

func readEvents(t *testing.T, dir string) (events []assay.Event) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var e assay.Event
		if d.Decode(&e) != nil {
			return events
		}
		events = append(events, e)
	}
}

// runner carries out steps by a driver.
func runner(d *chaos.Mesh, g chaos.Guard, j *journal, steps ...chaos.Step) *chaos.Runner {
	return &chaos.Runner{Steps: steps, Driver: chaos.Drivers{chaos.ByMesh: d}, Guard: g, Clock: clock.New(), Seed: 1, Verify: 5 * time.Second, Revert: time.Second,
		Sync: func(e *assay.Event) error { return j.write(e) }, Begin: func(context.Context, string) (int64, error) { return 1, nil }}
}

// impatient lets the runner and its driver give up soon.
func impatient(r *chaos.Runner) {
	d := r.Driver.(chaos.Drivers)[chaos.ByMesh].(*chaos.Mesh)
	d.Patience, d.Select = time.Second, 1500*time.Millisecond
}

// noGuard keeps nothing: for tests in which the injector lives.
type noGuard struct{}

func (noGuard) Arm(context.Context, chaos.Undo) error { return nil }
func (noGuard) Disarm(context.Context, string) error  { return nil }
func (noGuard) Lost() <-chan struct{}                 { return nil }

// config is what an injector is told, and told what it says at its stage.
type (
	config struct {
		Dir, Kubeconfig, Run, Stage string
		Step                        chaos.Step
	}
	told struct{ Guardian int }
)

// injectorMain runs one step and stops dead at its stage, to be killed there.
func injectorMain() {
	var c config
	if err := json.Unmarshal([]byte(os.Getenv("ASSAY_MESH_CONFIG")), &c); err != nil {
		panic(err)
	}
	os.Unsetenv("ASSAY_MESH_CONFIG")
	g, err := chaos.StartGuardian(background, os.Args[0], c.Dir)
	if err != nil {
		panic(err)
	}
	j, err := newJournal(c.Dir)
	if err != nil {
		panic(err)
	}
	d, err := driver(c.Kubeconfig, c.Run)
	if err != nil {
		panic(err)
	}
	var once sync.Once
	reached := func(stage string) {
		if stage == c.Stage {
			once.Do(func() { json.NewEncoder(os.Stdout).Encode(told{g.PID()}) })
			select {}
		}
	}
	j.on = func(e *assay.Event) {
		if e.Kind != assay.EventFaultArmed {
			reached(e.Kind)
		}
	}
	if err := runner(d, stageGuard{g, reached}, j, c.Step).Run(background, j.write); err != nil {
		panic(err)
	}
	reached("done")
}

// stageGuard stops right after the guardian has answered.
type stageGuard struct {
	*chaos.Guardian
	reached func(string)
}

func (g stageGuard) Arm(ctx context.Context, u chaos.Undo) error {
	err := g.Guardian.Arm(ctx, u)
	g.reached(assay.EventFaultArmed)
	return err
}

// inject starts an injector and returns once it stands at its stage.
func inject(t *testing.T, c config) (*exec.Cmd, told) {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ASSAY_MESH_CONFIG="+string(raw), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	got := make(chan told, 1)
	go func() {
		var s told
		if json.NewDecoder(out).Decode(&s) == nil {
			got <- s
		}
		close(got)
	}()
	select {
	case s, ok := <-got:
		if !ok {
			t.Fatalf("the injector ended before stage %s: %v", c.Stage, readEvents(t, c.Dir))
		}
		return cmd, s
	case <-time.After(30 * time.Second):
		t.Fatalf("the injector did not reach stage %s: %v", c.Stage, readEvents(t, c.Dir))
	}
	panic("unreachable")
}

// within waits until ok, or fails the test.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > limit {
			t.Fatalf("after %v: not %s", limit, what)
		}
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"k8s.io/klog/v2"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/drilltest"
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

// runner carries out steps by a driver.
func runner(d *chaos.Mesh, g chaos.Guard, j *drilltest.Journal, steps ...chaos.Step) *chaos.Runner {
	return &chaos.Runner{Steps: steps, Driver: chaos.Drivers{chaos.ByMesh: d}, Guard: g, Clock: clock.New(), Seed: 1, Verify: 5 * time.Second, Revert: time.Second,
		Sync: func(e *assay.Event) error { return j.Write(e) }, Begin: func(context.Context, string) (int64, error) { return 1, nil }}
}

// impatient lets the runner and its driver give up soon, and yet not before a busy machine has done its part.
func impatient(r *chaos.Runner) {
	d := r.Driver.(chaos.Drivers)[chaos.ByMesh].(*chaos.Mesh)
	d.Patience, d.Select = 4*time.Second, 5*time.Second
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
	j, err := drilltest.Create(c.Dir)
	if err != nil {
		panic(err)
	}
	d, err := driver(c.Kubeconfig, c.Run)
	if err != nil {
		panic(err)
	}
	reached := drilltest.Stage(c.Stage, told{g.PID()})
	j.On = func(e *assay.Event) {
		if e.Kind != assay.EventFaultArmed {
			reached(e.Kind)
		}
	}
	if err := runner(d, stageGuard{g, reached}, j, c.Step).Run(background, j.Write); err != nil {
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
	var said told
	drilltest.Inject(t, cmd, c.Dir, c.Stage, &said)
	return cmd, said
}

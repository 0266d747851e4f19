package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/faultproxy"
	"github.com/assay-dev/assay/internal/link"
)

// WorkerCommand is the hidden subcommand under which a binary is a worker; PlatformCommand under which it is a platform.
const (
	WorkerCommand   = "x-worker"
	PlatformCommand = "x-platform"
	WorkerEnv       = "ASSAY_WORKER_CONFIG" // holds a worker's settings as JSON
)

// Phases of a cold start that the platform times itself; the worker reports the others.
const (
	phaseSchedule  = "schedule"
	phaseReadiness = "readiness"
)

// A Phase is one stretch of an instance's start.
type Phase struct {
	Name  string `json:"phase"`
	Begin int64  `json:"start_unix_ns"`
	End   int64  `json:"end_unix_ns"`
}

// An instance is one worker from the decision to start it to the end of its process.
type instance struct {
	*backend
	reason  string
	created time.Time

	announced chan struct{} // closed when the worker says that it is ready
	hurry     chan struct{} // closed when its drain should wait no longer
	done      chan struct{} // closed when its process has ended and been accounted for
	ending    chan struct{} // closed when it is asked to end
	probeNow  chan struct{}
	hurryOnce sync.Once

	mu       sync.Mutex
	proc     *os.Process
	pid      int
	pidStart uint64
	addr     string
	link     *link.Link
	proxies  map[bool]*faultproxy.Proxy // by whether they speak TLS; made by the first fault that needs one
	closed   bool                       // no more proxies are made
	phases   []Phase
	warm     int64  // Unix ns: when the worker said that it is ready
	asked    string // reason of the exit, once the platform has asked for it
	by       string // who gave it up
	kill     bool   // asked to be killed
	traced   bool   // its cold_start trace has been emitted
}

func newInstance(id, reason string) *instance {
	return &instance{backend: &backend{id: id, client: newTransport()}, reason: reason, created: time.Now(),
		announced: make(chan struct{}), hurry: make(chan struct{}), done: make(chan struct{}), ending: make(chan struct{}), probeNow: make(chan struct{}, 1)}
}

func (in *instance) hurryUp() { in.hurryOnce.Do(func() { close(in.hurry) }) }

// end asks the process to end, by SIGTERM or SIGKILL. The first reason stands.
func (in *instance) end(reason, by string, kill bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.asked == "" {
		in.asked, in.by = reason, by
		close(in.ending)
	}
	in.kill = in.kill || kill
	in.signal()
}

// signal passes on what was asked, if the process runs. The caller holds mu.
func (in *instance) signal() {
	if in.proc == nil || in.asked == "" {
		return
	}
	sig := syscall.SIGTERM
	if in.kill {
		sig = syscall.SIGKILL
	}
	in.proc.Signal(sig) // fails only when the process has ended already
}

// live is the life of one instance.
func (s *supervisor) live(in *instance) {
	cmd, stdout, err := s.launch(in)
	if err != nil {
		s.exited(in, nil, err.Error())
		return
	}
	var inner sync.WaitGroup
	inner.Go(func() { s.follow(in, stdout, &inner) })
	starting := time.AfterFunc(s.cfg.StartTimeout, func() {
		if state, _ := s.pool.state(in.backend); state == Starting {
			in.end(exitCrash, byStart, true)
		}
	})
	cmd.Wait() // its verdict is in the process state
	starting.Stop()
	s.exited(in, cmd.ProcessState, "")
	inner.Wait()
	s.traceStart(in)

	in.mu.Lock()
	l := in.link
	in.mu.Unlock()
	if l != nil {
		// Let the relay deliver what the worker wrote before its end.
		at := l.Effective()
		time.Sleep(100*time.Millisecond + 2*(at.Delay+at.Jitter))
		l.Close()
	}
	in.closeFaults()
	in.client.CloseIdleConnections()
}

// launch starts the process of an instance.
func (s *supervisor) launch(in *instance) (*exec.Cmd, io.ReadCloser, error) {
	held := ""
	if d := s.holdup.wait(in); d > 0 {
		held = decimal(int64(d))
	}
	spawned := time.Now()
	settings, err := json.Marshal(s.cfg.settings(in.id, spawned, s.store))
	if err != nil {
		return nil, nil, fmt.Errorf("write the settings of %s: %w", in.id, err)
	}
	cmd := exec.Command(s.exe, WorkerCommand)
	cmd.Env = append(os.Environ(), WorkerEnv+"="+string(settings))
	cmd.Stderr = s.stderr
	cmd.WaitDelay = time.Second
	if s.cfg.LogDir != "" {
		f, err := os.OpenFile(filepath.Join(s.cfg.LogDir, in.id+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, nil, fmt.Errorf("open the log of %s: %w", in.id, err)
		}
		defer f.Close() // the process has its own
		cmd.Stderr = f
	}
	// A pipe of our own: exec's would be closed with what is left in it when the process ends.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("open the output of %s: %w", in.id, err)
	}
	defer w.Close()
	cmd.Stdout = w
	if err := s.spawn.start(cmd); err != nil {
		r.Close()
		return nil, nil, fmt.Errorf("start %s: %w", in.id, err)
	}
	ticks, _ := StartTicks(cmd.Process.Pid) // 0 where unknown
	in.mu.Lock()
	in.proc, in.pid, in.pidStart = cmd.Process, cmd.Process.Pid, ticks
	in.signal()
	in.mu.Unlock()
	s.phase(in, Phase{phaseSchedule, in.created.UnixNano(), spawned.UnixNano()}, 0)
	s.events.instance(time.Now(), assay.EventInstanceStarted, in.id, "", "pid", decimal(int64(in.pid)), "pid_start", decimal(int64(ticks)), "reason", in.reason, "held_ns", held)
	return cmd, r, nil
}

// A workerLine is one line of a worker's standard output.
type workerLine struct {
	Listening string `json:"listening"`
	Phase
	Ready bool  `json:"ready"`
	Unix  int64 `json:"unix_ns"`
}

// follow reads the worker's lines until it ends, and probes it once it listens.
func (s *supervisor) follow(in *instance, stdout io.ReadCloser, inner *sync.WaitGroup) {
	defer stdout.Close()
	lines := bufio.NewScanner(stdout)
	announced := false
	for lines.Scan() {
		var line workerLine
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // a stray print of a library is not a protocol line
		}
		switch {
		case line.Listening != "":
			if err := s.connect(in, line.Listening); err != nil {
				in.end(exitCrash, "link: "+err.Error(), true)
				continue
			}
			inner.Go(func() { s.probe(in) })
			if s.cfg.Scheduling == QueueLength {
				inner.Go(func() { s.reports(in) })
			}
		case line.Name != "":
			s.phase(in, line.Phase, 0)
		case line.Ready && !announced:
			announced = true
			in.mu.Lock()
			in.warm = line.Unix
			in.mu.Unlock()
			close(in.announced)
		}
	}
	io.Copy(io.Discard, stdout) // after a line too long, so that the worker never blocks
}

// connect puts a link in front of a worker that listens.
func (s *supervisor) connect(in *instance, addr string) error {
	l, err := link.Listen("127.0.0.1:0", addr, link.Conditions{Delay: s.cfg.HopDelay})
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.link != nil {
		l.Close()
		return fmt.Errorf("%s listens twice", in.id)
	}
	in.addr, in.link = addr, l
	in.url = "http://" + l.Addr()
	return nil
}

// phase takes note of a phase that ended. resolution is how exactly its end is known.
func (s *supervisor) phase(in *instance, p Phase, resolution time.Duration) {
	in.mu.Lock()
	in.phases = append(in.phases, p)
	in.mu.Unlock()
	s.events.add(Event{Time: p.End, Resolution: int64(resolution), Kind: assay.EventInstancePhase, Instance: in.id,
		Attrs: map[string]string{"phase": p.Name, "start_unix_ns": decimal(p.Begin), "end_unix_ns": decimal(p.End)}})
}

// exited accounts for the end of a process, or for one that could not be started.
func (s *supervisor) exited(in *instance, st *os.ProcessState, why string) {
	in.mu.Lock()
	reason, by := in.asked, in.by
	in.mu.Unlock()
	if reason == "" {
		reason = exitCrash
	}
	var code, signal string
	if st != nil {
		code, signal = exitCause(st)
	}
	s.pool.move(in.backend, Exited, func(at time.Time, _ State) {
		s.events.instance(at, assay.EventInstanceExited, in.id, why, "reason", reason, "code", code, "signal", signal, "by", by)
	})
	close(in.done)
	s.gone(in, reason == exitCrash)
}

// traceStart emits the trace of an instance's start, once: a root and a child for each phase.
func (s *supervisor) traceStart(in *instance) {
	in.mu.Lock()
	phases, traced := append([]Phase(nil), in.phases...), in.traced
	in.traced = true
	in.mu.Unlock()
	if traced {
		return
	}
	end := in.created
	ready := false
	for _, p := range phases {
		if t := time.Unix(0, p.End); t.After(end) {
			end = t
		}
		ready = ready || p.Name == phaseReadiness
	}
	id := attribute.String("faas.instance", in.id)
	ctx, root := s.tracer.Start(context.Background(), "cold_start", trace.WithNewRoot(), trace.WithTimestamp(in.created),
		trace.WithAttributes(id, attribute.Bool("faas.coldstart", true), attribute.String("faas.name", s.cfg.Name()), attribute.String("reason", in.reason)))
	for _, p := range phases {
		_, span := s.tracer.Start(ctx, p.Name, trace.WithTimestamp(time.Unix(0, p.Begin)), trace.WithAttributes(id))
		span.End(trace.WithTimestamp(time.Unix(0, p.End)))
	}
	if !ready {
		root.SetStatus(codes.Error, "ended before it was ready")
	}
	root.End(trace.WithTimestamp(end))
}

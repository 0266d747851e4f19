//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// childFlag makes this binary one of its own children: its next argument is the child's name.
const childFlag = "-child"

// A job is what a client child is asked to do, as JSON on its stdin; it answers with JSON on its stdout.
type job struct {
	URL    string        `json:"url"`
	Rate   float64       `json:"rate"`
	For    time.Duration `json:"for_ns"`
	Record string        `json:"record,omitempty"` // directory or file for the records; "": none
	Core   int           `json:"core"`             // of streams: the server is pinned to it, the client to it and those after it
	Apart  bool          `json:"apart"`            // of attacks: the server is pinned to the last core, the clients to the others
}

// child does the work of one child process.
func child(ctx context.Context, name string, stdin io.Reader, stdout io.Writer) error {
	var j job
	if err := json.NewDecoder(stdin).Decode(&j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	if n := runtime.NumCPU(); j.Apart && (name == "assay" || name == "vegeta") {
		others := make([]int, n-1)
		for i := range others {
			others[i] = i
		}
		if err := pin(others...); err != nil {
			return err
		}
		runtime.GOMAXPROCS(n - 1)
	}
	var out any
	var err error
	switch name {
	case "server":
		return serve(j, stdin, stdout)
	case "assay":
		out, err = attackAssay(ctx, j)
	case "vegeta":
		out, err = attackVegeta(ctx, j)
	case "stream-server":
		return serveStreams(ctx, j, stdin, stdout)
	case "stream-client":
		out, err = readStreams(ctx, j)
	default:
		return fmt.Errorf("no child %q", name)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(out)
}

// ask runs a client child and reads its answer into out.
func ask(ctx context.Context, name string, j job, out any) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := json.Marshal(j)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, exe, childFlag, name)
	cmd.Stderr = os.Stderr
	w, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	r, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, werr := w.Write(in)
	rerr := json.NewDecoder(r).Decode(out)
	if err := errors.Join(werr, w.Close(), rerr, cmd.Wait()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// A server is a running server child.
type server struct {
	url string
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a server child, which writes its URL as its first line and ends when its stdin does.
func start(ctx context.Context, name string, j job) (*server, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.CommandContext(ctx, exe, childFlag, name)}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err = json.NewEncoder(s.in).Encode(j); err == nil {
		s.url, err = s.out.ReadString('\n')
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, errors.Join(err, s.in.Close(), s.cmd.Wait()))
	}
	s.url = s.url[:len(s.url)-1]
	return s, nil
}

// stop ends the child and reads what it has to say into out, unless that is nil.
func (s *server) stop(out any) error {
	err := s.in.Close()
	if out != nil {
		err = errors.Join(err, json.NewDecoder(s.out).Decode(out))
	}
	return errors.Join(err, s.cmd.Wait())
}

// pin binds this process, whose threads are all still to come or idle, to some cores.
func pin(cores ...int) error {
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads { // a thread that starts later inherits it from the one that starts it
		var id int
		if _, err := fmt.Sscan(t.Name(), &id); err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("pin to cores %v: %w", cores, err)
		}
	}
	return nil
}

// cpuTime returns the CPU time that this process has used, user and system.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns the most memory that this process has had, in bytes.
func peak() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Maxrss << 10
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// screen is a terminal with assay in front of it.
type screen struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	cmd    *exec.Cmd
	out    bytes.Buffer // standard output, which is no terminal

	mu   sync.Mutex
	text []byte // all that was shown
	seen int    // of it, by expect
	done chan struct{}
}

// onScreen starts assay with a terminal of its own, in a session of its own.
func onScreen(t *testing.T, dir string, args ...string) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	s := &screen{t: t, master: master, slave: slave, cmd: cli(t, dir, args...), done: make(chan struct{})}
	s.cmd.Stdin, s.cmd.Stderr, s.cmd.Stdout = slave, slave, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			s.mu.Lock()
			s.text = append(s.text, b[:n]...)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // only if it is still there
		slave.Close()
		master.Close()
		<-s.done
	})
	return s
}

// expect waits until the pattern is shown after what was expected last.
func (s *screen) expect(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for limit := time.Now().Add(2 * pacetest.Patience); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) { // the limit decides
		s.mu.Lock()
		if m := re.FindIndex(s.text[s.seen:]); m != nil {
			got := string(s.text[s.seen+m[0] : s.seen+m[1]])
			s.seen += m[1]
			s.mu.Unlock()
			return got
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Fatalf("%q was not shown after\n%s\nin\n%s", pattern, s.text[:s.seen], s.text[s.seen:])
	return ""
}

// enter types a line.
func (s *screen) enter(keys string) {
	s.t.Helper()
	if _, err := s.master.Write([]byte(keys)); err != nil {
		s.t.Fatal(err)
	}
}

// code waits for the end and returns the exit status.
func (s *screen) code() int {
	_ = s.cmd.Wait() // the exit status tells
	return s.cmd.ProcessState.ExitCode()
}

// A person is asked before each fault, what else they type is a note on record and in the views, and what they skip is void.
func TestGameDayOnATerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "day.yaml", dayPlan)
	s := onScreen(t, dir, "run", "day.yaml", "--output", "json")
	s.expect(`now +[0-9.]+/s sent, .* instances [12]/2, fault none`) // the second may come later
	s.expect(`inject kill on w-\d+\? \[y\]es, \[n\]o \(skip\), \[a\]bort, or a note: `)
	s.enter("the dashboard is up\r")
	s.expect(`note: the dashboard is up`)
	s.enter("y\r")
	s.expect(`kill-1 on: kill`)
	s.expect(`kill-1 over, verified clear after .*; effect: pid \d+ is gone; \d+ ok, \d+ failed since`)
	s.expect(`undo +kill -18 \d+`)
	s.expect(`inject hang on w-\d+\? `)
	s.enter("n\r")
	s.expect(`hang-2 void: .*skipped by the operator`)
	if code := s.code(); code == assay.ExitUsage || code == assay.ExitError || code == assay.ExitFaultMayRemain {
		t.Errorf("exit %d\n%s", code, s.text)
	}
	gone(t, dir, 3*time.Second)
	run := runsIn(t, dir)[0]
	r, _ := readResult(t, run)
	var notes, voids []string
	for _, n := range r.Notes {
		notes = append(notes, n.Text)
	}
	for _, f := range r.Faults {
		voids = append(voids, f.Window.Void)
	}
	if text := strings.Join(notes, "\n"); !regexp.MustCompile(`^the dashboard is up\ninject kill on w-\d+: yes\ninject hang on w-\d+: no$`).MatchString(text) {
		t.Errorf("notes:\n%s", text)
	}
	if len(voids) != 2 || !strings.Contains(strings.Join(voids, ""), "skipped by the operator") {
		t.Errorf("void: %q", voids)
	}
	for _, view := range []string{"text", "markdown", "html"} {
		if v := assayIn(t, dir, "report", run, "--format", view); !strings.Contains(v.out, "the dashboard is up") {
			t.Errorf("%s does not show the note:\n%s", view, v.out)
		}
	}
}

// Ctrl-C ends a game day while it asks as it ends any run, and the terminal is as it was.
func TestGameDayCtrlC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "day.yaml", dayPlan)
	s := onScreen(t, dir, "run", "day.yaml")
	before, err := unix.IoctlGetTermios(int(s.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	s.expect(`inject kill on w-\d+\? `)
	s.enter("\x03")
	s.expect(`stopping the load and reverting faults`)
	if code := s.code(); code != assay.ExitInterrupted {
		t.Errorf("exit %d, want %d\n%s", code, assay.ExitInterrupted, s.text)
	}
	gone(t, dir, 3*time.Second)
	after, err := unix.IoctlGetTermios(int(s.slave.Fd()), unix.TCGETS)
	if err != nil || after.Lflag&(unix.ICANON|unix.ECHO) != unix.ICANON|unix.ECHO || after.Iflag != before.Iflag|unix.ICRNL {
		t.Errorf("the terminal is %+v, was %+v: %v", after, before, err)
	}
	r, _ := readResult(t, runsIn(t, dir)[0])
	if r.Decision != assay.Interrupted {
		t.Errorf("decision %s", r.Decision)
	}
}

// Abort at the prompt ends the run as an interrupt does.
func TestGameDayAbort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "day.yaml", dayPlan)
	s := onScreen(t, dir, "run", "day.yaml")
	s.expect(`inject kill on w-\d+\? `)
	s.enter("a\r")
	if code := s.code(); code != assay.ExitInterrupted {
		t.Errorf("exit %d, want %d\n%s", code, assay.ExitInterrupted, s.text)
	}
	gone(t, dir, 3*time.Second)
}

package chaos

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// serve starts a victim, as a user would a server of theirs, and returns where it listens.
func serve(t *testing.T, session bool) (Process, string) {
	t.Helper()
	cmd := role("victim")
	if session { // as a service manager does
		cmd.SysProcAttr = ownSession()
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p, err := ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p, strings.TrimSpace(addr)
}

func TestServerIsFound(t *testing.T) {
	lookOnly(t)
	ctx := context.Background()
	p, addr := serve(t, true)
	dir := t.TempDir()
	pidfile := filepath.Join(dir, "pid")
	write := func(text string) {
		if err := os.WriteFile(pidfile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strconv.Itoa(p.PID) + "\n")
	_, port, _ := net.SplitHostPort(addr)
	for _, s := range []Server{{Listen: addr}, {Listen: "localhost:" + port}, {Listen: "0.0.0.0:" + port}, {Listen: ":" + port}, {PIDFile: pidfile, Addr: addr}} {
		want := []Victim{{ID: assay.WholeTarget, Process: p, Addr: addr, State: Ready, Named: true}}
		got, err := s.Instances(ctx)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%+v (-want +got):\n%s %v", s, diff, err)
		}
		if v, command, err := s.Victim(ctx); v != p || command != os.Args[0] && !strings.HasSuffix(command, "…") || err != nil {
			t.Errorf("%+v: %v, %q, %v", s, v, command, err)
		}
	}

	mine, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	dead := exec.Command("/bin/true")
	if err := dead.Run(); err != nil {
		t.Skip(err)
	}
	for _, tc := range []struct {
		s    Server
		want string
	}{
		{Server{Listen: mine.Addr().String()}, "refused: it is this process or an ancestor of it"},
		{Server{Listen: "127.0.0.1:1"}, "no process that listens on 127.0.0.1:1"},
		{Server{Listen: "127.0.0.1"}, `"127.0.0.1" is no address`},
		{Server{Listen: "here:80"}, `"here:80" is no address`},
		{Server{PIDFile: filepath.Join(dir, "none")}, "no process of " + filepath.Join(dir, "none")},
		{Server{PIDFile: pidfile}, "refused: it is the first process of the machine"},
	} {
		write("1")
		if _, _, err := tc.s.Victim(ctx); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.s, err, tc.want)
		}
	}
	write("x1")
	if _, _, err := (&Server{PIDFile: pidfile}).Victim(ctx); err == nil || !strings.Contains(err.Error(), `holds "x1", no pid`) {
		t.Errorf("a pid file that holds none: %v", err)
	}
	write(strconv.Itoa(dead.Process.Pid))
	if got, err := (&Server{PIDFile: pidfile}).Instances(ctx); len(got) > 0 || err != nil {
		t.Errorf("a pid file of the dead: %v, %v", got, err)
	}
}

// Faults on a process that runs by itself, from arming to clear; what needs a link is refused.
func TestLifeOfFaultsOnAServer(t *testing.T) {
	t.Parallel()
	lookOnly(t)
	p, addr := serve(t, false)
	d := &Local{Platform: &Server{Listen: addr}}
	before := groupsOf(p)
	for _, s := range []Step{{Fault: "hang", Instances: 1, For: 400 * time.Millisecond}, {Fault: "files", Instances: 1, For: 500 * time.Millisecond},
		{Fault: "cpu-quota", Instances: 1, For: 500 * time.Millisecond, Quota: 0.01}, {Fault: "kill", Instances: 1}} {
		t.Run(s.Fault, func(t *testing.T) {
			skipUnable(t, s)
			tr := newTrial(d, s)
			tr.run(t, context.Background())
			if diff := cmp.Diff(wholeLife, tr.kinds(s.Fault+"-1")); diff != "" {
				t.Fatalf("events (-want +got):\n%s\n%v", diff, tr.log)
			}
			if e := tr.event(t, s.Fault+"-1", assay.EventFaultArmed); e.Instance != assay.WholeTarget {
				t.Errorf("the victim is %q", e.Instance)
			}
			if st, err := p.look(); s.Fault != "kill" && (err != nil || st.stopped() || groupsOf(p) != before) {
				t.Errorf("afterwards it is in state %c, %v, groups %s", st.state, err, groupsOf(p))
			}
		})
	}
	p, addr = serve(t, false)
	for _, s := range []Step{{Fault: "delay", Delay: time.Millisecond}, {Fault: "cut"}, {Fault: "http", Status: 500}} {
		_, err := (&Local{Platform: &Server{Listen: addr}}).Plan(context.Background(), &s, Victim{ID: assay.WholeTarget, Process: p, Addr: addr, Named: true})
		if err == nil {
			t.Errorf("%s was planned", s.Fault)
		}
	}
}

// A server with workers is the process that they descend from.
func TestServerWithWorkers(t *testing.T) {
	lookOnly(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := role("victim")
	cmd.ExtraFiles = []*os.File{f}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	at := netip.MustParseAddrPort(ln.Addr().String())
	if p, err := listener(at); p.PID != os.Getpid() || err != nil {
		t.Errorf("with a worker: %v, %v", p, err)
	}
	f.Close()
	ln.Close()
	if p, err := listener(at); p.PID != cmd.Process.Pid || err != nil {
		t.Errorf("the worker alone: %v, %v", p, err)
	}
}

func FuzzListeners(f *testing.F) {
	f.Add([]byte("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n" +
		"   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 12\n" +
		"   2: 0100007F:1F40 0100007F:9999 01 0:0 0:0 0 0 0 13\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range parseListeners(b) {
			if !s.at.Addr().IsValid() || s.inode == "" || !s.serves(s.at) {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestParseListeners(t *testing.T) {
	got := parseListeners([]byte("   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n" +
		"   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 12\n" +
		"   2: 0100007F:1F40 0100007F:9999 01 0:0 0:0 0 0 0 13\n   3: 01:1 0:0 0A 0:0 0:0 0 0 0 14\n"))
	want := []socket{{netip.MustParseAddrPort("127.0.0.1:8000"), 1000, "4711"}, {netip.MustParseAddrPort("127.0.0.1:80"), 0, "12"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(socket{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/pacetest"
)

// post asks for a stop and returns the status and what was said.
func post(t *testing.T, method, addr, token string) (int, stopReport) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+addr+"/stop", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var rep stopReport
	json.NewDecoder(resp.Body).Decode(&rep)
	return resp.StatusCode, rep
}

// A run that hangs cannot keep its faults in force: the guardian hears the stop itself. What comes back into force is taken away again.
func TestStopOfARunThatHangs(t *testing.T) {
	lookOnly(t)
	for _, by := range []string{"file", "request"} {
		t.Run(by, func(t *testing.T) {
			p := newPlatform(t, 1)
			dir := t.TempDir()
			file := filepath.Join(t.TempDir(), "stop")
			cmd, said := inject(t, config{Dir: dir, Admin: p.URL, Stage: assay.EventFaultVerified, Own: true, Load: true, Step: Step{Fault: "hang", Instances: 1, For: time.Minute},
				Stop: &StopOptions{Files: []string{filepath.Join(dir, StopFile), file}, Listen: "127.0.0.1:0", Token: HashToken("secret")}})
			if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if s := p.trouble(); len(s) != 1 {
				t.Fatalf("before the stop: %v", s)
			}
			for _, wrong := range []struct {
				method, token string
				want          int
			}{{"POST", "", 401}, {"POST", "secret2", 401}, {"GET", "secret", 405}} {
				if got, _ := post(t, wrong.method, said.Addr, wrong.token); got != wrong.want || len(p.trouble()) != 1 {
					t.Errorf("%s with token %q: status %d, want %d; %v", wrong.method, wrong.token, got, wrong.want, p.trouble())
				}
			}
			start := time.Now()
			why := "stopped by the file " + file
			if by == "file" {
				if err := os.WriteFile(file, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			} else {
				status, rep := post(t, "POST", said.Addr, "secret")
				why = rep.Stopped
				if status != 200 || !strings.HasPrefix(why, "stopped by a request from 127.0.0.1:") || !cmp.Equal(rep.Reverted, []string{"hang-1"}) || len(rep.Remaining) > 0 {
					t.Errorf("status %d, %+v", status, rep)
				}
				if _, again := post(t, "POST", said.Addr, "secret"); !cmp.Equal(again, rep) {
					t.Errorf("the second answer is %+v, the first was %+v", again, rep)
				}
			}
			drilltest.Await(t, time.Second, "the fault's end", func() bool { return len(p.trouble()) == 0 })
			t.Logf("reverted %v after the stop", time.Since(start).Round(time.Millisecond))

			var victim Process
			p.mu.Lock()
			for _, i := range p.list {
				victim = i.Process
			}
			p.mu.Unlock()
			victim.signal(syscall.SIGSTOP, func() {}) // as if the run had applied it only now
			drilltest.Await(t, time.Second, "the end of a fault that came late", func() bool { return len(p.trouble()) == 0 })
			drilltest.Await(t, 5*time.Second, "the end of the load", func() bool { pids, _ := said.Group.members(); return len(pids) == 0 })

			var notes []string
			for _, e := range unixNotes(t, dir) {
				if e.Attrs[attrStop] != "" {
					notes = append(notes, e.Text)
				}
			}
			if want := []string{why + ": 1 of 1 faults on this machine seen to be away"}; !cmp.Equal(notes, want) {
				t.Errorf("notes %q, want %q", notes, want)
			}
			cmd.Process.Kill()
			cmd.Wait() // a process that was killed is not yet one that has gone
			drilltest.Await(t, time.Second, "the guardian's end", func() bool { return guardianGone(said.Guardian) })
			if rep, err := Heal(context.Background(), dir, drilltest.Read(t, dir)); err != nil || !cmp.Equal(rep, HealReport{}) {
				t.Errorf("heal had something to do: %+v, %v", rep, err)
			}
		})
	}
}

// Once the run was stopped nothing is armed any more, and the run is told why, once.
func TestNothingIsArmedAfterAStop(t *testing.T) {
	lookOnly(t)
	dir := t.TempDir()
	g, err := StartGuardian(context.Background(), os.Args[0], dir)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	told := make(chan string, 2)
	if _, err := g.Watch(context.Background(), StopOptions{Files: []string{filepath.Join(dir, StopFile)}}, func(why string) { told <- why }); err != nil {
		t.Fatal(err)
	}
	nothing := Undo{ID: "a", Kind: UndoNone}
	if err := g.Arm(context.Background(), nothing); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, StopFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want := "stopped by the file " + filepath.Join(dir, StopFile)
	select {
	case got := <-told:
		if got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	case <-time.After(pacetest.Most(time.Second)):
		t.Fatal("not told of the stop in time, which is a second")
	}
	if err := g.Arm(context.Background(), nothing); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("armed after the stop: %v", err)
	}
	if err := g.Disarm(context.Background(), "a"); err != nil {
		t.Error(err)
	}
	if len(told) > 0 {
		t.Errorf("told again: %q", <-told)
	}
}

func TestStopRefusals(t *testing.T) {
	lookOnly(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	there := filepath.Join(t.TempDir(), "stop")
	if err := os.WriteFile(there, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	g, err := StartGuardian(context.Background(), os.Args[0], t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for want, o := range map[string]StopOptions{
		there + " is there already: a stop was asked for, and holds until the file is removed": {Files: []string{there}},
		"no token: anyone could stop the run":                                                  {Listen: "127.0.0.1:0"},
		"address already in use":                                                               {Listen: taken.Addr().String(), Token: HashToken("x")},
	} {
		if _, err := g.Watch(context.Background(), o, func(string) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
}

// What cannot be undone at once is said to remain.
func TestStopSaysWhatRemains(t *testing.T) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusConflict) })}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	defer srv.Close()
	over, end := context.WithCancel(context.Background())
	defer end()
	g := &guard{over: over, out: &bytes.Buffer{}, stopped: make(chan struct{}), heard: make(chan struct{}), deaf: make(chan struct{})}
	for _, u := range []Undo{{ID: "a", Kind: UndoHTTP, Method: "PUT", URL: "http://" + ln.Addr().String() + "/x", Want: "{}"}, {ID: "b", Kind: UndoNone}} {
		if err := g.arm(u); err != nil {
			t.Fatal(err)
		}
	}
	want := stopReport{Stopped: "x", Reverted: []string{"b"}, Remaining: []string{"a: not seen to be away; by hand: PUT http://" + ln.Addr().String() + "/x"}}
	if got := g.stop("x"); !cmp.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What arrives in a cluster after the stop was heard is taken away too.
func TestStopInsistsInACluster(t *testing.T) {
	o := &object{on: func(o *object, m string) {
		if m == "DELETE" {
			o.json = ""
		}
	}}
	srv := httptest.NewServer(o)
	defer srv.Close()
	over, end := context.WithCancel(context.Background())
	g := &guard{over: over, armed: []Undo{{ID: "f", Kind: UndoKube, Kubeconfig: kubeconfig(t, srv.URL), Method: "DELETE", Path: "/apis/g/v1/x/a", Want: Gone}}}
	done := make(chan struct{})
	go func() { g.insistFar(5 * time.Millisecond); close(done) }()
	for range 2 { // each time that it comes
		o.Lock()
		o.json = `{"metadata":{"uid":"u"}}`
		o.Unlock()
		drilltest.Await(t, 10*time.Second, "the object is gone", func() bool {
			o.Lock()
			defer o.Unlock()
			return o.json == ""
		})
	}
	end()
	<-done
}

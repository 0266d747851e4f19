package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/faultproxy"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/link"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/resolver"
)

// platform is a small real platform: victims in processes of their own, a link in front of
// each, the admin API, and a replacement for each victim that dies.
type platform struct {
	*AdminPlatform
	mu      sync.Mutex
	wg      sync.WaitGroup
	list    map[string]*instance
	started int
	closed  bool
	disk    string // where disks are filled
	starts  starts
	models  string // where files are read badly
	names   *resolver.Server
}

type instance struct {
	Victim
	link   *link.Link
	limits [2]limit          // what it began with: files, memory
	groups string            // control groups that it began in
	proxy  *faultproxy.Proxy // while a fault lies on its requests; guarded by the platform's mu
}

func newPlatform(t testing.TB, n int) *platform {
	p := &platform{list: map[string]*instance{}, disk: t.TempDir(), models: models(t)}
	var err error
	if p.names, err = resolver.Listen(resolver.Options{Name: "weights.example", Zone: map[string]netip.Addr{"weights.example": netip.MustParseAddr("127.0.0.1")}}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(p.admin())
	self, err := ProcessOf(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	p.AdminPlatform = &AdminPlatform{URL: srv.URL, Self: self}
	t.Cleanup(func() {
		srv.Close()
		p.names.Close()
		p.mu.Lock()
		p.closed = true
		for _, i := range p.list {
			i.Process.signal(9, func() {})
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	for range n {
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *platform) start() error {
	cmd := role("victim")
	if _, err := cmd.StdinPipe(); err != nil { // closed with us, and the victim with it
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	addr = strings.TrimSpace(addr)
	proc, err := ProcessOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	l, err := link.Listen("127.0.0.1:0", addr, link.Conditions{})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.started++
	id := "w-" + string(rune('0'+p.started/10)) + string(rune('0'+p.started%10))
	i := &instance{Victim: Victim{ID: id, Process: proc, Addr: addr, Link: l.Addr(), State: Ready}, link: l}
	i.limits, _ = limitsOf(proc)
	i.groups = groupsOf(proc)
	p.list[id] = i
	if p.closed { // started while the others were ended
		cmd.Process.Kill()
	}
	p.mu.Unlock()
	p.wg.Go(func() {
		cmd.Wait()
		l.Close()
		p.mu.Lock()
		if x := p.list[id].proxy; x != nil {
			x.Close()
		}
		delete(p.list, id)
		closed := p.closed
		p.mu.Unlock()
		if !closed {
			p.start()
		}
	})
	return nil
}

// groupsOf returns the control groups of a process, or "" if it has ended.
func groupsOf(p Process) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cgroup")
	if p.Gone() {
		return ""
	}
	return string(b)
}

func limitsOf(p Process) (l [2]limit, err error) {
	for i, resource := range []string{resourceFiles, resourceMemory} {
		if l[i], err = p.limit(resource); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (p *platform) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/instances", func(w http.ResponseWriter, r *http.Request) {
		list := []map[string]any{}
		p.mu.Lock()
		for _, i := range p.list {
			list = append(list, map[string]any{"id": i.ID, "pid": i.Process.PID, "pid_start": i.Process.Start, "addr": i.Addr,
				"link_addr": i.Link, "state": i.State, "in_flight": 0})
		}
		p.mu.Unlock()
		json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("/admin/links/{id}", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		i := p.list[r.PathValue("id")]
		p.mu.Unlock()
		if i == nil {
			http.NotFound(w, r)
			return
		}
		var c link.Conditions
		switch r.Method {
		case http.MethodPut:
			if err := json.NewDecoder(r.Body).Decode(&c); err != nil || c.Check() != nil {
				http.Error(w, "bad conditions", http.StatusBadRequest)
				return
			}
			i.link.Set(c)
		case http.MethodDelete:
			i.link.Reset()
		}
		json.NewEncoder(w).Encode(i.link.Conditions())
	})
	mux.Handle("/admin/dns", p.names.Admin())
	mux.Handle("/admin/starts", &p.starts)
	mux.HandleFunc("/admin/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := p.list[r.PathValue("id")]
		switch {
		case i == nil:
			http.NotFound(w, r)
			return
		case r.Method == http.MethodPut:
			c, err := faultproxy.ReadConditions(w, r)
			if err == nil && i.proxy == nil {
				i.proxy, err = faultproxy.Listen("http://"+i.Link, faultproxy.Options{Secure: c.Mode == faultproxy.Expired})
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			i.proxy.Set(c)
		case r.Method == http.MethodDelete && i.proxy != nil:
			i.proxy.Close()
			i.proxy = nil
		}
		report := faultproxy.Report{}
		if i.proxy != nil {
			report = i.proxy.Report()
		}
		json.NewEncoder(w).Encode(report)
	})
	return mux
}

// get returns the instance with the id, or nil.
func (p *platform) get(id string) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list[id]
}

// trouble says what of a fault is left on any instance.
func (p *platform) trouble() (left []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	burners, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range burners {
		b, _ := os.ReadFile(name)
		args := strings.Split(string(b), "\x00")
		if filepath.Base(args[0]) == gpu.Command {
			left = append(left, name+" holds memory of a GPU")
		}
		if len(args) > 1 && args[0] == os.Args[0] && args[1] == BurnCommand {
			left = append(left, name+" burns")
		}
	}
	for _, name := range []string{"power", "clock"} {
		if b, err := os.ReadFile(filepath.Join(os.Getenv("ASSAY_FAKE_GPU"), name)); err == nil && string(b) != "300.00\n" {
			left = append(left, "a GPU has the "+name+" "+strings.TrimSpace(string(b)))
		}
	}
	fillers, _ := filepath.Glob(filepath.Join(p.disk, "*"))
	left = append(left, fillers...)
	left = append(left, coveredBy(p.models)...)
	if d := p.starts.report().Delay; d != 0 {
		left = append(left, fmt.Sprintf("starts are delayed by %v", d))
	}
	if mode := p.names.Report().Mode; mode != resolver.None {
		left = append(left, "lookups see "+mode)
	}
	for id, i := range p.list {
		if own, err := i.Process.clockCode(time.Hour); len(own) == 0 && err != nil && strings.Contains(err.Error(), "is shifted already") {
			left = append(left, id+" has a clock that is shifted")
		}
		if s, err := i.Process.look(); err == nil && s.stopped() {
			left = append(left, id+" is stopped")
		}
		if c := i.link.Conditions(); !c.IsZero() {
			left = append(left, id+" has "+asJSON(c)+" on its link")
		}
		if now, err := limitsOf(i.Process); err == nil && now != i.limits {
			left = append(left, id+" has the limits "+asJSON(now))
		}
		if now := groupsOf(i.Process); now != "" && now != i.groups {
			left = append(left, id+" is in the groups "+now)
		}
		if f := filtered(i.Link); f != "" {
			left = append(left, id+" has the rule "+f+" on the way to it")
		}
		if i.proxy != nil {
			left = append(left, id+" has "+i.proxy.Conditions().Mode+" on its requests")
		}
	}
	return left
}

// healthy waits until n instances run and nothing is wrong with them.
func (p *platform) healthy(t testing.TB, n int) {
	t.Helper()
	deadline := time.Now().Add(pacetest.Patience)
	for {
		p.mu.Lock()
		have := 0
		for _, i := range p.list { // one that was killed stays listed for a moment
			if !i.Process.Gone() {
				have++
			}
		}
		listed := len(p.list)
		p.mu.Unlock()
		left := p.trouble()
		if have == n && listed == n && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d instances, want %d; left: %v", have, n, left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

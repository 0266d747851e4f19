package chaos

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/pacetest"
)

// models makes a directory with a file that is large enough to be read in several pieces.
func models(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "weights"), make([]byte, 256<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// placed returns the step with the directory that it needs.
func (p *platform) placed(s Step) Step {
	switch s.Fault {
	case "disk":
		s.Dir = p.disk
	case "slow-reads":
		s.Dir = p.models
	}
	return s
}

// use asks each instance for something until nothing is wrong any more, if the step ends a victim only once it has something to do.
func (p *platform) use(s Step) {
	if s.Mode != limitOOM {
		return
	}
	d := &Local{}
	for deadline := time.Now().Add(pacetest.Patience); len(p.trouble()) > 0 && time.Now().Before(deadline); {
		p.mu.Lock()
		var addrs []string
		for _, i := range p.list {
			addrs = append(addrs, i.Addr)
		}
		p.mu.Unlock()
		for _, addr := range addrs {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			d.probe(ctx, addr)
			cancel()
		}
	}
}

// coveredBy lists what is mounted over a directory, or the processes that serve it badly if nothing is.
func coveredBy(dir string) (left []string) {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for _, m := range parseMounts(b) {
		if m.dir == dir {
			left = append(left, m.source+" is mounted over "+dir)
		}
	}
	if len(left) > 0 {
		return left
	}
	servers, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range servers {
		b, _ := os.ReadFile(name)
		if args := strings.Split(string(b), "\x00"); len(args) > 3 && args[0] == os.Args[0] && args[1] == ReadsCommand && strings.Contains(args[3], dir) {
			left = append(left, name+" serves "+dir)
		}
	}
	return left
}

func TestNotToCover(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(here, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(here)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"models": "no absolute path", "/none/such": "no such file", exe: "is no directory", "/": "of the system", "/etc": "of the system", "/proc/self/fd": "of the system",
		"/tmp": "of the system", "/usr/share": "of the system", link: "of the system", filepath.Dir(exe): "holds this program", here: "holds the current directory", filepath.Dir(here): "holds the current directory"} {
		if got := notToCover(dir); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
	if got := notToCover(models(t)); got != "" {
		t.Errorf("a directory of models: %s", got)
	}
	run := t.TempDir()
	d := &Local{Spare: []string{run}}
	if err := d.MayCover(filepath.Dir(run)); err == nil {
		t.Error("the run's directory may be covered")
	}
	if err := d.MayCover(models(t)); err != nil {
		t.Error(err)
	}
}

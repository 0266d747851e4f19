package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ReadsCommand is the hidden subcommand that runs [ReadsMain]: its arguments are the mark and the settings.
const ReadsCommand = "x-reads"

// The ways in which files are read badly.
const (
	readsSlow  = "slow"  // each read later, or so many bytes per second
	readsFail  = "fail"  // each read fails with an input/output error
	readsShort = "short" // files end after so many bytes
)

// reads is what the process that serves files badly is told.
type reads struct {
	Dir   string        `json:"dir"`
	For   time.Duration `json:"for_ns"`
	Mode  string        `json:"mode"`
	Delay time.Duration `json:"delay_ns,omitempty"` // slow: of each read
	Rate  int64         `json:"rate,omitempty"`     // slow: bytes per second of all reads together
	Bytes int64         `json:"bytes,omitempty"`    // short: of each file
}

// leastReadRate is a quarter of what the kernel reads ahead at once, so that no read takes longer than seconds.
const leastReadRate = 32 << 10

func (s *Step) readsMode() string {
	if s.Mode == "" {
		return readsSlow
	}
	return s.Mode
}

func checkReads(s *Step) (w []Wrong) {
	bad := func(path, format string, args ...any) { w = append(w, Wrong{path, fmt.Sprintf(format, args...)}) }
	modes := []string{readsSlow, readsFail, readsShort}
	mode := s.readsMode()
	switch {
	case !slices.Contains(modes, mode):
		bad("mode", "%q is no way to read; one of %s", s.Mode, strings.Join(modes, ", "))
	case mode == readsSlow && s.Delay <= 0 && s.Rate <= 0:
		bad("delay", "is missing: what each read takes longer, for example 50ms; or rate, for example 10MiB")
	}
	if s.Delay != 0 && (mode != readsSlow || s.Delay < time.Millisecond || s.Delay > 10*time.Second) {
		bad("delay", "%v; 1ms to 10s, with mode slow", s.Delay)
	}
	if s.Rate != 0 && (mode != readsSlow || s.Rate < leastReadRate) {
		bad("rate", "%d bytes/s; %d or more, with mode slow", s.Rate, leastReadRate)
	}
	if s.Bytes != 0 && (mode != readsShort || s.Bytes < 0) {
		bad("bytes", "%d; 0 or more, with mode short", s.Bytes)
	}
	if s.Dir != "" {
		if why := notToCover(s.Dir); why != "" {
			bad("dir", "%s", why)
		}
	}
	return w
}

// systemDirs are those without which a machine does not work, with whatever lies below them; commonDirs those that many share, of which what lies
// below may be a model's.
var (
	systemDirs = []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/sbin"}
	commonDirs = []string{"/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/tmp"}
)

// notToCover says why no file system of ours may lie over a directory, or "".
func notToCover(dir string) string {
	if !filepath.IsAbs(dir) {
		return fmt.Sprintf("%q is no absolute path of a directory", dir)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err.Error()
	}
	if st, err := os.Stat(real); err != nil {
		return err.Error()
	} else if !st.IsDir() {
		return dir + " is no directory"
	}
	if slices.ContainsFunc(systemDirs, func(d string) bool { return under(real, d) }) || slices.Contains(commonDirs, real) {
		return real + " is a directory of the system"
	}
	if home, err := os.UserHomeDir(); err == nil && under(home, real) {
		return real + " holds a home directory"
	}
	for what, file := range map[string]func() (string, error){"this program": os.Executable, "the current directory": os.Getwd} {
		path, err := file()
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err == nil && under(path, real) {
			return real + " holds " + what
		}
	}
	return ""
}

// under reports whether a path is dir or below it.
func under(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func previewReads(s *Step) string {
	where := s.Dir
	if where == "" {
		where = "the directory that the sandbox reads its weights from"
	}
	var how string
	switch s.readsMode() {
	case readsFail:
		how = "each read of a file fails"
	case readsShort:
		how = fmt.Sprintf("each file ends after %d bytes", s.Bytes)
	default:
		var parts []string
		if s.Delay > 0 {
			parts = append(parts, fmt.Sprintf("each read of a file takes %v longer", s.Delay))
		}
		if s.Rate > 0 {
			parts = append(parts, fmt.Sprintf("all reads together get at most %d bytes/s", s.Rate))
		}
		how = strings.Join(parts, " and ")
	}
	return fmt.Sprintf("%s below %s, for whoever opens one there, by a file system of ours mounted over it, for %v", how, where, s.For)
}

// planReads mounts a file system of ours over a directory, which passes everything through and reads badly. Whoever opened a file before goes
// on undisturbed; whoever opened one meanwhile reads it well afterwards, through our process, which stays until it is closed. It is
// in effect when a file read by us is read as badly.
func planReads(_ context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	dir := s.Dir
	if dir == "" {
		if dir = d.Weights; dir == "" {
			return nil, errors.New("the directory that models are read from is not known; give dir")
		}
	}
	if err := d.MayCover(dir); err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	if by, err := covered(dir); err != nil {
		return nil, err
	} else if by != "" {
		return nil, fmt.Errorf("a file system of another fault of ours is mounted at %s", by)
	}
	file, size, err := largest(dir)
	if err != nil {
		return nil, err
	}
	r := reads{Dir: dir, For: s.For, Mode: s.readsMode(), Delay: s.Delay, Rate: s.Rate, Bytes: s.Bytes}
	mark := newMark()
	look := &sample{reads: r, file: file, size: size}
	var began bool
	return &Action{
		Touches: []string{fmt.Sprintf("this machine: the files below %s, by a file system of ours mounted over it", dir)},
		Undo:    Undo{Kind: UndoUnmount, Path: dir, Mark: mark},
		Holds:   []string{"mount:" + dir},
		Apply: func(_ context.Context, stamp func()) error {
			if err := d.spawn(ReadsCommand, mark, r, stamp); err != nil {
				return err
			}
			began = true
			return nil
		},
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, 10*time.Millisecond, func() error {
				if on, err := mounted(dir, mark); err != nil {
					return err
				} else if !on {
					return fmt.Errorf("nothing of ours is mounted over %s", dir)
				}
				text, bad, err := look.read(ctx)
				if err == nil && !bad {
					err = errors.New(text)
				}
				effect = text
				return err
			})
			return effect, err
		},
		Lifted: func(ctx context.Context) error {
			return until(ctx, 10*time.Millisecond, func() error {
				text, bad, err := look.read(ctx)
				if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile
					return nil
				}
				if err == nil && bad {
					err = errors.New(text)
				}
				return err
			})
		},
		Ended: func() string {
			if on, err := mounted(dir, mark); began && err == nil && !on {
				return "the file system was unmounted by someone else"
			}
			return ""
		},
	}, nil
}

// MayCover returns why no file system of ours may lie over a directory although the plan names it, or nil.
func (d *Local) MayCover(dir string) error {
	if why := notToCover(dir); why != "" {
		return errors.New(why)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for _, keep := range d.Spare {
		real, err := filepath.Abs(keep)
		if err == nil {
			real, err = filepath.EvalSymlinks(real)
		}
		if err != nil {
			return err
		}
		if under(real, dir) {
			return fmt.Errorf("%s holds %s, which the run needs", dir, keep)
		}
	}
	return nil
}

// largest returns the largest file below a directory, which is what a model's weights are, among the first few thousand.
func largest(dir string) (file string, size int64, err error) {
	n := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if n++; n > 5000 {
			return fs.SkipAll
		}
		if err != nil || !e.Type().IsRegular() {
			return nil // what cannot be read is of no use here
		}
		if st, err := e.Info(); err == nil && st.Size() > size {
			file, size = path, st.Size()
		}
		return nil
	})
	if err == nil && size == 0 {
		err = fmt.Errorf("%s holds no file that could be read badly", dir)
	}
	return file, size, err
}

// A sample is a file by which it is measured how files are read.
type sample struct {
	reads
	file string
	size int64 // before
}

// sampleBytes is how much of it is read.
const sampleBytes = 64 << 10

// read reads the beginning of the file and reports whether that went as badly as is wanted, and what was seen. A read that does not end
// is left alone when ctx is done.
func (s *sample) read(ctx context.Context) (text string, bad bool, err error) {
	type result struct {
		took time.Duration
		n    int
		size int64
		err  error
	}
	done := make(chan result, 1)
	go func() {
		begin := time.Now()
		f, err := os.Open(s.file)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer f.Close()
		r := result{}
		r.n, r.err = io.ReadFull(f, make([]byte, min(sampleBytes, s.size)))
		r.took = time.Since(begin)
		if st, err := f.Stat(); err == nil {
			r.size = st.Size()
		}
		done <- r
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return "", false, fmt.Errorf("%s is not yet read: %w", s.file, ctx.Err())
	}
	name := filepath.Base(s.file)
	var short bool
	if errors.Is(r.err, io.EOF) || errors.Is(r.err, io.ErrUnexpectedEOF) {
		short, r.err = true, nil
	}
	switch s.Mode {
	case readsFail:
		if failedRead(r.err) {
			return fmt.Sprintf("a read of %s failed: %v", name, r.err), true, nil
		}
		return name + " was read", false, r.err
	case readsShort:
		return fmt.Sprintf("%s ends after %d of %d bytes", name, r.size, s.size), r.err == nil && (short || r.size == s.Bytes) && r.size < s.size, r.err
	}
	want := s.Delay
	if s.Rate > 0 {
		want += time.Duration(float64(r.n) / float64(s.Rate) * float64(time.Second))
	}
	return fmt.Sprintf("the first %d bytes of %s took %v, want %v more than usual", r.n, name, round(r.took), round(want)), r.took >= want, r.err
}

// spawn starts our binary as a process that ends with us, told what to do by its arguments.
func (d *Local) spawn(command, mark string, settings any, stamp func()) error {
	exe, err := d.binary()
	if err != nil {
		return fmt.Errorf("start %s: %w", command, err)
	}
	cmd := exec.Command(exe, command, mark, asJSON(settings))
	cmd.Dir, cmd.SysProcAttr = "/", ownSession() // a terminal that stops us does not stop a file system that others wait for
	if _, err := cmd.StdinPipe(); err != nil {   // closed with us, which ends it
		return fmt.Errorf("start %s: %w", command, err)
	}
	stamp()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", command, err)
	}
	go cmd.Wait() // ends with the process, which the undo ends
	return nil
}

// readReads reads the arguments of [ReadsCommand].
func readReads(args []string) (mark string, r reads, err error) {
	if len(args) != 2 || !isMark(args[0]) || json.Unmarshal([]byte(args[1]), &r) != nil || !filepath.IsAbs(r.Dir) || r.For <= 0 || r.For > MaxFor {
		return "", r, fmt.Errorf("serve files: %q; want a mark and settings", args)
	}
	return args[0], r, nil
}

// readsLifted is how the process that serves files badly calls itself once it serves them well again.
const readsLifted = "assay-lifted"

var unmountUndo = undoKind{
	check: func(u *Undo) error {
		if !isMark(u.Mark) {
			return fmt.Errorf("%q is no mark of ours", u.Mark)
		}
		if !filepath.IsAbs(u.Path) || filepath.Clean(u.Path) != u.Path || u.Path == "/" {
			return fmt.Errorf("%q is nothing that a file system of ours lies over", u.Path)
		}
		return nil
	},
	do: func(_ context.Context, u *Undo) error {
		return errors.Join(unmount(u.Path, u.Mark), liftReads(u.Mark))
	},
	away: func(_ context.Context, u *Undo) error {
		if on, err := mounted(u.Path, u.Mark); err != nil {
			return err
		} else if on {
			return fmt.Errorf("the file system %s is still mounted over %s", u.Mark, u.Path)
		}
		return readsAreLifted(u.Mark)
	},
	text: func(u *Undo) string { return fmt.Sprintf("umount -l %s; pkill -TERM -f %s", u.Path, u.Mark) },
}

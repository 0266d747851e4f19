package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// readsReady is what the process says once its file system answers and it asks nothing of that itself.
const readsReady = "ready"

// fuseWorks reports why no file system of ours can be mounted here. It asks the kernel for the beginning of a mount, which needs the same
// rights, and lets it go.
func fuseWorks() error {
	fd, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("the right to mount a FUSE file system is needed (root): %w", err)
	}
	unix.Close(fd)
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("to mount a FUSE file system: %w", err)
	}
	return f.Close()
}

// ReadsMain mounts a file system over a directory that passes everything through, but reads badly, until its stdin ends, which it does with whoever
// started it, or it is told to end, or its time is over. Then it reads well, is taken out of the way, and stays only for files that are still open.
func ReadsMain(ctx context.Context, stdin io.Reader, args []string) error {
	mark, r, err := readReads(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.For+burnSlack)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	defer stop()
	go func() {
		io.Copy(io.Discard, stdin)
		cancel()
	}()
	// What lies below the mount is reached as the current directory, which goes on to be that of before.
	if err := os.Chdir(r.Dir); err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Stat(".", &st); err != nil {
		return err
	}
	held := &held{reads: r, lifted: make(chan struct{})}
	below := &fs.LoopbackRoot{Path: ".", Dev: uint64(st.Dev)}
	root := &badNode{LoopbackNode: &fs.LoopbackNode{RootData: below}, held: held}
	below.RootNode = root
	none := time.Duration(0) // the kernel asks each time, so that nothing of what we said is left afterwards
	server, err := fs.Mount(r.Dir, root, &fs.Options{EntryTimeout: &none, AttrTimeout: &none, NegativeTimeout: &none,
		MountOptions: fuse.MountOptions{FsName: mark, Name: "assay", AllowOther: true, SyncRead: true, DirectMountStrict: true, Options: []string{"default_permissions"}}})
	if err != nil {
		return fmt.Errorf("mount over %s: %w", r.Dir, err)
	}
	fmt.Println(readsReady)
	<-ctx.Done()
	held.lift()
	err = unmount(r.Dir, mark)
	os.WriteFile("/proc/self/comm", []byte(readsLifted), 0) // what readsAreLifted looks for
	server.Wait()
	return err
}

// held is what all files share: how badly they are read, until that is lifted.
type held struct {
	reads
	lifted chan struct{}
	once   sync.Once

	mu   sync.Mutex
	next time.Time // when the bytes given so far are paid for, under a rate
}

func (h *held) lift() { h.once.Do(func() { close(h.lifted) }) }

// mode returns how files are read now.
func (h *held) mode() string {
	select {
	case <-h.lifted:
		return ""
	default:
		return h.Mode
	}
}

// wait waits as long as a read of n bytes is to take. It ends early when the reader has given up or the fault is lifted.
func (h *held) wait(ctx context.Context, n int) syscall.Errno {
	due := time.Now().Add(h.Delay)
	if h.Rate > 0 {
		h.mu.Lock()
		if h.next.Before(due) {
			h.next = due
		}
		h.next = h.next.Add(time.Duration(float64(n) / float64(h.Rate) * float64(time.Second)))
		due = h.next
		h.mu.Unlock()
	}
	t := time.NewTimer(time.Until(due))
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.lifted:
	case <-ctx.Done():
		return syscall.EINTR
	}
	return 0
}

// end returns where a file of the size ends now.
func (h *held) end(size uint64) uint64 {
	if h.mode() == readsShort {
		return min(size, uint64(h.Bytes))
	}
	return size
}

// badNode is a file or directory below the mount.
type badNode struct {
	*fs.LoopbackNode
	held *held
}

var (
	_ fs.NodeWrapChilder = (*badNode)(nil)
	_ fs.NodeOpener      = (*badNode)(nil)
	_ fs.NodeCreater     = (*badNode)(nil)
	_ fs.NodeGetattrer   = (*badNode)(nil)
	_ fs.NodeLookuper    = (*badNode)(nil)
	_ fs.NodeStatxer     = (*badNode)(nil)
	_ fs.FileReader      = (*badFile)(nil)
)

// WrapChild makes what is found below a node of ours.
func (n *badNode) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	if below, ok := ops.(*fs.LoopbackNode); ok {
		return &badNode{below, n.held}
	}
	return ops
}

// Open opens a file.
func (n *badNode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	flags &^= syscall.O_APPEND | fuse.FMODE_EXEC // the kernel says where to write
	f, err := os.OpenFile(filepath.Join(".", n.Path(n.Root())), int(flags)|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	return &badFile{fs.NewLoopbackFileFromOS(f), n.held}, 0, 0
}

// Create makes a file and opens it.
func (n *badNode) Create(ctx context.Context, name string, flags uint32, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, f, fl, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if below, ok := f.(*fs.LoopbackFile); ok {
		f = &badFile{below, n.held}
	}
	return child, f, fl, errno
}

// Getattr tells the size that the file seems to have.
func (n *badNode) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := n.LoopbackNode.Getattr(ctx, f, out)
	if out.Mode&syscall.S_IFMT == syscall.S_IFREG {
		out.Size = n.held.end(out.Size)
	}
	return errno
}

// Lookup finds a child, and tells the size that it seems to have.
func (n *badNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child, errno := n.LoopbackNode.Lookup(ctx, name, out)
	if out.Mode&syscall.S_IFMT == syscall.S_IFREG {
		out.Size = n.held.end(out.Size)
	}
	return child, errno
}

// Statx leaves it to Getattr.
func (n *badNode) Statx(context.Context, fs.FileHandle, uint32, uint32, *fuse.StatxOut) syscall.Errno {
	return syscall.ENOSYS
}

// badFile is an open file below the mount.
type badFile struct {
	*fs.LoopbackFile
	held *held
}

// PassthroughFd keeps the kernel from reading past us.
func (f *badFile) PassthroughFd() (int, bool) { return 0, false }

// Read reads badly.
func (f *badFile) Read(ctx context.Context, buf []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	mode := f.held.mode()
	switch mode {
	case readsFail:
		return nil, syscall.EIO
	case readsShort:
		if off >= f.held.Bytes {
			return fuse.ReadResultData(nil), 0
		}
		buf = buf[:min(int64(len(buf)), f.held.Bytes-off)]
	}
	got, errno := f.LoopbackFile.Read(ctx, buf, off)
	if errno != 0 || mode != readsSlow {
		return got, errno
	}
	b, status := got.Bytes(buf)
	got.Done()
	if !status.Ok() {
		return nil, syscall.Errno(status)
	}
	if errno := f.held.wait(ctx, len(b)); errno != 0 {
		return nil, errno
	}
	return fuse.ReadResultData(b), 0
}

// failedRead reports whether an error is what mode fail makes of a read.
func failedRead(err error) bool { return errors.Is(err, syscall.EIO) }

// over returns the sources of what is mounted over a directory, lowest first.
func over(dir string) (sources []string, err error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for _, m := range parseMounts(b) {
		if m.dir == dir {
			sources = append(sources, m.source)
		}
	}
	return sources, nil
}

// covered returns where a file system of ours lies over a directory, one that it lies in, or one below it; "" for nowhere.
func covered(dir string) (string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for _, m := range parseMounts(b) {
		if isMark(m.source) && (under(dir, m.dir) || under(m.dir, dir)) {
			return m.dir, nil
		}
	}
	return "", nil
}

// mounted reports whether a file system with the mark lies over a directory.
func mounted(dir, mark string) (bool, error) {
	sources, err := over(dir)
	for _, s := range sources {
		if s == mark {
			return true, nil
		}
	}
	return false, err
}

// unmount takes the file system with the mark out of the way, even while files of it are open. What someone else has mounted over it stays, and
// then it cannot be taken away.
func unmount(dir, mark string) error {
	for {
		sources, err := over(dir)
		if err != nil {
			return err
		}
		ours := false
		for _, s := range sources {
			ours = ours || s == mark
		}
		switch {
		case !ours:
			return nil
		case sources[len(sources)-1] != mark:
			return fmt.Errorf("%s was mounted over %s meanwhile", sources[len(sources)-1], dir)
		}
		if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
}

// liftReads tells the process that serves files badly to serve them well and to end when they are closed.
func liftReads(mark string) error {
	list, err := marked(mark)
	for _, p := range list {
		if !p.lifted() {
			err = errors.Join(err, unlessGone(p.signal(syscall.SIGTERM, func() {})), unlessGone(p.signal(sigCont, func() {}))) // one that is stopped would not hear it
		}
	}
	return err
}

// readsAreLifted returns nil if no process with the mark serves files badly.
func readsAreLifted(mark string) error {
	list, err := marked(mark)
	if err != nil {
		return err
	}
	for _, p := range list {
		if !p.lifted() {
			return fmt.Errorf("%v still serves files badly", p)
		}
	}
	return nil
}

func (p Process) lifted() bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/comm")
	return err != nil && p.Gone() || string(bytes.TrimSpace(b)) == readsLifted
}

package gpu

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

// Kmsg is where the kernel shows its log.
const Kmsg = "/dev/kmsg"

// FollowKernel follows the kernel's log for errors of GPUs, from where it stands when the run begins: /dev/kmsg, for which a right may be needed, or a
// file that something else writes it to. Each error is an event gpu.xid; at the end an event gpu.watched says from when on it was watched.
type FollowKernel struct {
	Path  string           // /dev/kmsg by default
	Clock collectors.Clock // the run's

	emit func(assay.Record) error
	log  kernelLog
	w    watch
}

// followPeriod is how often a log is looked at.
const followPeriod = 200 * time.Millisecond

var _ assay.Source = (*FollowKernel)(nil)

// Run follows the log until ctx is done.
func (k *FollowKernel) Run(ctx context.Context, emit func(assay.Record) error) error {
	k.emit = emit
	k.log = kernelLog{zone: time.Local, boot: bootTime(), year: time.Now().Year()}
	k.w = watch{cards: map[string]bool{}}
	path := cmp.Or(k.Path, Kmsg)
	open := openFile
	if path == Kmsg {
		open = openKmsg
	}
	f, err := open(path)
	if err != nil {
		return fmt.Errorf("follow the kernel log: %w", err)
	}
	defer f.Close()
	k.w.begin = max(k.Clock.Now(), 1)
	for more := true; more; {
		more = sleep(ctx, followPeriod)
		if err := f.lines(k.line); err != nil { // what was written last counts too
			return fmt.Errorf("follow the kernel log: %w", err)
		}
	}
	k.w.end = k.Clock.Now()
	return k.emit(k.w.event("kernel-log"))
}

// line takes one line, or a warning that some were lost.
func (k *FollowKernel) line(b []byte, lost string) {
	if lost != "" {
		_ = k.emit(&assay.Event{Time: max(k.Clock.Now(), 1), Kind: assay.EventWarning, Source: "kernel-log", Text: lost})
		return
	}
	l, why := k.log.line(b)
	x, is := parseXID(l.text)
	if !is {
		if m := anyCard.FindStringSubmatch(l.text); m != nil {
			k.w.card(shortPCI(m[1]))
		}
		return
	}
	k.w.card(x.pci)
	now := k.Clock.Now()
	at := now
	if why == "" {
		at = k.Clock.FromUnix(l.at)
	}
	if at > now || at < now-int64(time.Minute) { // a stamp that cannot be: it was written since the last look
		at, l.resolution = now, int64(followPeriod)
	}
	l.at = max(at, 1)
	_ = k.emit(x.event(l, "kernel-log"))
}

// A follower hands out the lines that were written since it was asked last.
type follower interface {
	lines(func(line []byte, lost string)) error
	Close() error
}

// A file is a log in a file, which may be replaced or cut.
type file struct {
	path string
	f    *os.File
	at   int64
	rest []byte
}

func openFile(path string) (follower, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s is no regular file", path))
	}
	return &file{path: path, f: f, at: st.Size()}, nil
}

// maxFollowed bounds a line, and what is kept of one that is not yet whole.
const maxFollowed = 64 << 10

func (f *file) lines(each func([]byte, string)) error {
	if err := f.drain(each); err != nil {
		return err
	}
	now, err := os.Stat(f.path)
	if err != nil {
		return nil // it is being replaced
	}
	have, err := f.f.Stat()
	if err != nil {
		return err
	}
	if os.SameFile(now, have) && now.Size() >= f.at {
		return nil
	}
	next, err := os.Open(f.path)
	if err != nil {
		return nil
	}
	f.f.Close()
	f.f, f.at, f.rest = next, 0, nil
	return f.drain(each)
}

func (f *file) drain(each func([]byte, string)) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := f.f.ReadAt(buf, f.at)
		f.at += int64(n)
		f.rest = append(f.rest, buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(f.rest, []byte("\n"))
			if !whole {
				break
			}
			each(bytes.TrimRight(line, "\r"), "")
			f.rest = rest
		}
		if len(f.rest) > maxFollowed {
			f.rest = nil
			each(nil, fmt.Sprintf("a line of %s of more than %d bytes was passed over", f.path, maxFollowed))
		}
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			f.rest = bytes.Clone(f.rest)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *file) Close() error { return f.f.Close() }

// CanFollow reports why a log cannot be followed, for a person who wants to know beforehand.
func CanFollow(path string) error {
	open := openFile
	if path = cmp.Or(path, Kmsg); path == Kmsg {
		open = openKmsg
	}
	f, err := open(path)
	if err != nil {
		if strings.Contains(err.Error(), "permission") || strings.Contains(err.Error(), "not permitted") {
			return fmt.Errorf("%w: it needs root or CAP_SYSLOG (kernel.dmesg_restrict)", err)
		}
		return err
	}
	return f.Close()
}

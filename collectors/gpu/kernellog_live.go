package gpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/tail"
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
	if err := isFollowed(path); err != nil {
		return fmt.Errorf("follow the kernel log: %w", err)
	}
	k.w.begin = max(k.Clock.Now(), 1)
	follow := k.file
	if path == Kmsg {
		follow = k.kmsg
	}
	if err := follow(ctx, path); err != nil {
		return fmt.Errorf("follow the kernel log: %w", err)
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

// maxFollowed bounds a line of a file.
const maxFollowed = 64 << 10

// file follows a log in a file, which may be replaced or cut.
func (k *FollowKernel) file(ctx context.Context, path string) error {
	f := tail.File{Path: path, Interval: followPeriod, MaxLine: maxFollowed,
		Line:  func(b []byte) error { k.line(b, ""); return nil },
		Wrong: func(err error) error { k.line(nil, err.Error()); return nil }}
	return f.Run(ctx)
}

// kmsg follows the kernel's own log.
func (k *FollowKernel) kmsg(ctx context.Context, path string) error {
	f, err := openKmsg(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for more := true; more; {
		more = sleep(ctx, followPeriod)
		if err := f.lines(k.line); err != nil { // what was written last counts too
			return err
		}
	}
	return nil
}

// isFollowed reports why a log cannot be followed.
func isFollowed(path string) error {
	if path == Kmsg {
		f, err := openKmsg(path)
		if err != nil {
			return err
		}
		return f.Close()
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is no regular file", path))
	}
	return nil
}

// CanFollow reports why a log cannot be followed, for a person who wants to know beforehand.
func CanFollow(path string) error {
	err := isFollowed(cmp.Or(path, Kmsg))
	if err != nil && (strings.Contains(err.Error(), "permission") || strings.Contains(err.Error(), "not permitted")) {
		return fmt.Errorf("%w: it needs root or CAP_SYSLOG (kernel.dmesg_restrict)", err)
	}
	return err
}

package gpu

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// kmsg is the kernel's own log. A read gives one record.
type kmsg struct{ fd int }

func openKmsg(path string) (*kmsg, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("find the end of %s: %w", path, err)
	}
	return &kmsg{fd}, nil
}

// maxRecords bounds what is read at once, so that a kernel that never falls silent cannot hold up the end.
const maxRecords = 20_000

// lines hands out the records since it was asked last, or that some were lost.
func (k *kmsg) lines(each func(line []byte, lost string)) error {
	buf := make([]byte, 16<<10)
	for range maxRecords {
		n, err := unix.Read(k.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EPIPE):
			each(nil, "lines of the kernel log were overwritten before they were read")
		case err != nil:
			return fmt.Errorf("read the kernel log: %w", err)
		case n == 0:
			return nil
		default:
			line := buf[:n]
			for i, c := range line {
				if c == '\n' { // what follows are properties
					line = line[:i]
					break
				}
			}
			each(line, "")
		}
	}
	return nil
}

func (k *kmsg) Close() error { return unix.Close(k.fd) }

// bootTime returns the instant, in Unix ns, from which the kernel counts in its log.
func bootTime() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return time.Now().UnixNano() - ts.Nano()
}

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// kernelLog is the kernel's log, read from where it stood when it was opened.
type kernelLog struct{ fd int }

func kernelLogWorks() error {
	if b, err := os.ReadFile("/proc/sys/kernel/printk_devkmsg"); err == nil && string(bytes.TrimSpace(b)) == "off" {
		return errors.New("the kernel takes no lines from programs (printk_devkmsg is off)")
	}
	l := &kernelLog{}
	if err := l.open(); err != nil {
		return err
	}
	l.close()
	return nil
}

func (l *kernelLog) open() error {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the right to write to and read the kernel log is needed: open /dev/kmsg: %w", err)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return fmt.Errorf("find the end of the kernel log: %w", err)
	}
	l.fd = fd
	return nil
}

func (l *kernelLog) close() {
	if l.fd > 0 {
		unix.Close(l.fd)
		l.fd = 0
	}
}

// write writes one line, as an error.
func (l *kernelLog) write(line string) error {
	if _, err := unix.Write(l.fd, []byte("<3>"+line+"\n")); err != nil {
		return fmt.Errorf("write to the kernel log: %w", err)
	}
	return nil
}

// find reads on until it has found the line with the mark.
func (l *kernelLog) find(mark string) (string, error) {
	if l.fd == 0 {
		return "", errors.New("nothing was written to the kernel log")
	}
	buf := make([]byte, 8<<10) // a record at a time
	for {
		n, err := unix.Read(l.fd, buf)
		switch {
		case errors.Is(err, unix.EPIPE): // lines were overwritten before they were read
			continue
		case errors.Is(err, unix.EAGAIN):
			return "", errors.New("the line is not in the kernel log: it takes only so many from programs in a while")
		case err != nil:
			return "", fmt.Errorf("read the kernel log: %w", err)
		}
		if _, text, ok := bytes.Cut(buf[:n], []byte(";")); ok && bytes.Contains(text, []byte(mark)) {
			line, _, _ := bytes.Cut(text, []byte("\n"))
			return string(line), nil
		}
	}
}

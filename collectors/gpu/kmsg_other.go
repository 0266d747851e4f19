//go:build !linux

package gpu

import "errors"

type kmsg struct{}

func openKmsg(string) (*kmsg, error) {
	return nil, errors.New("the kernel log can be followed on Linux only")
}

func (*kmsg) lines(func(line []byte, lost string)) error { return nil }

func (*kmsg) Close() error { return nil }

func bootTime() int64 { return 0 }

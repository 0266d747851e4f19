//go:build !linux

package gpu

import "errors"

func openKmsg(string) (follower, error) {
	return nil, errors.New("the kernel log can be followed on Linux only")
}

func bootTime() int64 { return 0 }

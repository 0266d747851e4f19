//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package toolkit

import "context"

func lock(context.Context, string) (unlock func(), err error) { return func() {}, nil }

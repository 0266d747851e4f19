//go:build !linux

package loadgen

import "time"

// nap returns at the instant until, which is less than a few milliseconds away.
func nap(now func() int64, until int64) { time.Sleep(time.Duration(until - now())) }

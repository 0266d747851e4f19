// Package rusage tells what this process costs the machine it runs on: its CPU time, and how much of a second it took at most.
package rusage

import (
	"context"
	"runtime"
	"time"
)

// A Usage is what the process used between two instants.
type Usage struct {
	CPU  time.Duration
	Wall time.Duration
	Peak float64 // cores busy in the busiest whole second; the mean where it took less than one
	CPUs int     // cores that the process may use
}

// Watch measures until ctx is done. Where the system does not tell, CPU is 0.
func Watch(ctx context.Context) Usage {
	u := Usage{CPUs: runtime.GOMAXPROCS(0)}
	began, first := time.Now(), CPU()
	at, last := began, first
	look := func(least time.Duration) {
		now, cpu := time.Now(), CPU()
		if d := now.Sub(at); d >= least && d > 0 {
			u.Peak = max(u.Peak, float64(cpu-last)/float64(d))
			at, last = now, cpu
		}
		u.CPU, u.Wall = cpu-first, now.Sub(began)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			look(time.Second / 2)
		case <-ctx.Done():
			if look(time.Second / 2); u.Peak == 0 {
				at, last = began, first
				look(0)
			}
			return u
		}
	}
}

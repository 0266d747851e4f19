//go:build linux

package main

import (
	"slices"
	"time"
)

// An attack is what one client did at one rate.
type attack struct {
	Rate      float64       `json:"rate_per_s"`
	Planned   int           `json:"planned"`
	OK        int           `json:"ok"`
	Delivered float64       `json:"delivered_per_s"` // good answers
	LateP50   time.Duration `json:"late_p50_ns"`
	LateP99   time.Duration `json:"late_p99_ns"`
	Growth    time.Duration `json:"late_growth_ns"` // of the median lateness, from the second fifth to the last
	CPU       time.Duration `json:"cpu_per_request_ns"`
	Peak      int64         `json:"peak_rss_bytes"`
	Sealing   time.Duration `json:"sealing_cpu_per_request_ns,omitempty"` // not in CPU
	Size      float64       `json:"record_bytes_per_request,omitempty"`
}

// sustained reports whether the client kept up with the rate.
func (a *attack) sustained() bool {
	return a.Delivered >= 0.99*a.Rate && a.OK*1000 >= a.Planned*999 && a.Growth <= 5*time.Millisecond
}

// A ledger gathers an attack while it runs.
type ledger struct {
	rate  float64
	late  []int64 // ns by planned request; notSent where it was not sent
	begin time.Time
	cpu   time.Duration
}

const notSent = -1 << 62

func newLedger(rate float64, length time.Duration) *ledger {
	l := &ledger{rate: rate, late: make([]int64, int(rate*length.Seconds()))}
	for i := range l.late {
		l.late[i] = notSent
	}
	l.begin, l.cpu = time.Now(), cpuTime()
	return l
}

// done sums up when the last of the requests, of which ok were answered well, has ended.
func (l *ledger) done(ok int) *attack {
	used, took := cpuTime()-l.cpu, time.Since(l.begin)
	a := &attack{Rate: l.rate, Planned: len(l.late), OK: ok, Peak: peak()}
	a.Delivered = float64(ok) / max(took.Seconds(), float64(len(l.late))/l.rate)
	fifth := len(l.late) / 5
	a.Growth = quantile(l.late[len(l.late)-fifth:], 0.5) - quantile(l.late[fifth:2*fifth], 0.5)
	a.LateP50, a.LateP99 = quantile(l.late, 0.5), quantile(l.late, 0.99)
	sent := 0
	for _, v := range l.late {
		if v != notSent {
			sent++
		}
	}
	a.CPU = used / time.Duration(max(sent, 1))
	return a
}

// quantile returns the q-quantile of those that were sent, as the value of that rank.
func quantile(late []int64, q float64) time.Duration {
	v := make([]int64, 0, len(late))
	for _, t := range late {
		if t != notSent {
			v = append(v, t)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return time.Duration(v[min(int(q*float64(len(v))), len(v)-1)])
}

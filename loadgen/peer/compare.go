//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A contender is one of the clients that are compared.
type contender struct {
	name   string
	child  string
	record bool
}

var contenders = []contender{{"assay", "assay", false}, {"vegeta", "vegeta", false}, {"assay, recorded", "assay", true}, {"vegeta, recorded", "vegeta", true}}

// A row is the medians of one client at one rate.
type row struct {
	Client string `json:"client"`
	attack
	Sustained int     `json:"sustained_rounds"`
	Ratio     float64 `json:"cpu_ratio,omitempty"` // assay's CPU per request over vegeta's, of the same kind
}

// A comparison is all that was measured.
type comparison struct {
	Rounds  int                `json:"rounds"`
	For     time.Duration      `json:"for_ns"`
	Rows    []row              `json:"rows"`
	Highest map[string]float64 `json:"highest_sustained_per_s,omitempty"`
}

// compare runs all clients at all rates, and then finds the highest rate of each.
func compare(ctx context.Context, s settings) (*comparison, error) {
	dir, err := os.MkdirTemp("", "assay-peer-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	srv, err := start(ctx, "server", job{Apart: s.apart})
	if err != nil {
		return nil, err
	}
	defer func() { srv.stop(nil) }()
	one := func(c contender, rate float64, length time.Duration) (*attack, error) {
		j := job{URL: srv.url, Rate: rate, For: length, Apart: s.apart}
		if c.record {
			j.Record = filepath.Join(dir, "record")
			defer os.RemoveAll(j.Record)
		}
		a := &attack{}
		return a, ask(ctx, c.child, j, a)
	}
	out := &comparison{Rounds: s.rounds, For: s.length}
	for _, rate := range s.rates {
		all := make([][]attack, len(contenders))
		for round := range s.rounds {
			for i := range contenders {
				i = (i + round) % len(contenders) // nobody is always the first
				a, err := one(contenders[i], rate, s.length)
				if err != nil {
					return nil, err
				}
				all[i] = append(all[i], *a)
			}
		}
		rows := make([]row, len(contenders))
		for i, c := range contenders {
			rows[i] = median(c.name, all[i])
			if c.child == "vegeta" { // it follows assay of the same kind
				rows[i-1].Ratio = float64(rows[i-1].CPU) / float64(rows[i].CPU)
			}
		}
		out.Rows = append(out.Rows, rows...)
	}
	if !s.search {
		return out, nil
	}
	out.Highest = map[string]float64{}
	for _, c := range contenders {
		// A server of its own: what a client leaves behind when it cannot keep up would be the next one's loss.
		srv.stop(nil)
		fresh, err := start(ctx, "server", job{Apart: s.apart})
		if err != nil {
			return nil, err
		}
		srv = fresh
		if out.Highest[c.name], err = highest(func(rate float64) (bool, error) {
			a, err := one(c, rate, s.length)
			return err == nil && a.sustained(), err
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// highest returns the highest rate that was sustained, to within 5 %; each has three tries.
func highest(try func(rate float64) (bool, error)) (float64, error) {
	holds := func(rate float64) (bool, error) {
		for range 3 {
			if ok, err := try(rate); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	low, high := 0.0, 0.0
	for rate := 4000.0; high == 0; rate *= 1.5 {
		ok, err := holds(rate)
		switch {
		case err != nil:
			return 0, err
		case ok:
			low = rate
		default:
			high = rate
		}
	}
	for high > 1.05*max(low, 100) {
		mid := math.Round((low + high) / 2)
		ok, err := holds(mid)
		switch {
		case err != nil:
			return 0, err
		case ok:
			low = mid
		default:
			high = mid
		}
	}
	return low, nil
}

// median returns the medians of several measurements of one client at one rate.
func median(name string, of []attack) row {
	r := row{Client: name}
	r.attack = of[0]
	for _, a := range of {
		if a.sustained() {
			r.Sustained++
		}
	}
	r.OK = middle(of, func(a *attack) int { return a.OK })
	r.Delivered = middle(of, func(a *attack) float64 { return a.Delivered })
	r.LateP50 = middle(of, func(a *attack) time.Duration { return a.LateP50 })
	r.LateP99 = middle(of, func(a *attack) time.Duration { return a.LateP99 })
	r.Growth = middle(of, func(a *attack) time.Duration { return a.Growth })
	r.CPU = middle(of, func(a *attack) time.Duration { return a.CPU })
	r.Sealing = middle(of, func(a *attack) time.Duration { return a.Sealing })
	r.Size = middle(of, func(a *attack) float64 { return a.Size })
	r.Peak = middle(of, func(a *attack) int64 { return a.Peak })
	return r
}

// middle returns the median of one figure, the lower one of two.
func middle[T ~int | ~int64 | ~float64](of []attack, figure func(*attack) T) T {
	v := make([]T, len(of))
	for i := range of {
		v[i] = figure(&of[i])
	}
	slices.Sort(v)
	return v[(len(v)-1)/2]
}

// print implements printer.
func (c *comparison) print(w io.Writer) error {
	fmt.Fprintf(w, "100 B answers from one no-op server, HTTP/1.1; medians of %d rounds of %v\n\n", c.Rounds, c.For)
	fmt.Fprintf(w, "%9s  %-17s %11s %10s %10s %12s %6s %9s\n", "asked/s", "client", "delivered/s", "late p50", "late p99", "CPU/request", "ratio", "peak RSS")
	for _, r := range c.Rows {
		ratio := ""
		if r.Ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.Ratio)
		}
		note := ""
		if r.Sustained < c.Rounds {
			note = fmt.Sprintf("  sustained in %d of %d rounds", r.Sustained, c.Rounds)
		}
		if r.Size > 0 {
			note += fmt.Sprintf("  %.0f B/request on disk", r.Size)
		}
		if r.Sealing > 0 {
			note += fmt.Sprintf(", sealing %.1f µs each", float64(r.Sealing)/1e3)
		}
		fmt.Fprintf(w, "%9.0f  %-17s %11.0f %7.0f µs %7.0f µs %9.1f µs %6s %6.0f MB%s\n", r.Rate, r.Client, r.Delivered, float64(r.LateP50)/1e3, float64(r.LateP99)/1e3,
			float64(r.CPU)/1e3, ratio, float64(r.Peak)/1e6, note)
	}
	if c.Highest == nil {
		return nil
	}
	fmt.Fprintf(w, "\nhighest sustained rate:")
	for _, n := range contenders {
		fmt.Fprintf(w, "  %s %.0f/s", n.name, c.Highest[n.name])
	}
	_, err := fmt.Fprintf(w, "\nassay over vegeta: %.2f, recorded %.2f\n", c.Highest["assay"]/c.Highest["vegeta"], c.Highest["assay, recorded"]/c.Highest["vegeta, recorded"])
	return err
}

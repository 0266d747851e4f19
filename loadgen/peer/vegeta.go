//go:build linux

package main

import (
	"bufio"
	"context"
	"math"
	"net/http"
	"os"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// attackVegeta is the child that runs vegeta's attacker with the settings of its command.
func attackVegeta(ctx context.Context, j job) (*attack, error) {
	attacker := vegeta.NewAttacker()
	targets := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: j.URL})
	pace := vegeta.ConstantPacer{Freq: int(math.Round(j.Rate)), Per: time.Second}
	keep := func(*vegeta.Result) error { return nil }
	var w *bufio.Writer
	if j.Record != "" {
		f, err := os.Create(j.Record)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		w = bufio.NewWriter(f)
		keep = vegeta.NewEncoder(w).Encode
	}
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	l := newLedger(j.Rate, j.For)
	ok := 0
	for r := range attacker.Attack(targets, pace, j.For, "peer") {
		if i := int(r.Seq); i < len(l.late) { // it may send one more
			l.late[i] = int64(r.Timestamp.Sub(l.begin)) - int64(float64(i)/j.Rate*1e9)
			if r.Error == "" && r.Code == http.StatusOK {
				ok++
			}
		}
		if err := keep(r); err != nil {
			return nil, err
		}
	}
	a := l.done(ok)
	if w != nil {
		if err := w.Flush(); err != nil {
			return nil, err
		}
		a.Size = float64(sizeOf(j.Record)) / float64(a.Planned)
	}
	return a, ctx.Err()
}

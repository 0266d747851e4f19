//go:build linux

package loadgen

import (
	"context"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// BenchmarkLaunch is one request of the generator against the built-in server, as most are sent: made, written and recorded by the pacing
// goroutine, which reads an answer in one piece itself and leaves a streamed one, of 16 tokens, to the goroutine of its connection.
func BenchmarkLaunch(b *testing.B) {
	for name, stream := range map[string]bool{"one piece": false, "stream": true} {
		b.Run(name, func(b *testing.B) {
			server, err := newNoop(context.Background(), calibrateTokens)
			if err != nil {
				b.Fatal(err)
			}
			defer server.close()
			clk := clock.New()
			plain, err := NewHTTP(Endpoint{URL: server.url(), Clock: clk})
			if err != nil {
				b.Fatal(err)
			}
			defer plain.Close()
			chat, err := NewOpenAI(Endpoint{URL: server.url(), Clock: clk})
			if err != nil {
				b.Fatal(err)
			}
			defer chat.Close()
			cfg := Config{Clock: clk, Client: plain, Model: "m", Stream: stream, RunID: "r", Phases: []Phase{{Name: "p", For: 1}}}
			if stream {
				cfg.Client = chat
			}
			g, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			bad := 0
			g.flight, g.poll = b.Context(), newPoller(clk.Now)
			g.emit = func(rec assay.Record) error {
				if r := rec.(*assay.Request); r.Outcome != assay.OK {
					bad++
				}
				return nil
			}
			s := &stretch{phase: &g.sched.phases[0], name: "p", deadline: time.Minute}
			next := func(i int) job {
				return job{s: s, id: uint64(i), due: clk.Now(), r: planned{in: 64, out: 16}, own: uint64(i), man: true}
			}
			g.inFlight.Add(1)
			w := g.worker()
			w.try(g, next(1)) // leaves a connection to launch on
			b.ReportAllocs()
			used := cpuTime()
			for i := 2; b.Loop(); i++ {
				g.inFlight.Add(1)
				if !g.launch(next(i)) {
					b.Fatal("no connection to launch on")
				}
				g.poll.finish()
				g.workers.Wait()
				for stream && idleManned(chat) == 0 { // it is put back just after the request has ended
					time.Sleep(time.Microsecond)
				}
			}
			b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
			g.poll.close()
			if bad > 0 {
				b.Errorf("%d requests were not answered well", bad)
			}
		})
	}
}

// idleManned returns how many manned connections of c are idle.
func idleManned(c *OpenAI) int {
	w := c.carrier.(*wire)
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.manned)
}

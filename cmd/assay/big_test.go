package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// TestBigRun assesses ten million requests of 32 tokens, without spans and with eight spans each, within the time and memory that people
// are promised on two cores. ASSAY_BIG_REQUESTS makes it smaller, and the time allowed with it.
func TestBigRun(t *testing.T) {
	full(t)
	const promised = 10_000_000
	n := promised
	if v, err := strconv.Atoi(os.Getenv("ASSAY_BIG_REQUESTS")); err == nil {
		n = v
	}
	for _, tc := range []struct {
		name  string
		spans int
		most  time.Duration
	}{{"requests", 0, 15 * time.Second}, {"spans", 8, time.Minute}} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			start := time.Now()
			bigRun(t, dir, n, tc.spans)
			t.Logf("recorded and sealed in %v", time.Since(start).Round(time.Millisecond))
			cmd := cli(t, t.TempDir(), "assess", dir)
			start = time.Now()
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			peak := peakOf(cmd.Process.Pid)
			err := cmd.Wait()
			took, held := time.Since(start), <-peak
			if err != nil {
				t.Errorf("exit %d, %v", cmd.ProcessState.ExitCode(), err)
			}
			cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			t.Logf("%d requests, %d spans: %v, %v of CPU, %d MiB at most\n%s", n, n*tc.spans, took.Round(time.Millisecond), cpu.Round(time.Millisecond), held>>10, &out)
			if most := tc.most * time.Duration(n) / promised; took > most+time.Second {
				t.Errorf("took %v, want at most %v", took, most)
			}
			if held == 0 || held > 1<<20 {
				t.Errorf("held %d MiB, want at most 1024, and something", held>>10)
			}
		})
	}
}

// peakOf gives, once the process is gone, the most memory that it held, in KiB, as last seen. The usage that waiting for it tells begins, on Linux, with what its parent held.
func peakOf(pid int) <-chan int {
	out := make(chan int, 1)
	go func() {
		most := 0
		for {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, rest, ok := strings.Cut(string(raw), "VmHWM:")
			if err != nil || !ok { // it has ended
				out <- most
				return
			}
			_, _ = fmt.Sscan(rest, &most) // what is no number leaves it 0, which the test refuses
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return out
}

// bigRun records n requests at 1,000/s from four instances, one of which fails now and then, each with so many spans of the engine.
func bigRun(t *testing.T, dir string, n, spans int) {
	t.Helper()
	length := int64(n) * 1e6
	w, err := store.Create(dir, &assay.Manifest{ID: "b16", Name: "big", Seed: 7, Epoch: 1.7e18, MaxWait: 30e9, Target: assay.Target{Kind: "openai", Name: "big"}})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(r assay.Record) {
		if err := w.EmitWait(t.Context(), r); err != nil { // as an intake under back-pressure does
			t.Fatal(err)
		}
	}
	emit(&assay.Event{Time: 1, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": string(assay.RoleSteady), "rate": "1000"}})
	rng := rand.New(rand.NewPCG(1, 2))
	workers := []string{"w-1", "w-2", "w-3", "w-4"}
	names := []string{"POST /v1/chat/completions", "queue", "prefill", "decode", "tokenize", "sample", "detokenize", "respond"}
	r := assay.Request{Phase: "steady", TokensIn: 64, TokensAsked: 32, BytesOut: 900, Status: 200, Arrivals: make([]int64, 32)}
	for i := range n {
		at := int64(i) * 1e6
		r.ID, r.Instance, r.Outcome, r.TokensOut = uint64(i+1), workers[i%4], assay.OK, 32
		r.Due, r.Sent, r.FirstByte = at, at+rng.Int64N(1e5), at+5e6
		first := at + 50e6 + rng.Int64N(1e7)
		r.Arrivals = r.Arrivals[:32]
		for k := range r.Arrivals {
			r.Arrivals[k] = first + int64(k)*3e6 + rng.Int64N(1e6)
		}
		r.FirstToken, r.End = r.Arrivals[0], r.Arrivals[31]
		if i%1_000_000 > 990_000 && i%4 == 0 {
			r.Outcome, r.Arrivals, r.TokensOut = assay.ServerError, r.Arrivals[:0], 0
		}
		if spans > 0 {
			binary.BigEndian.PutUint64(r.TraceID[:], uint64(i+1)*0x9e3779b97f4a7c15)
			binary.BigEndian.PutUint64(r.SpanID[:], uint64(i+1))
		}
		emit(&r)
		for k := range spans {
			s := assay.Span{TraceID: r.TraceID, Parent: r.SpanID, Name: names[k%len(names)], Service: "engine", Instance: r.Instance, Kind: assay.SpanServer, Start: at + 1e5, End: r.End - 1e5}
			binary.BigEndian.PutUint64(s.SpanID[:], uint64(i)<<8|uint64(k)|1<<63)
			if k > 0 {
				binary.BigEndian.PutUint64(s.Parent[:], uint64(i)<<8|1<<63)
				s.Kind = assay.SpanInternal
				s.Start, s.End = at+int64(k)*1e6, at+int64(k+1)*1e6
			}
			emit(&s)
		}
	}
	emit(&assay.Event{Time: length, Kind: assay.EventPhaseEnd, Phase: "steady"})
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
}

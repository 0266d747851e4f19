package k6

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/stream"
)

// listen opens a socket whose path is short enough for one.
func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

// lines reads a stream to its end.
func lines(l net.Listener) ([]stream.Line, error) {
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var out []stream.Line
	r := bufio.NewScanner(c)
	r.Buffer(nil, 1<<20)
	for r.Scan() {
		var line stream.Line
		if err := json.Unmarshal(r.Bytes(), &line); err != nil {
			return out, fmt.Errorf("line %d: %w", len(out), err)
		}
		out = append(out, line)
	}
	return out, r.Err()
}

// TestStream follows a run of the command over a socket.
func TestStream(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	l, path := listen(t)
	type got struct {
		lines []stream.Line
		err   error
	}
	ch := make(chan got, 1)
	go func() {
		ls, err := lines(l)
		ch <- got{ls, err}
	}()
	before := time.Now().UnixNano()
	s := &session{t: t, out: "unix:" + path}
	s.run(`
import { Client } from 'k6/x/assay';
const c = new Client({ url: '$URL', model: 'tiny' });
export const options = { iterations: 5 };
export default function () { c.request('p'); }`, m.URL).want(t, 0)
	after := time.Now().UnixNano()
	g := <-ch
	if g.err != nil {
		t.Fatal(g.err)
	}
	n := len(g.lines)
	if n < 8 || g.lines[0].Manifest == nil || g.lines[n-1].End == nil || g.lines[n-2].Manifest == nil {
		t.Fatalf("%d lines: %+v", n, g.lines)
	}
	if here, ok := clock.New().Monotonic(); ok {
		if at := g.lines[0].Monotonic; at <= 0 || at >= here {
			t.Errorf("the sender's epoch is %d on the machine's clock, which shows %d", at, here)
		}
	}
	if end := g.lines[n-1].End; end.Status != assay.EndComplete || end.At < before || end.At > after || end.Unrecorded != nil {
		t.Errorf("ending %+v", end)
	}
	if got := g.lines[n-2].Manifest.Target.Name; got != m.URL+", model tiny" {
		t.Errorf("target %s", got)
	}
	requests, kinds := 0, map[string]int{}
	for _, line := range g.lines {
		if e := line.Event; e != nil {
			kinds[e.Kind]++
			if e.Time < before || e.Time > after {
				t.Errorf("event at %d, outside the run: %+v", e.Time, e)
			}
		}
		if r := line.Request; r != nil {
			requests++
			if r.Outcome != assay.OK || r.Due < before || r.Sent < r.Due || r.FirstToken < r.Sent || r.End > after || len(r.Arrivals) != 8 || len(r.TraceID) != 32 || !r.NoSchedule {
				t.Errorf("request %+v", r)
			}
		}
	}
	if requests != 5 {
		t.Errorf("%d requests, want 5", requests)
	}
	if diff := cmp.Diff(map[string]int{assay.EventPhaseBegin: 1, assay.EventPhaseEnd: 1, assay.EventLoadEnd: 1}, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestStreamReaderGone loses its reader: the output says so at once, and waits for nothing.
func TestStreamReaderGone(t *testing.T) {
	t.Parallel()
	l, path := listen(t)
	s, err := dialStream(path, &assay.Manifest{Epoch: clock.New().Epoch()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for deadline := time.Now().Add(10 * time.Second); s.Err() == nil && time.Now().Before(deadline); {
		_ = s.Emit(&assay.Request{Due: 1, End: 2})
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-s.Failed():
		if err == nil {
			t.Error("no reason")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loss of the reader was not told")
	}
	if err := s.Emit(&assay.Request{Due: 1, End: 2}); err == nil {
		t.Error("a record was taken after the reader had gone")
	}
	if err := s.Seal(assay.Ending{}); err == nil {
		t.Error("sealed without a reader")
	}
}

// TestStreamFull has a reader that does not read.
func TestStreamFull(t *testing.T) {
	t.Parallel()
	l, path := listen(t)
	s, err := dialStream(path, &assay.Manifest{Epoch: clock.New().Epoch()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	full := 0
	for range 10 * streamQueue {
		if errors.Is(s.Emit(&assay.Request{Due: 1, End: 2}), errStreamFull) {
			full++
		}
	}
	if full == 0 {
		t.Fatal("nothing was refused")
	}
	ch := make(chan []stream.Line, 1)
	go func() {
		ls, _ := lines(l)
		ch <- ls
	}()
	if err := s.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	ls := <-ch
	if end := ls[len(ls)-1].End; end == nil || end.Unrecorded["stream"] != int64(full) || len(ls) != 10*streamQueue-full+3 {
		t.Errorf("%d lines, %d refused, ending %+v", len(ls), full, end)
	}
}

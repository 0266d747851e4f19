//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/loadgen"
)

// What -streams holds.
const (
	streamCount = 1000
	streamRate  = 50 // tokens per second, of each
)

// A streaming is what assay's engine measured of many token streams.
type streaming struct {
	Streams  int           `json:"streams"`
	Events   int           `json:"events"`
	Lost     int           `json:"events_lost"` // written and not stamped
	For      time.Duration `json:"for_ns"`
	Cores    float64       `json:"client_cores"`
	PerEvent time.Duration `json:"cpu_per_event_ns"`
	P50      time.Duration `json:"stamp_error_p50_ns"`
	P99      time.Duration `json:"stamp_error_p99_ns"`
	Max      time.Duration `json:"stamp_error_max_ns"`
	Server   time.Duration `json:"server_late_p99_ns"` // of the server's own writes against its plan
	Peak     int64         `json:"peak_rss_bytes"`
}

// compareStreams runs the server on one core and the client on the others.
func compareStreams(ctx context.Context, s settings) (*streaming, error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("-streams needs two cores: one is the server's")
	}
	srv, err := start(ctx, "stream-server", job{For: s.length, Core: 0})
	if err != nil {
		return nil, err
	}
	out := &read{}
	if err := ask(ctx, "stream-client", job{URL: srv.url, For: s.length, Core: 1}, out); err != nil {
		return nil, errors.Join(err, srv.stop(nil))
	}
	wrote := &written{}
	if err := srv.stop(wrote); err != nil {
		return nil, err
	}
	return join(out, wrote, s.length)
}

// written is the server's log: when it wrote each token of each stream, on the monotonic clock.
type written struct {
	Streams map[string][]int64 `json:"streams"` // by trace id
	Late    []int64            `json:"late_ns"`
}

// read is the client's: when it stamped each token, on the same clock.
type read struct {
	Streams map[string][]int64 `json:"streams"`
	CPU     time.Duration      `json:"cpu_ns"`
	Took    time.Duration      `json:"took_ns"`
	Peak    int64              `json:"peak_rss_bytes"`
	Bad     map[string]int     `json:"bad,omitempty"`
}

// join compares the two logs.
func join(r *read, w *written, length time.Duration) (*streaming, error) {
	if len(r.Bad) > 0 {
		return nil, fmt.Errorf("streams that did not end well: %v", r.Bad)
	}
	s := &streaming{Streams: len(r.Streams), For: length, Peak: r.Peak}
	var errs []int64
	for id, at := range w.Streams {
		got := r.Streams[id]
		for i, t := range at {
			if i < len(got) {
				errs = append(errs, got[i]-t)
			} else {
				s.Lost++
			}
		}
	}
	if len(errs) == 0 {
		return nil, errors.New("no stream was read")
	}
	s.Events = len(errs)
	s.Cores, s.PerEvent = r.CPU.Seconds()/r.Took.Seconds(), r.CPU/time.Duration(len(errs))
	s.P50, s.P99, s.Max, s.Server = quantile(errs, 0.5), quantile(errs, 0.99), time.Duration(slices.Max(errs)), quantile(w.Late, 0.99)
	return s, nil
}

// print implements printer.
func (s *streaming) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%d streams of %d tokens/s for %v, client and server on different cores
  events stamped      %d, %d lost
  client CPU          %.2f cores, %.1f µs/event
  stamp error         p50 %.0f µs, p99 %.0f µs, max %.0f µs
  server's own delay  p99 %.0f µs
  client's peak RSS   %.0f MB
`, s.Streams, streamRate, s.For, s.Events, s.Lost, s.Cores, float64(s.PerEvent)/1e3,
		float64(s.P50)/1e3, float64(s.P99)/1e3, float64(s.Max)/1e3, float64(s.Server)/1e3, float64(s.Peak)/1e6)
	return err
}

// monotonic reads the clock that all processes of the machine share.
func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// readStreams is the child that has assay's engine open the streams, over a second, and read them.
func readStreams(ctx context.Context, j job) (*read, error) {
	if err := pin(upwards(j.Core)...); err != nil {
		return nil, err
	}
	clk := clock.New()
	epoch := monotonic() - clk.Now()
	client, err := loadgen.NewOpenAI(loadgen.Endpoint{URL: j.URL, Clock: clk})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	g, err := loadgen.New(loadgen.Config{Clock: clk, Client: client, Model: "m", Stream: true, Cap: 2 * streamCount, Deadline: j.For + 30*time.Second, Seed: 1,
		Phases: []loadgen.Phase{{Name: "streams", Arrivals: loadgen.Even{Profile: loadgen.Profile{Rate: streamCount}}, For: time.Second, Prompt: loadgen.Fixed(16)}}})
	if err != nil {
		return nil, err
	}
	kept := make([]assay.Request, streamCount+1) // by id; each is written once
	begin, cpu := time.Now(), cpuTime()
	err = g.Run(ctx, func(rec assay.Record) error {
		if r, ok := rec.(*assay.Request); ok {
			k := &kept[r.ID]
			*k = *r
			k.Arrivals = slices.Clone(r.Arrivals)
		}
		return nil
	})
	out := &read{Streams: map[string][]int64{}, CPU: cpuTime() - cpu, Took: time.Since(begin), Peak: peak(), Bad: map[string]int{}}
	for _, r := range kept[1:] {
		if r.Outcome != assay.OK {
			out.Bad[r.Outcome.String()+" "+r.Error]++
			continue
		}
		for i := range r.Arrivals {
			r.Arrivals[i] += epoch
		}
		out.Streams[r.TraceID.String()] = r.Arrivals
	}
	return out, err
}

// upwards returns the machine's cores from one on.
func upwards(from int) []int {
	var cores []int
	for c := from; c < runtime.NumCPU(); c++ {
		cores = append(cores, c)
	}
	return cores
}

// A stream is one answer that the server writes.
type stream struct {
	id    string
	conn  *net.TCPConn
	fd    int
	next  int64 // when its next token is due
	left  int
	wrote []int64
}

// One token, in a chunk of its own, and the end of an answer.
var (
	tokenChunk = chunked(`data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"content":"time "},"finish_reason":null}]}` + "\n\n")
	lastChunk  = append(chunked("data: [DONE]\n\n"), "0\r\n\r\n"...)
	streamHead = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
)

func chunked(s string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(s), s) }

// serveStreams is the child that answers each request with a stream, from one thread that goes through the streams in order: all have the same
// period, so the order stays. When its stdin ends it writes its log.
func serveStreams(ctx context.Context, j job, stdin io.Reader, stdout io.Writer) error {
	if err := pin(j.Core); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	opened := make(chan *stream, streamCount)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go open(c.(*net.TCPConn), int(j.For.Seconds()*streamRate), opened)
		}
	}()
	fmt.Fprintf(stdout, "http://%s/v1/chat/completions\n", l.Addr())
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		close(ended)
	}()
	log := writeStreams(opened, ended, func(s *stream) { go open(s.conn, cap(s.wrote), opened) })
	return json.NewEncoder(stdout).Encode(log)
}

// open reads the next request of a connection and hands its stream over.
func open(c *net.TCPConn, tokens int, opened chan<- *stream) {
	buf := make([]byte, 0, 8<<10)
	for !bytes.Contains(buf, []byte("\r\n\r\n")) || len(buf) < length(buf) {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			c.Close()
			return
		}
		buf = buf[:len(buf)+n]
	}
	_, after, _ := bytes.Cut(buf, []byte("traceparent: 00-"))
	s := &stream{conn: c, left: tokens, wrote: make([]int64, 0, tokens)}
	if len(after) > 32 {
		s.id = string(after[:32])
	}
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { s.fd = int(fd) })
	}
	if _, werr := c.Write(streamHead); err != nil || werr != nil {
		c.Close()
		return
	}
	opened <- s
}

// length returns how long the request in buf is.
func length(buf []byte) int {
	head, after, _ := bytes.Cut(buf, []byte("\r\n\r\n"))
	_, value, ok := bytes.Cut(head, []byte("Content-Length: "))
	if !ok || after == nil {
		return len(head) + 4
	}
	digits, _, _ := bytes.Cut(value, []byte("\r\n"))
	n, _ := strconv.Atoi(string(digits))
	return len(head) + 4 + n
}

// writeStreams writes the tokens of all streams when they are due, on a thread that watches the clock: the core is its own.
func writeStreams(opened <-chan *stream, ended <-chan struct{}, again func(*stream)) *written {
	runtime.LockOSThread()
	log := &written{Streams: map[string][]int64{}}
	var ring []*stream // by their next token
	for {
		select {
		case <-ended:
			return log
		case s := <-opened:
			s.next = monotonic() + int64(time.Second)/streamRate
			ring = append(ring, s)
			continue
		default:
		}
		now := monotonic()
		if len(ring) == 0 || ring[0].next > now {
			runtime.Gosched() // new connections are read on this core too
			continue
		}
		s := ring[0]
		ring = ring[1:]
		if s.left == 0 {
			_, _ = unix.Write(s.fd, lastChunk)
			log.Streams[s.id] = s.wrote
			again(s)
			continue
		}
		s.left--
		log.Late = append(log.Late, now-s.next)
		s.next += int64(time.Second) / streamRate
		s.wrote = append(s.wrote, monotonic())
		if _, err := unix.Write(s.fd, tokenChunk); err != nil {
			s.conn.Close()
			continue
		}
		ring = append(ring, s)
	}
}

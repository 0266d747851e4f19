package collectors

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// A platform serves a stream of lines, and can break it off.
type platform struct {
	mu    sync.Mutex
	cond  *sync.Cond
	lines []string
	cut   int // counts up to break all streams
	asked []string
}

func (p *platform) add(lines ...string) {
	p.mu.Lock()
	p.lines = append(p.lines, lines...)
	p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *platform) breakOff() {
	p.mu.Lock()
	p.cut++
	p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.URL.Query().Get("from"))
	var from int
	fmt.Sscan(r.URL.Query().Get("from"), &from)
	cut := p.cut
	for i := from; p.cut == cut; {
		for ; i < len(p.lines); i++ {
			io.WriteString(w, p.lines[i])
		}
		p.mu.Unlock()
		w.(http.Flusher).Flush()
		p.mu.Lock()
		if i == len(p.lines) && p.cut == cut {
			p.cond.Wait()
		}
	}
}

func newPlatform(t *testing.T) (*platform, *httptest.Server) {
	p := new(platform)
	p.cond = sync.NewCond(&p.mu)
	srv := httptest.NewServer(p)
	t.Cleanup(func() { p.breakOff(); srv.CloseClientConnections(); srv.Close() })
	return p, srv
}

const epoch = int64(1_700_000_000e9)

// A fixed clock whose epoch is known.
type unixClock struct{ *clock.Clock }

func (unixClock) FromUnix(ns int64) int64 { return ns - epoch }

func line(seq int, format string, a ...any) string {
	return fmt.Sprintf(`{"seq":%d,"time_unix_ns":%d,%s}`+"\n", seq, epoch+int64(seq)*1e9+1, fmt.Sprintf(format, a...))
}

func TestEventsFollowAndResume(t *testing.T) {
	p, srv := newPlatform(t)
	p.add(line(0, `"kind":"instance.created","instance":"w-1","resolution_ns":5,"attrs":{"reason":"scale_out"}`),
		line(1, `"kind":"instance.phase","source":"sandbox","instance":"w-1","attrs":{"phase":"warmup","start_ns":"%d","end_unix_ns":"%d","n":"1","some_ns":"7"}`, epoch+5, epoch+6))
	s := new(sink)
	e := &Events{URL: srv.URL + "/admin/events", Clock: unixClock{clock.New()}, Patience: time.Hour}
	stop := start(t, e, s)
	until(t, s, "two events", func() bool { return len(s.events) == 2 })
	p.breakOff()
	p.add(line(2, `"kind":"instance.ready","instance":"w-1"`))
	until(t, s, "the third", func() bool { return len(s.events) == 3 })
	srv.CloseClientConnections()
	p.add(line(3, `"kind":"scale"`))
	until(t, s, "the fourth", func() bool { return len(s.events) == 4 })
	stop()
	want := []assay.Event{
		{Time: 1, Resolution: 5, Kind: assay.EventInstanceCreated, Source: "platform", Instance: "w-1", Attrs: map[string]string{"reason": "scale_out"}},
		{Time: 1e9 + 1, Kind: assay.EventInstancePhase, Source: "sandbox", Instance: "w-1", Attrs: map[string]string{"phase": "warmup", "start_ns": "5", "end_ns": "6", "n": "1", "some_ns": "7"}},
		{Time: 2e9 + 1, Kind: assay.EventInstanceReady, Source: "platform", Instance: "w-1"},
		{Time: 3e9 + 1, Kind: assay.EventScale, Source: "platform"},
	}
	if d := cmp.Diff(want, s.events); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked[0] != "0" || p.asked[1] != "2" || p.asked[len(p.asked)-1] != "3" {
		t.Errorf("asked from %q, want 0, then 2, at last 3", p.asked)
	}
}

func TestEventsBadLines(t *testing.T) {
	p, srv := newPlatform(t)
	p.add(line(0, `"kind":"a"`), "not json\n", "\n", `{"kind":"k","seq":1}`+"\n", `{"kind":"k","time_unix_ns":1}`+"\n", line(1, `"text":"no kind"`),
		line(1, `"kind":"long","text":"%s"`, strings.Repeat("x", 9000)), line(1, `"kind":"longer","text":"%s"`, strings.Repeat("x", 20000)),
		line(1, `"kind":"b"`), line(1, `"kind":"again"`), line(4, `"kind":"c"`))
	s := new(sink)
	stop := start(t, &Events{URL: srv.URL, Clock: unixClock{clock.New()}, MaxLine: 8192, Patience: time.Hour}, s)
	until(t, s, "c", func() bool { return len(s.events) > 0 && s.events[len(s.events)-1].Kind == "c" })
	stop()
	var got []string
	for _, e := range s.events {
		got = append(got, e.Kind+" "+e.Text)
	}
	bad := "run.warning line of the event stream is no event: "
	want := []string{"a ", bad + "invalid character 'o' in literal null (expecting 'u')", bad + "time_unix_ns is missing", bad + "seq is missing", bad + "kind is missing",
		bad + "longer than max_line, 8192 bytes", bad + "longer than max_line, 8192 bytes", "b ", "run.warning 2 events are missing from the stream before number 4", "c "}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEventsManyBadLinesAreCounted(t *testing.T) {
	p, srv := newPlatform(t)
	for range 50 {
		p.add("{\n")
	}
	p.add(line(0, `"kind":"end"`))
	s := new(sink)
	stop := start(t, &Events{URL: srv.URL, Clock: unixClock{clock.New()}, Patience: time.Hour}, s)
	until(t, s, "the end", func() bool { return len(s.events) > 0 && s.events[len(s.events)-1].Kind == "end" })
	stop()
	if n := len(s.events); n != badLinesTold+2 || s.events[n-1].Text != "30 more lines of the event stream were no events" {
		t.Errorf("got %d events, the last %q", n, s.events[n-1].Text)
	}
}

func TestEventsAway(t *testing.T) {
	p, srv := newPlatform(t)
	s := new(sink)
	var up bool
	var mu sync.Mutex
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		ok := up
		mu.Unlock()
		if !ok {
			http.Error(w, "starting", 503)
			return
		}
		p.ServeHTTP(w, r)
	})
	p.add(line(0, `"kind":"a"`))
	stop := start(t, &Events{URL: srv.URL, Clock: unixClock{clock.New()}, Patience: 30 * time.Millisecond}, s)
	until(t, s, "a warning", func() bool { return len(s.events) == 1 })
	mu.Lock()
	up = true
	mu.Unlock()
	until(t, s, "the event", func() bool { return len(s.events) == 3 })
	stop()
	if got := s.events[0].Text; got != "event stream "+srv.URL+" is away: status 503 Service Unavailable" {
		t.Errorf("got %q", got)
	}
	if got := s.events[1].Text; !strings.HasPrefix(got, "event stream "+srv.URL+" is back after ") {
		t.Errorf("got %q", got)
	}
}

func TestEventsBackPressureAsksAgain(t *testing.T) {
	p, srv := newPlatform(t)
	p.add(line(0, `"kind":"a"`), line(1, `"kind":"b"`))
	refusals := 3
	s := &sink{refuse: func() error {
		if refusals == 0 {
			return nil
		}
		refusals--
		return errors.New("full")
	}}
	stop := start(t, &Events{URL: srv.URL, Clock: unixClock{clock.New()}, Patience: time.Hour}, s)
	until(t, s, "both", func() bool { return len(s.events) == 2 })
	stop()
	if s.events[0].Kind != "a" || s.events[1].Kind != "b" {
		t.Errorf("got %+v", s.events)
	}
}

func TestEventsURL(t *testing.T) {
	if err := (&Events{URL: "nowhere", Clock: clock.New()}).Run(t.Context(), nil); err == nil {
		t.Error("want it refused")
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(line(1, `"kind":"instance.phase","attrs":{"start_ns":"1700000000000000001","a_unix_ns":"-5"}`)))
	f.Add([]byte("\r\n{}\nxx\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 4096)
		for {
			l, _, err := readLine(r, 100)
			if err != nil {
				return
			}
			if len(l) > 100 {
				t.Fatalf("a line of %d bytes", len(l))
			}
			ev, _, err := parseEvent(l, func(ns int64) int64 { return ns - epoch })
			if err == nil && (ev.Kind == "" || ev.Time == 0) {
				t.Fatalf("event %+v", ev)
			}
		}
	})
}

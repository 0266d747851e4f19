package resolver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/assay-dev/assay/internal/pacetest"
)

const weights, other = "weights.example", "other.example"

var home = netip.MustParseAddr("127.0.0.1")

func server(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(Options{Name: weights, Zone: map[string]netip.Addr{weights: home, "Other.Example.": home}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// system is how a program looks a name up: the standard library's resolver, pointed at the server.
func system(s *Server) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.Addr())
	}}
}

func TestModes(t *testing.T) {
	s := server(t)
	slow := 60 * time.Millisecond
	for _, tc := range []struct {
		c      Conditions
		addrs  []string
		err    string
		atMost time.Duration
	}{
		{Conditions{}, []string{"127.0.0.1"}, "", 0},
		{Conditions{Mode: NXDomain}, nil, "no such host", 0},
		{Conditions{Mode: ServFail}, nil, "server misbehaving", 0},
		{Conditions{Mode: Drop}, nil, "i/o timeout", 100 * time.Millisecond},
		{Conditions{Mode: Delay, Delay: slow}, []string{"127.0.0.1"}, "", 0},
		{Conditions{Mode: Wrong, Answer: Nobody}, []string{Nobody}, "", 0},
	} {
		t.Run("mode "+tc.c.Mode, func(t *testing.T) {
			tc.c.Names = []string{weights}
			if tc.c.Mode == None {
				tc.c.Names = nil
			}
			s.Set(tc.c)
			ctx, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
			if tc.atMost > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), tc.atMost)
			}
			defer cancel()
			begin := time.Now()
			got, err := system(s).LookupHost(ctx, weights+".")
			took := time.Since(begin)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if tc.err == "" && err != nil || !strings.Contains(text, tc.err) || !cmp.Equal(tc.addrs, got) {
				t.Errorf("got %v, %v; want %v, %q", got, err, tc.addrs, tc.err)
			}
			if tc.c.Mode == Delay && took < slow {
				t.Errorf("took %v, want %v or more", took, slow)
			}
			// A name that is not listed goes on being answered.
			if got, err := system(s).LookupHost(t.Context(), other+"."); err != nil || !cmp.Equal(got, []string{"127.0.0.1"}) {
				t.Errorf("%s: %v, %v", other, got, err)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	for _, tc := range []struct {
		names []string
		yes   string
		no    string
	}{
		{nil, "a.b. x", ""},
		{[]string{"a.b"}, "a.b A.B. a.b.", "c.a.b b ab"},
		{[]string{"*.b", "c"}, "a.b x.a.b. c", "b xb"},
	} {
		c := Conditions{Mode: Drop, Names: tc.names}
		for _, n := range strings.Fields(tc.yes) {
			if !c.Covers(n) {
				t.Errorf("%v does not mean %s", tc.names, n)
			}
		}
		for _, n := range strings.Fields(tc.no) {
			if c.Covers(n) {
				t.Errorf("%v means %s", tc.names, n)
			}
		}
		if err := c.Check(); err != nil {
			t.Error(err)
		}
		if n := c.Sample("z"); !c.Covers(n) {
			t.Errorf("%v does not mean its sample %s", tc.names, n)
		}
	}
}

func TestCheck(t *testing.T) {
	for want, c := range map[string]Conditions{
		"mode: is missing": {Names: []string{"a"}}, `mode: "off" is not one of`: {Mode: "off"}, "delay_ns: 0s delays nothing": {Mode: Delay},
		"delay_ns: belongs": {Mode: Drop, Delay: 1}, "answer: belongs": {Mode: Drop, Answer: Nobody}, `answer: "" is no IP`: {Mode: Wrong},
		"probability: 2": {Mode: Drop, Probability: 2}, `names: "*"`: {Mode: Drop, Names: []string{"*"}}, `names: "http://x"`: {Mode: Drop, Names: []string{"http://x"}},
		`names: ""`: {Mode: Drop, Names: []string{""}}, "is too long": {Mode: Drop, Names: []string{strings.Repeat("a", 300)}},
	} {
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// The same seed strikes the same questions, and probes are struck without being counted.
func TestProbability(t *testing.T) {
	struck := func(seed uint64) (list []bool) {
		s := server(t)
		s.Set(Conditions{Mode: NXDomain, Probability: 0.5, Seed: seed})
		for range 40 {
			if a, err := Ask(t.Context(), s.Addr(), weights, true); err != nil || a.Code != "NXDOMAIN" {
				t.Fatalf("a probe got %+v, %v", a, err)
			}
			a, err := Ask(t.Context(), s.Addr(), weights, false)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, a.Code == "NXDOMAIN")
		}
		n := int64(0)
		for _, x := range list {
			if x {
				n++
			}
		}
		if r := s.Report(); r.Asked != 40 || r.Struck != n {
			t.Errorf("report %+v, want 40 asked and %d struck", r, n)
		}
		return list
	}
	a, b, c := struck(1), struck(1), struck(2)
	if !cmp.Equal(a, b) || cmp.Equal(a, c) || !slices.Contains(a, true) || !slices.Contains(a, false) {
		t.Errorf("seed 1: %v\nagain:  %v\nseed 2: %v", a, b, c)
	}
}

// Whoever waits under a delay is let go with it.
func TestSetLetsGo(t *testing.T) {
	s := server(t)
	s.Set(Conditions{Mode: Delay, Delay: time.Hour})
	got := make(chan error, 1)
	go func() {
		_, err := Ask(t.Context(), s.Addr(), weights, false)
		got <- err
	}()
	for s.Report().Struck == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Set(Conditions{})
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestDialer(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	defer page.Close()
	_, port, _ := net.SplitHostPort(page.Listener.Addr().String())
	s, err := Listen(Options{Zone: map[string]netip.Addr{weights: home}, Find: func(_ context.Context, name string) ([]netip.Addr, error) {
		switch name {
		case "found.example":
			return []netip.Addr{home}, nil
		case "broken.example":
			return nil, errors.New("no server")
		}
		return nil, &net.DNSError{IsNotFound: true}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := &Dialer{Addr: s.Addr()}
	for host, want := range map[string]string{weights: "", "found.example": "", "127.0.0.1": "", "none.example": "no such host", "broken.example": "SERVFAIL"} {
		c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			c.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", host, err, want)
		}
	}
	s.Set(Conditions{Mode: Wrong, Answer: Nobody})
	if c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(weights, port)); err == nil {
		c.Close()
		t.Error("connected to an address that is wrong")
	}
	if _, err := Lookup(t.Context(), s.Addr(), strings.Repeat("a.", 200)); err == nil {
		t.Error("a name that is too long was looked up")
	}
}

func TestOthers(t *testing.T) {
	if got, err := Others(t.Context(), "localhost"); err != nil || len(got) == 0 || !got[0].IsLoopback() {
		t.Errorf("localhost is %v, %v", got, err)
	}
}

func TestAdmin(t *testing.T) {
	s := server(t)
	do := func(method, body, origin string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/admin/dns", strings.NewReader(body))
		r.Header.Set("Origin", origin)
		s.Admin().ServeHTTP(w, r)
		return w.Code, strings.ReplaceAll(w.Body.String(), s.Addr(), "ADDR")
	}
	set := `{"mode":"delay","names":["a.example"],"delay_ns":5,"answer":"","probability":0,"seed":0,"addr":"ADDR","name":"weights.example","asked":0,"struck":0}` + "\n"
	none := strings.NewReplacer("delay\"", "\"", `["a.example"]`, "null", ":5", ":0").Replace(set)
	for _, tc := range []struct {
		method, body, origin string
		status               int
		want                 string
	}{
		{"PUT", `{"mode":"delay","names":["a.example"],"delay_ns":5}`, "", 200, set},
		{"GET", "", "", 200, set},
		{"PUT", `{"mode":"off"}`, "", 400, "read the conditions: mode: \"off\" is not one of [\"nxdomain\" \"servfail\" \"drop\" \"delay\" \"wrong\"]\n"},
		{"PUT", `{"x":1}`, "", 400, "read the conditions: json: unknown field \"x\"\n"},
		{"POST", "", "", 405, "POST is not allowed here\n"},
		{"DELETE", "", "http://evil.example", 403, "this server does not serve browsers\n"},
		{"DELETE", "", "", 200, none},
	} {
		if status, body := do(tc.method, tc.body, tc.origin); status != tc.status || body != tc.want {
			t.Errorf("%s %s: %d %s; want %d %s", tc.method, tc.body, status, body, tc.status, tc.want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, probe := range []bool{false, true} {
		q, err := ask(7, weights, dnsmessage.TypeA, probe)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(q)
	}
	f.Add([]byte{})
	s := &Server{zone: map[string]netip.Addr{weights: home}, ctx: f.Context()}
	s.state.Store(&state{Conditions: Conditions{Mode: NXDomain, Names: []string{other}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		a := s.answer(b)
		if a == nil {
			return
		}
		var p dnsmessage.Parser
		h, err := p.Start(a)
		if err != nil || !h.Response || len(b) < 2 || h.ID != uint16(b[0])<<8|uint16(b[1]) {
			t.Errorf("%x was answered with %x: %v", b, a, err)
		}
		if _, err := read(a, h.ID); err != nil {
			t.Errorf("our own answer %x cannot be read: %v", a, err)
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	q, err := ask(7, weights, dnsmessage.TypeA, false)
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{zone: map[string]netip.Addr{weights: home}, ctx: b.Context()}
	s.state.Store(&state{})
	b.ReportAllocs()
	for b.Loop() {
		if s.answer(q) == nil {
			b.Fatal("no answer")
		}
	}
}

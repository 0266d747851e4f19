package loadgen

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/trace"
)

const (
	azureTrace    = "../internal/trace/testdata/azure-llm.csv"
	mooncakeTrace = "../internal/trace/testdata/mooncake.jsonl"
)

// items returns what a trace says.
func items(t *testing.T, s trace.Settings) (list []trace.Item) {
	t.Helper()
	for it, err := range s.Each(0, nil) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, it)
	}
	return list
}

// TestReplayIsExact: each request is due and sent when the trace says, with the lengths that it says.
func TestReplayIsExact(t *testing.T) {
	paths := []string{azureTrace}
	if public := "../../shared/data/workloads/AzureLLMInferenceTrace_conv.csv"; os.Getenv("ASSAY_FULL") != "" {
		paths = append(paths, public)
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Logf("skipped: %v", err)
			continue
		}
		s := trace.Settings{Paths: []string{path}}
		want := items(t, s)
		bubble(t, func(t *testing.T, clk *clock.Clock) {
			base := clk.Now()
			g, l := run(t, t.Context(), clk, Config{Phases: []Phase{{Name: "r", Arrivals: Replay{s}, Prompt: Fixed(1), Output: Fixed(1)}}, Cap: 10_000,
				Client: pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, time.Second) })})
			got := l.byID()
			if len(got) != len(want) || g.Schedule().fixed != len(want) || g.Schedule().Duration() != time.Duration(want[len(want)-1].At+1) {
				t.Fatalf("%d requests in %v, want %d in %v", len(got), g.Schedule().Duration(), len(want), time.Duration(want[len(want)-1].At+1))
			}
			for i, r := range got {
				if w := want[i]; r.Due-base != w.At || r.Sent != r.Due || r.TokensIn != w.In || r.TokensAsked != w.Out || r.NoSchedule {
					t.Fatalf("request %d: due %d, sent %d late, %d in, %d out; want %+v", i+1, r.Due-base, r.Sent-r.Due, r.TokensIn, r.TokensAsked, w)
				}
			}
		})
	}
}

// TestReplayKeepsGaps sends a trace to a server over loopback: every gap between sends, as stamped before the write to the socket, is within a millisecond
// of the trace's. Other load on the machine can make one send late, so the best of three tries counts. Prompts of up to a megabyte, as the Mooncake
// trace has them, take about a millisecond to be made a request of, which is not the pace: their gaps are those of what is handed to the client.
func TestReplayKeepsGaps(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		asked.Add(1)
		say(w, tokenA, finish, doneLine)
	}))
	defer server.Close()
	for name, s := range map[string]trace.Settings{
		"azure-llm": {Paths: []string{"../../shared/data/workloads/AzureLLMInferenceTrace_conv.csv"}, From: 10 * time.Minute, To: 10*time.Minute + 10*time.Second},
		"mooncake":  {Paths: []string{"../../shared/data/workloads/mooncake-synthetic.jsonl"}, To: 10 * time.Second}, // prompts of up to 100,000 tokens
	} {
		if _, err := os.Stat(s.Paths[0]); err != nil {
			t.Logf("skipped: %v", err)
			continue
		}
		want := items(t, s)
		best := int64(math.MaxInt64)
		for try := 0; try < 3 && best > int64(time.Millisecond); try++ {
			clk := clock.New()
			asked.Store(0)
			var client assay.Client = clientFunc(func(_ context.Context, _ *assay.Call, r *assay.Request) {
				asked.Add(1)
				r.Sent = clk.Now()
				r.Outcome, r.End = assay.OK, r.Sent+1
			})
			if name == "azure-llm" {
				real, err := NewOpenAI(Endpoint{URL: server.URL, Clock: clk})
				if err != nil {
					t.Fatal(err)
				}
				defer real.Close()
				client = real
			}
			g, err := New(Config{Clock: clk, Stream: true, Phases: []Phase{{Name: "r", Arrivals: Replay{s}}}, Client: client})
			if err != nil {
				t.Fatal(err)
			}
			l := &tape{}
			if err := g.Run(t.Context(), l.emit); err != nil {
				t.Fatal(err)
			}
			got := l.byID()
			if len(got) != len(want) || int(asked.Load()) != len(want) {
				t.Fatalf("%s: %d requests, %d of them came, want %d", name, len(got), asked.Load(), len(want))
			}
			worst := int64(0)
			for i := 1; i < len(got); i++ {
				gap := (got[i].Sent - got[i-1].Sent) - (want[i].At - want[i-1].At)
				worst = max(worst, gap, -gap)
				if got[i].Outcome != assay.OK {
					t.Fatalf("%s: request %d: %v (%s)", name, i+1, got[i].Outcome, got[i].Error)
				}
			}
			t.Logf("%s: %d requests; the gap furthest from the trace's is off by %v; lateness p50 %v, p99 %v", name, len(got), time.Duration(worst), g.Live().LateP50, g.Live().LateP99)
			best = min(best, worst)
		}
		if best > int64(time.Millisecond) {
			t.Errorf("%s: worst gap off by %v; want at most 1ms", name, time.Duration(best))
		}
	}
}

func TestReplayBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.jsonl")
	text := `{"timestamp":0,"input_length":40,"output_length":3,"hash_ids":[7,8]}
{"timestamp":100,"input_length":35,"output_length":4,"hash_ids":[7,9]}
{"timestamp":200,"input_length":16,"output_length":0,"hash_ids":[7]}
`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	calls := record(t, 1, 0, Phase{Name: "r", Arrivals: Replay{trace.Settings{Paths: []string{path}, Columns: trace.Columns{BlockTokens: 16}}}})
	var words [][]string
	for _, c := range calls {
		words = append(words, strings.Fields(c.Prompt))
	}
	if len(words) != 3 || len(words[0]) != 40 || len(words[1]) != 35 || len(words[2]) != 16 || calls[2].MaxTokens != 1 {
		t.Fatalf("prompts of %d, %d and %d words, want 40, 35 and 16", len(words[0]), len(words[1]), len(words[2]))
	}
	if !slices.Equal(words[0][:16], words[1][:16]) || !slices.Equal(words[0][:16], words[2]) || slices.Equal(words[0][16:32], words[1][16:32]) || slices.Equal(words[0][32:35], words[1][32:35]) {
		t.Errorf("%q\n%q\n%q: want the first block in common and no other", words[0], words[1], words[2])
	}
	if again := record(t, 1, 0, Phase{Name: "r", Arrivals: Replay{trace.Settings{Paths: []string{mooncakeTrace}}}}); len(again) != 12 || len(strings.Fields(again[4].Prompt)) != 2752 {
		t.Errorf("%d requests of the excerpt, want 12", len(again))
	}
}

func TestReplaySettings(t *testing.T) {
	azure := func(change func(*trace.Settings)) Phase {
		s := trace.Settings{Paths: []string{azureTrace}}
		change(&s)
		return Phase{Name: "r", Arrivals: Replay{s}}
	}
	seen := map[string]string{}
	for name, p := range map[string]Phase{
		"plain":  azure(func(*trace.Settings) {}),
		"window": azure(func(s *trace.Settings) { s.From, s.To = 5*time.Second, 8*time.Second }),
		"time":   azure(func(s *trace.Settings) { s.TimeScale = 0.5 }),
		"rate":   azure(func(s *trace.Settings) { s.RateScale = 2 }),
		"jitter": azure(func(s *trace.Settings) { s.RateScale, s.Jitter = 2, 2*time.Second }),
		"spread": azure(func(s *trace.Settings) { s.Spread, s.Step = "random", time.Second }),
	} {
		one, again := mustSchedule(t, 1, p), mustSchedule(t, 1, p)
		if one.Hash() != again.Hash() || seen[one.Hash()] != "" {
			t.Errorf("%s: hashes %s and %s, taken by %q", name, one.Hash(), again.Hash(), seen[one.Hash()])
		}
		seen[one.Hash()] = name
		if name == "window" && (one.Duration() != 3*time.Second || one.fixed != 3) {
			t.Errorf("window: %d requests in %v, want 3 in 3s", one.fixed, one.Duration())
		}
	}
	for want, p := range map[string]Phase{
		"no file":      {Name: "r", Arrivals: Replay{}},
		"no such file": {Name: "r", Arrivals: Replay{trace.Settings{Paths: []string{"none.csv"}}}},
		"a replayed trace has requests": {Name: "r", Arrivals: Replay{trace.Settings{Paths: []string{azureTrace}}},
			Session: &Session{Turns: Fixed(2)}},
	} {
		if _, err := NewSchedule([]Phase{p}, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestChangedTraceWarns: what is sent must be what was hashed.
func TestChangedTraceWarns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{"t\n0\n1\n": "", "t\n0\n2\n": "changed on disk", "t\n0\nx\n": `t.csv:3: column t "x"`} {
		write("t\n0\n1\n")
		bubble(t, func(t *testing.T, clk *clock.Clock) {
			g, err := New(Config{Clock: clk, Wait: sleeping(clk), Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK }),
				Phases: []Phase{{Name: "r", Arrivals: Replay{trace.Settings{Kind: "csv", Paths: []string{path}, Columns: trace.Columns{Time: "t"}}}}}})
			if err != nil {
				t.Fatal(err)
			}
			write(text)
			l := &tape{}
			if err := g.Run(t.Context(), l.emit); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, e := range l.events {
				if e.Kind == assay.EventWarning {
					got = e.Text
				}
			}
			if (want == "") != (got == "") || !strings.Contains(got, want) {
				t.Errorf("warning %q, want one with %q", got, want)
			}
		})
	}
}

// TestFeed: what is sent is what was hashed, over many blocks, and a feed that is left early ends.
func TestFeed(t *testing.T) {
	p := Phase{Name: "p", Arrivals: Gamma{Profile: Profile{Rate: 1000}, CV: 2}, For: 10 * time.Second, Prompt: Lognormal{Mean: 100, SD: 50},
		Mix: []Share{{Class: "a", Weight: 1}, {Class: "b", Weight: 2}}, Prefix: &Prefix{Share: 0.5, Groups: 9, Tokens: 8}}
	s := mustSchedule(t, 3, p)
	want := s.plan(0)
	f := s.feed(0)
	sum := newDigest(&s.phases[0], 3)
	var got []planned
	for r, ok := f.next(); ok; r, ok = f.next() {
		got = append(got, r)
		sum.add(&r)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(planned{})); d != "" || len(got) < 9000 || sum.done().digest != s.drawn[0].digest {
		t.Errorf("%d requests; (-drawn +fed):\n%s", len(got), d)
	}
	for _, n := range []int{0, 1, feedBlock, 3 * feedBlock} {
		f := s.feed(0)
		for range n {
			f.next()
		}
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPeak: a backlog of a bursty phase is held to the rate of its bursts, not to its mean.
func TestPeak(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	var b strings.Builder
	b.WriteString("t\n")
	for i := range 5 {
		for range 40 {
			fmt.Fprintln(&b, 10*i)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustSchedule(t, 1, Phase{Name: "r", Arrivals: Replay{trace.Settings{Kind: "csv", Paths: []string{path}, Columns: trace.Columns{Time: "t"}}}, For: 50 * time.Second})
	if mean, peak := s.rate(0); mean != 4 || peak != 400 {
		t.Errorf("mean %g/s, peak %g/s; want 4 and 400", mean, peak)
	}
	s = mustSchedule(t, 1, Phase{Name: "p", Arrivals: Poisson{Profile{Rate: 20}}, For: 50 * time.Second})
	if mean, peak := s.rate(0); mean != 20 || peak != 20 {
		t.Errorf("mean %g/s, peak %g/s; want 20 for both", mean, peak)
	}
	if m := (Replay{trace.Settings{Paths: []string{azureTrace}}}).Mean(); math.Abs(m-12/9.427468001) > 1e-9 {
		t.Errorf("mean %g/s of the excerpt", m)
	}
}

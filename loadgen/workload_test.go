package loadgen

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/trace"
)

// TestLengthsFollowTheirLaw: mean, spread and bounds of each distribution, and a Kolmogorov-Smirnov test where rounding
// does not matter.
func TestLengthsFollowTheirLaw(t *testing.T) {
	histogram, err := NewEmpirical(map[int]float64{10: 1, 20: 2, 70: 1})
	if err != nil {
		t.Fatal(err)
	}
	const n = 40_000
	for name, c := range map[string]struct {
		l             Lengths
		mean, sd      float64
		lowest, least int // bounds
		law           func(float64) float64
	}{
		"fixed":     {Fixed(7), 7, 0, 7, 7, nil},
		"uniform":   {Uniform{10, 19}, 14.5, math.Sqrt(99 / 12.0), 10, 19, nil},
		"normal":    {Normal{Mean: 50_000, SD: 5000}, 50_000, 5000, 0, math.MaxInt32, distuv.Normal{Mu: 50_000, Sigma: 5000}.CDF},
		"clipped":   {Normal{Mean: 100, SD: 50, Min: 100, Max: 120}, 108.4, 9.34, 100, 120, nil},
		"lognormal": {Lognormal{Mean: 50_000, SD: 40_000}, 50_000, 40_000, 0, math.MaxInt32, distuv.LogNormal{Mu: math.Log(50_000) - math.Log1p(0.64)/2, Sigma: math.Sqrt(math.Log1p(0.64))}.CDF},
		"empirical": {histogram, 30, math.Sqrt(550), 10, 70, nil},
	} {
		if err := checkLengths(c.l); err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		values := make([]float64, n)
		sum, square := 0.0, 0.0
		for i := range values {
			v := c.l.Draw(rng)
			if v < c.lowest || v > c.least {
				t.Fatalf("%s: drew %d, want %d to %d", name, v, c.lowest, c.least)
			}
			values[i] = float64(v)
			sum += values[i]
			square += values[i] * values[i]
		}
		mean := sum / n
		sd := math.Sqrt(max(0, square/n-mean*mean))
		if math.Abs(mean-c.mean) > 0.005*c.mean+5*c.sd/math.Sqrt(n) || math.Abs(sd-c.sd) > 0.05*c.sd+0.05 {
			t.Errorf("%s: mean %g, standard deviation %g; want %g, %g", name, mean, sd, c.mean, c.sd)
		}
		if c.law != nil {
			if d := distance(values, c.law); d > 1.95 { // 0.1 %
				t.Errorf("%s: distance %g from its law, want at most 1.95", name, d)
			}
		}
	}
	if histogram.Mean() != 30 {
		t.Errorf("mean %g, want 30", histogram.Mean())
	}
}

func TestReadHistogram(t *testing.T) {
	read := func(text string) (*Empirical, error) { return readHistogram(strings.NewReader(text), "h.csv") }
	got, err := read("\ufefftokens,count\r\n10,3\r\n20 1\n\n30")
	want, _ := NewEmpirical(map[int]float64{10: 3, 20: 1, 30: 1})
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Empirical{})); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for want, text := range map[string]string{
		`h.csv:2: "x": want a length`: "1\nx\n", `h.csv:1: count "-1"`: "1,-1", `h.csv:1: "1,2,3"`: "1,2,3", "no length has a weight": "5,0\n",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	in, out, err := TraceLengths(trace.Settings{Paths: []string{"../internal/trace/testdata/azure-llm.csv"}})
	if err != nil || math.Abs(in.Mean()-429.33) > 0.01 || math.Abs(out.Mean()-74.92) > 0.01 {
		t.Errorf("%v: means %g and %g, want 429.33 and 74.92", err, in.Mean(), out.Mean())
	}
}

// asked is what a client was asked for.
type asked struct {
	assay.Call
	assay.Request
}

// record plays the phases against a target that answers at once and returns the calls in order of id.
func record(t *testing.T, seed uint64, d time.Duration, phases ...Phase) (calls []asked) {
	t.Helper()
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		var mu sync.Mutex
		run(t, t.Context(), clk, Config{Seed: seed, RunID: "run", Phases: phases, Client: clientFunc(func(ctx context.Context, c *assay.Call, r *assay.Request) {
			pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, d) }).Do(ctx, c, r)
			mu.Lock()
			defer mu.Unlock()
			call := *c
			call.Headers = slices.Clone(c.Headers)
			calls = append(calls, asked{call, *r})
		})})
	})
	slices.SortFunc(calls, func(a, b asked) int { return int(a.ID) - int(b.ID) })
	return calls
}

func TestMix(t *testing.T) {
	p := Phase{Name: "p", Class: "unused", Arrivals: Even{Profile{Rate: 200}}, For: 10 * time.Second, Prompt: Fixed(3), Output: Fixed(4), Mix: []Share{
		{Class: "gold", Weight: 3, Headers: [][2]string{{"X-Tenant", "gold"}, {"X-Priority", "1"}}},
		{Class: "free", Weight: 1, Prompt: Fixed(9), Output: Fixed(2)},
	}}
	n := map[string]int{}
	for _, c := range record(t, 1, 0, p) {
		n[c.Class]++
		want, in, out := [][2]string{{"X-Assay-Run", "run"}, {"X-Tenant", "gold"}, {"X-Priority", "1"}}, int32(3), 4
		if c.Class == "free" {
			want, in, out = want[:1], 9, 2
		}
		if !cmp.Equal(c.Headers[1:], want) || c.TokensIn != in || c.MaxTokens != out || len(strings.Fields(c.Prompt)) != int(in) {
			t.Fatalf("class %s: headers %v, %d in, %d out", c.Class, c.Headers, c.TokensIn, c.MaxTokens)
		}
	}
	if n["gold"]+n["free"] != 2000 || math.Abs(float64(n["gold"])-1500) > 100 {
		t.Errorf("classes %v, want about 1500 and 500", n)
	}
	q := p
	q.Mix = slices.Clone(p.Mix)
	q.Mix[0].Headers = nil
	if mustSchedule(t, 1, p).Hash() == mustSchedule(t, 1, q).Hash() {
		t.Error("other headers, same hash")
	}
	// The mix changes no arrival, and no length of a phase without lengths of classes.
	plain := p
	plain.Mix = nil
	a, b := mustSchedule(t, 1, p).plan(0), mustSchedule(t, 1, plain).plan(0)
	for i := range a {
		if a[i].due != b[i].due {
			t.Fatalf("request %d moved from %d to %d", i, b[i].due, a[i].due)
		}
	}
}

func TestPrefix(t *testing.T) {
	p := Phase{Name: "p", Arrivals: Even{Profile{Rate: 100}}, For: 10 * time.Second, Prompt: Fixed(60), Prefix: &Prefix{Share: 0.75, Groups: 4, Tokens: 40}}
	heads := map[string]int{}
	tails := map[string]bool{}
	for _, c := range record(t, 1, 0, p) {
		w := strings.Fields(c.Prompt)
		if len(w) != 60 {
			t.Fatalf("%d words, want 60", len(w))
		}
		heads[strings.Join(w[:40], " ")]++
		tails[strings.Join(w[40:], " ")] = true
	}
	shared, n := 0, 0
	for _, k := range heads {
		if k > 1 {
			shared, n = shared+1, n+k
		}
	}
	if shared != 4 || math.Abs(float64(n)-750) > 60 || len(tails) != 1000 {
		t.Errorf("%d prefixes shared by %d prompts, %d endings; want 4 by about 750, 1000", shared, n, len(tails))
	}
	// Another phase has the same prefixes, a longer one begins with the shorter, and a short prompt still ends with a word of its own.
	q := p
	q.Name, q.Prompt, q.Prefix = "q", Fixed(20), &Prefix{Share: 1, Groups: 1, Tokens: 40, Skew: 0}
	short := record(t, 1, 0, q)
	head, _ := short[0].Prompt, 0
	same := func(a, b string, n int) bool { return slices.Equal(strings.Fields(a)[:n], strings.Fields(b)[:n]) }
	if !same(head, short[1].Prompt, 19) || same(head, short[1].Prompt, 20) && same(head, short[2].Prompt, 20) {
		t.Errorf("%q and %q: want the first 19 of 20 words in common", head, short[1].Prompt)
	}
	found := false
	for h := range heads {
		found = found || heads[h] > 1 && same(h, head, 19)
	}
	if !found {
		t.Error("another phase has other prefixes")
	}
	q.Prefix = &Prefix{Share: 1, Groups: 100, Tokens: 10, Skew: 1.5}
	groups := map[int32]int{}
	for _, r := range mustSchedule(t, 1, q).plan(0) {
		groups[r.prefix]++
	}
	if groups[1] < 300 || groups[1] < 2*groups[2] || groups[0] != 0 {
		t.Errorf("the first two groups have %d and %d of 1000 prompts; want the law of Zipf", groups[1], groups[2])
	}
}

func TestSessions(t *testing.T) {
	p := Phase{Name: "chat", Arrivals: Even{Profile{Rate: 1}}, For: 10 * time.Second, Prompt: Fixed(50), Output: Fixed(20),
		Session: &Session{Turns: Fixed(3), Think: Think{Mean: 500 * time.Millisecond}, Message: Fixed(10)}}
	calls := record(t, 1, 100*time.Millisecond, p, even("next", 1, 2*time.Second))
	base := calls[0].Due
	sessions := map[uint64][]asked{}
	for i, c := range calls {
		if c.ID != uint64(i+1) && c.Phase == "chat" && i < 27 {
			t.Fatalf("request %d has id %d", i+1, c.ID)
		}
		if c.Phase == "chat" {
			k := (c.ID - 1) / 3
			sessions[k] = append(sessions[k], c)
		}
	}
	if len(sessions) != 10 {
		t.Fatalf("%d sessions, want 10", len(sessions))
	}
	for k, s := range sessions {
		// The last session begins at 9 s: its second turn is due at 9.6 s, its third would be at 10.2 s.
		if want := 3; len(s) != want && !(k == 9 && len(s) == 2) {
			t.Errorf("session %d has %d turns, want %d", k, len(s), want)
		}
		for i, c := range s {
			due := base + int64(k)*1e9 + int64(i)*600e6
			if c.Due != due || c.NoSchedule != (i > 0) || c.TokensIn != int32(50+30*i) || c.MaxTokens != 20 || len(strings.Fields(c.Prompt)) != 50+30*i {
				t.Errorf("session %d turn %d: due %v, no schedule %v, %d in", k, i+1, time.Duration(c.Due-base), c.NoSchedule, c.TokensIn)
			}
			if i > 0 && !strings.HasPrefix(c.Prompt, s[i-1].Prompt+" ") {
				t.Errorf("session %d turn %d does not go on from the turn before", k, i+1)
			}
		}
	}
	if calls[len(calls)-1].ID != 32 { // 30 are reserved, whether or not each is sent
		t.Errorf("the last id is %d, want 32", calls[len(calls)-1].ID)
	}
	if fixed, _ := mustSchedule(t, 1, p).Requests(); fixed != 30 {
		t.Errorf("%d requests, want 30", fixed)
	}
	// The lengths and pauses of later turns are in the hash, and do not depend on how fast the target is.
	p.Session.Message, p.Session.Think.CV = Uniform{1, 100}, 1
	one := mustSchedule(t, 1, p)
	fast, slow := record(t, 1, time.Millisecond, p), record(t, 1, 50*time.Millisecond, p)
	for i := range min(len(fast), 20) {
		if fast[i].TokensIn != slow[i].TokensIn {
			t.Errorf("request %d: %d and %d tokens", i+1, fast[i].TokensIn, slow[i].TokensIn)
		}
	}
	p.Session = &Session{Turns: Fixed(3), Think: Think{Mean: 500 * time.Millisecond, CV: 2}, Message: Uniform{1, 100}}
	if mustSchedule(t, 1, p).Hash() == one.Hash() {
		t.Error("other pauses, same hash")
	}
}

func TestSessionsEndAtFailures(t *testing.T) {
	p := Phase{Name: "chat", Arrivals: Even{Profile{Rate: 1}}, For: 4 * time.Second, Session: &Session{Turns: Fixed(9)}}
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		_, l := run(t, t.Context(), clk, Config{Phases: []Phase{p}, Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			rest(ctx, 10*time.Millisecond)
			return pick(r.ID == 12, assay.ServerError) // the third turn of the second session
		})})
		if o := l.outcomes(); o[assay.OK] != 3*9+2 || o[assay.ServerError] != 1 {
			t.Errorf("outcomes %v, want 29 good and one failure", o)
		}
	})
	// Slots have sessions one after another.
	p.Arrivals, p.Closed = nil, &Closed{N: 2}
	calls := record(t, 1, 100*time.Millisecond, p)
	if len(calls) != 80 {
		t.Errorf("%d requests of two slots, want 80", len(calls))
	}
}

func TestTexts(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "prompts")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lines, err := ReadPrompts(write("\ufeffone\r\n\ntwo words\nthree"))
	if err != nil {
		t.Fatal(err)
	}
	p := even("p", 5, time.Second)
	p.Texts = lines
	var got []string
	for _, c := range record(t, 1, 0, p) {
		got = append(got, fmt.Sprint(c.Prompt, c.TokensIn, c.MaxTokens))
	}
	if d := cmp.Diff([]string{"one0 5", "two words0 5", "three0 5", "one0 5", "two words0 5"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	objects, err := ReadPrompts(write(`{"prompt":"a\nb","tokens":3,"max_tokens":7,"more":1}` + "\n" + `{"prompt":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	objects.Random = true
	p.Texts, p.For = objects, 20*time.Second
	n := map[string]int{}
	for _, c := range record(t, 1, 0, p) {
		n[fmt.Sprintf("%q %d %d", c.Prompt, c.TokensIn, c.MaxTokens)]++
	}
	if len(n) != 2 || n[`"a\nb" 3 7`] < 30 || n[`"c" 0 5`] < 30 {
		t.Errorf("prompts %v, want each about 50 times", n)
	}
	other := p
	other.Texts = lines
	if mustSchedule(t, 1, p).Hash() == mustSchedule(t, 1, other).Hash() {
		t.Error("other prompts, same hash")
	}
	for want, text := range map[string]string{"there are none": "\n\n", ":2: invalid char": "{\"prompt\":\"a\"}\nx", ":1: want a \"prompt\"": "{}", ":1: the prompt is not UTF-8": "\xff\xfe"} {
		if _, err := ReadPrompts(write(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestWorkloadErrors(t *testing.T) {
	even := Even{Profile{Rate: 1}}
	for want, p := range map[string]Phase{
		"a class without a name":      {Mix: []Share{{Weight: 1}}},
		`class "a" has weight -1`:     {Mix: []Share{{Class: "a", Weight: -1}}},
		"the weights add up to 0":     {Mix: []Share{{Class: "a"}}},
		"a share of 2":                {Prefix: &Prefix{Share: 2, Groups: 1, Tokens: 1}},
		"0 groups":                    {Prefix: &Prefix{Share: 1, Tokens: 1}},
		"prefix: 0 tokens":            {Prefix: &Prefix{Share: 1, Groups: 1}},
		"skew 0.5":                    {Prefix: &Prefix{Share: 1, Groups: 1, Tokens: 1, Skew: 0.5}},
		"it has no turns":             {Session: &Session{}},
		"prompt: uniform from 5 to 1": {Prompt: Uniform{5, 1}},
		"output: a fixed length of":   {Output: Fixed(-1)},
		"normal with a standard":      {Output: Normal{Mean: 1, SD: -1}},
		"lognormal with a mean of 0":  {Output: Lognormal{SD: 1}},
		"an empirical distribution":   {Output: &Empirical{}},
		"texts: there are none":       {Texts: &Prompts{}},
		"neither prefix nor session":  {Texts: &Prompts{list: []Prompt{{Prompt: "a"}}}, Session: &Session{Turns: Fixed(1)}},
	} {
		p.Name, p.Arrivals, p.For = "p", even, time.Second
		if _, err := NewSchedule([]Phase{p}, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	p := Phase{Name: "s", Session: &Session{Turns: Fixed(2)}, Search: &Search{Start: 1, SLO: map[string]float64{"e2e/p95": 1}}}
	if _, err := NewSchedule([]Phase{p}, 1); err == nil || !strings.Contains(err.Error(), "a search has single requests only") {
		t.Errorf("error %v", err)
	}
}

func FuzzPrompts(f *testing.F) {
	f.Add("one\ntwo")
	f.Add(`{"prompt":"a","tokens":-3}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readPrompts(strings.NewReader(text), "f")
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if e, err := readHistogram(strings.NewReader(text), "f"); err == nil && e.Draw(rand.New(rand.NewPCG(1, 1))) < 0 {
			t.Fatal("a length below zero")
		}
	})
}

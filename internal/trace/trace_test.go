package trace

import (
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// read returns all items of a trace.
func read(t *testing.T, s Settings) ([]Item, Stats) {
	t.Helper()
	items, stats, err := collect(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return items, stats
}

func collect(s Settings, seed uint64) (items []Item, stats Stats, err error) {
	for it, err := range s.Each(seed, &stats) {
		if err != nil {
			return items, stats, err
		}
		items = append(items, it)
	}
	return items, stats, nil
}

// write writes text to a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func seconds(items []Item) []float64 {
	var s []float64
	for _, it := range items {
		s = append(s, float64(it.At)/1e9)
	}
	return s
}

var plainItems = cmpopts.IgnoreUnexported(Item{})

func TestFormats(t *testing.T) {
	x := int32(Unknown)
	for _, c := range []struct {
		name string
		s    Settings
		want []Item
	}{
		{"azure-llm", Settings{Paths: []string{"testdata/azure-llm.csv"}, Max: 2}, []Item{
			{At: 0, In: 374, Out: 44, Line: 2}, {At: 4_314_579_000, In: 396, Out: 109, Line: 3}}},
		{"mooncake", Settings{Paths: []string{"testdata/mooncake.jsonl"}, Max: 3}, []Item{
			{At: 0, In: 28, Out: 445, Blocks: []uint64{298}, BlockTokens: 512, Line: 1},
			{At: 1_940_000_000, In: 24, Out: 216, Blocks: []uint64{498}, BlockTokens: 512, Line: 2},
			{At: 2_246_000_000, In: 546, Out: 78, Blocks: []uint64{499, 500}, BlockTokens: 512, Line: 3}}},
		{"burstgpt", Settings{Paths: []string{"testdata/burstgpt.csv"}, Zero: "drop"}, []Item{
			{At: 0, In: 100, Out: 40, Class: "GPT-4", Session: 1, Took: 4e9, Line: 2},
			{At: 2e9, In: 60, Out: 10, Class: "ChatGPT", Session: 2, Took: 1e9, Line: 4},
			{At: 2_333_333_333, In: 260, Out: 30, Class: "GPT-4", Session: 1, Took: 3e9, Line: 5},
			{At: 2_666_666_666, In: 90, Out: 12, Class: "ChatGPT", Session: 2, Took: 2e9, Line: 6},
			{At: 7e9, In: 400, Out: 20, Class: "GPT-4", Session: 1, Took: 5e9, Line: 7}}},
		{"functions-2021, which is sorted by the end", Settings{Paths: []string{"testdata/functions-2021.csv"}, Columns: Columns{Class: "func"}}, []Item{
			{At: 0, In: x, Out: x, Class: "f2", Took: 5_250_000_000, Line: 3}, {At: 750e6, In: x, Out: x, Class: "f1", Took: 250e6, Line: 2},
			{At: 3_750_000_000, In: x, Out: x, Class: "f1", Took: 2_125_000_000, Line: 5}, {At: 5_250_000_000, In: x, Out: x, Class: "f1", Took: 500e6, Line: 4}}},
		{"functions-2019", Settings{Paths: []string{"testdata/functions-2019.csv"}}, []Item{
			{At: 0, In: x, Out: x, Line: 4}, {At: 20e9, In: x, Out: x, Line: 4}, {At: 40e9, In: x, Out: x, Line: 4},
			{At: 120e9, In: x, Out: x, Line: 4}, {At: 135e9, In: x, Out: x, Line: 4}, {At: 150e9, In: x, Out: x, Line: 4}, {At: 165e9, In: x, Out: x, Line: 4}}},
		{"functions-2019, a second day", Settings{Kind: "functions-2019", Spread: "none", Paths: []string{"testdata/functions-2019.csv", "testdata/functions-2019.csv"}, From: 24 * time.Hour, To: 24*time.Hour + time.Minute}, []Item{
			{At: 0, In: x, Out: x, Line: 4}, {At: 0, In: x, Out: x, Line: 4}, {At: 0, In: x, Out: x, Line: 4}}},
		{"csv with quotes, milliseconds and spaces", Settings{Kind: "csv", Columns: Columns{Time: "at", Unit: "ms", In: "prompt", Class: "tenant"},
			Paths: []string{write(t, "x.csv", "\ufeffAt, Prompt ,tenant\r\n\"1000.5\",12,\"a, b\"\r\n\r\n1e3, 7.0 ,c")}}, []Item{
			{At: 0, In: 7, Out: x, Class: "c", Line: 4}, {At: 500_000, In: 12, Out: x, Class: "a, b", Line: 2}}},
		{"jsonl with dates", Settings{Kind: "jsonl", Columns: Columns{Time: "ts", Out: "n", Blocks: "p", BlockTokens: 16},
			Paths: []string{write(t, "x.jsonl", `{"ts":"2024-05-12T00:00:00+00:00","n":3,"p":[1,2]}`+"\n"+`{"ts":"2024-05-12 02:00:01.25+02:00","n":null,"p":["x"]}`)}}, []Item{
			{At: 0, In: x, Out: 3, Blocks: []uint64{1, 2}, BlockTokens: 16, Line: 1}, {At: 1_250_000_000, In: x, Out: x, Blocks: []uint64{0xaf63f54c86021707}, BlockTokens: 16, Line: 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, stats := read(t, c.s)
			names := map[uint64]uint64{} // sessions by their first appearance
			for i := range got {
				if id := got[i].Session; id != 0 {
					if names[id] == 0 {
						names[id] = uint64(len(names) + 1)
					}
					got[i].Session = names[id]
				}
			}
			if d := cmp.Diff(c.want, got, plainItems); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if stats.Items != len(got) {
				t.Errorf("stats %+v, want %d items", stats, len(got))
			}
		})
	}
}

func TestZeroRowsAreCounted(t *testing.T) {
	s := Settings{Paths: []string{"testdata/burstgpt.csv"}}
	got, stats := read(t, s)
	if len(got) != 6 || got[1].Out != 1 || stats.Zero != 1 || stats.Dropped != 0 {
		t.Errorf("kept: %d items, %+v, the second %+v; want 6, and one token instead of none", len(got), stats, got[1])
	}
	s.Zero = "drop"
	if got, stats = read(t, s); len(got) != 5 || stats.Dropped != 1 || stats.Rows != 6 {
		t.Errorf("dropped: %d items, %+v; want 5 of 6", len(got), stats)
	}
}

func TestWindowAndScales(t *testing.T) {
	path := []string{write(t, "x.csv", "t\n50\n51\n51\n52.5\n54\n60\n")}
	base := Settings{Kind: "csv", Paths: path, Columns: Columns{Time: "t"}}
	for name, c := range map[string]struct {
		change func(*Settings)
		want   []float64
	}{
		"all":              {func(*Settings) {}, []float64{0, 1, 1, 2.5, 4, 10}},
		"window":           {func(s *Settings) { s.From, s.To = time.Second, 4*time.Second }, []float64{0, 0, 1.5}},
		"time scale":       {func(s *Settings) { s.TimeScale = 0.1 }, []float64{0, 0.1, 0.1, 0.25, 0.4, 1}},
		"window and scale": {func(s *Settings) { s.From, s.TimeScale = 2*time.Second, 10 }, []float64{5, 20, 80}},
		"even spread":      {func(s *Settings) { s.Spread, s.Step = "even", time.Second }, []float64{0, 1, 1.5, 2.5, 4, 10}},
		"spread over a step that is longer than the gap": {func(s *Settings) { s.Spread, s.Step = "even", 4*time.Second }, []float64{0, 1, 2.5, 3, 4, 10}},
		"most": {func(s *Settings) { s.Max = 2 }, []float64{0, 1}},
	} {
		s := base
		c.change(&s)
		got, _ := read(t, s)
		if d := cmp.Diff(c.want, seconds(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	random := base
	random.Spread, random.Step = "random", 500*time.Millisecond
	one, _ := read(t, random)
	again, _ := read(t, random)
	if !slices.Equal(seconds(one), seconds(again)) || slices.Equal(seconds(one), []float64{0, 1, 1, 2.5, 4, 10}) {
		t.Errorf("random spread: %v and %v, want one draw for a seed", seconds(one), seconds(again))
	}
	for i, want := range []float64{0, 1, 1, 2.5, 4, 10} {
		if d := float64(one[i].At)/1e9 - want; d < 0 || d >= 0.5 {
			t.Errorf("item %d at %g, want within half a second of %g", i, float64(one[i].At)/1e9, want)
		}
	}
}

func TestRateScale(t *testing.T) {
	var b strings.Builder
	b.WriteString("t,session,blocks\n")
	for i := range 4000 {
		fmt.Fprintf(&b, "%d,s%d,\"[%d,%d]\"\n", i, i/4, i/4, i)
	}
	s := Settings{Kind: "csv", Paths: []string{write(t, "x.csv", b.String())}, Columns: Columns{Time: "t", Session: "session", Blocks: "blocks", BlockTokens: 16}, Jitter: 100 * time.Millisecond}
	all, _ := read(t, s)
	s.RateScale = 0.3
	thin, stats := read(t, s)
	n := map[uint64]int{}
	for _, it := range thin {
		n[it.Session]++
	}
	for id, k := range n {
		if k != 4 {
			t.Fatalf("session %x has %d of its 4 requests", id, k)
		}
	}
	if share := float64(len(thin)) / 4000; math.Abs(share-0.3) > 0.06 || stats.Thinned != 4000-len(thin) {
		t.Errorf("kept %g with %+v, want about 0.3", share, stats)
	}
	if other, _, _ := collect(s, 2); slices.Equal(seconds(other), seconds(thin)) {
		t.Error("another seed keeps the same sessions")
	}
	s.RateScale = 2.5
	more, stats := read(t, s)
	if share := float64(len(more)) / 4000; math.Abs(share-2.5) > 0.06 || stats.Copies != len(more)-4000 {
		t.Errorf("%g times as many with %+v, want about 2.5", share, stats)
	}
	if !slices.IsSortedFunc(more, func(a, b Item) int { return int(a.At - b.At) }) {
		t.Error("out of order")
	}
	// Each copy is a little later and shares its blocks with the copies of its session only.
	share := map[uint64]map[uint64]bool{} // sessions by their first block
	exact := 0
	for _, it := range more {
		if late := it.At % 1e9; late > 1e8 {
			t.Fatalf("a copy is %d ns late", late)
		} else if late == 0 {
			exact++
		}
		if share[it.Blocks[0]] == nil {
			share[it.Blocks[0]] = map[uint64]bool{}
		}
		share[it.Blocks[0]][it.Session] = true
	}
	if exact != len(all) {
		t.Errorf("%d at their own instants, want %d", exact, len(all))
	}
	for id, sessions := range share {
		if len(sessions) != 1 {
			t.Fatalf("block %x is of %d sessions", id, len(sessions))
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	csv := func(text string, c Columns) Settings {
		return Settings{Kind: "csv", Paths: []string{write(t, "bad.csv", text)}, Columns: c}
	}
	at := Columns{Time: "t", In: "n"}
	disorder := "t,n\n100000,1\n" + strings.Repeat("200000,1\n", 1100) + "5,1\n"
	for want, s := range map[string]Settings{
		"no file":                              {},
		"no such file":                         {Paths: []string{"testdata/none.csv"}},
		`kind "x" is unknown: want one of az`:  {Kind: "x", Paths: []string{"testdata/azure-llm.csv"}},
		`bad.csv:1: the first line "hello"`:    {Paths: []string{write(t, "bad.csv", "hello\n")}},
		`bad.csv:3: column t "1,5": want a nu`: csv("t,n\n1,2\n\"1,5\",2\n", at),
		`bad.csv:2: column n "-4": want a cou`: csv("t,n\n1,-4\n", at),
		`bad.csv:2: column n "1.5": want a co`: csv("t,n\n1,1.5\n", at),
		`bad.csv:3: 1 fields: want one for co`: csv("t,n\n1,2\n1\n", at),
		`bad.csv:1: the header "t,m": want a `: csv("t,m\n1,2\n", at),
		`bad.csv:2: column t "": want a time`:  csv("t,n\n,2\n", at),
		"bad.csv: it is empty":                 csv("", at),
		"no time: say which column":            csv("t\n", Columns{}),
		"unit \"h\": want s, ms":               csv("t\n", Columns{Time: "t", Unit: "h"}),
		"took is needed":                       csv("t\n", Columns{Time: "t", End: true}),
		"blocks without the number":            csv("t\n", Columns{Time: "t", Blocks: "b"}),
		"sort the file by time":                csv(disorder, at),
		`bad.jsonl:1: the line "[1]": want a `: {Kind: "jsonl", Columns: at, Paths: []string{write(t, "bad.jsonl", "[1]\n")}},
		`bad.jsonl:1: column hash_ids "7"`:     {Kind: "mooncake", Paths: []string{write(t, "bad.jsonl", `{"timestamp":1,"hash_ids":7}`)}},
		`bad.csv:2: minute 2 "x": want a coun`: {Kind: "functions-2019", Paths: []string{write(t, "bad.csv", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,t,1,x\n")}},
		`want 2 minutes, as the header says`:   {Kind: "functions-2019", Paths: []string{write(t, "bad.csv", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,t,1\n")}},
		`bad.csv:1: distribution "Pareto"`:     {Kind: "servegen", Paths: []string{write(t, "bad.csv", "0,1,1,Pareto,1,1\n")}},
		`bad.csv:2: the window begins at 0 s`:  {Kind: "servegen", Paths: []string{write(t, "bad.csv", "0,1\n0,1\n")}},
		"want an end after its begin":          {Paths: []string{"testdata/azure-llm.csv"}, From: 2, To: 1},
		"time scale -1":                        {Paths: []string{"testdata/azure-llm.csv"}, TimeScale: -1},
		"rate scale NaN":                       {Paths: []string{"testdata/azure-llm.csv"}, RateScale: math.NaN()},
		"spread even without a step":           {Paths: []string{"testdata/azure-llm.csv"}, Spread: "even"},
		`zero "skip": want keep or drop`:       {Paths: []string{"testdata/azure-llm.csv"}, Zero: "skip"},
	} {
		if _, _, err := collect(s, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	long := csv("t\n"+strings.Repeat("1", maxLine+100_000)+"\n", Columns{Time: "t"})
	if err := long.Check(); err == nil || !strings.Contains(err.Error(), "bad.csv:2: a line of more than 4 MiB") {
		t.Errorf("a long line: %v", err)
	}
	if err := (Settings{Paths: []string{"testdata/azure-llm.csv"}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestGzip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	raw, _ := os.ReadFile("testdata/azure-llm.csv")
	_, err = z.Write(raw)
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	packed, _ := read(t, Settings{Paths: []string{path}})
	plain, _ := read(t, Settings{Paths: []string{"testdata/azure-llm.csv"}})
	if d := cmp.Diff(plain, packed, plainItems); d != "" || len(plain) != 12 {
		t.Errorf("%d items; (-plain +packed):\n%s", len(plain), d)
	}
}

// TestServeGen: the rate of each window is kept, the clients come together, and one does not depend on the other.
func TestServeGen(t *testing.T) {
	s := Settings{Kind: "servegen", Paths: []string{"testdata/servegen-1.csv", "testdata/servegen-2.csv"}}
	got, _ := read(t, s)
	var n [3]int
	for _, it := range got {
		n[it.At/600e9]++
	}
	for i, want := range []float64{24 * 600, 4 * 600, 5 * 600} {
		if math.Abs(float64(n[i])-want) > 6*2*math.Sqrt(want) {
			t.Errorf("window %d: %d arrivals, want about %g", i, n[i], want)
		}
	}
	if !slices.IsSortedFunc(got, func(a, b Item) int { return int(a.At - b.At) }) {
		t.Error("out of order")
	}
	s.Paths = s.Paths[1:]
	alone, _ := read(t, s)
	if d := float64(len(alone)) - 4800; math.Abs(d) > 6*math.Sqrt(4800) {
		t.Errorf("the second client alone: %d arrivals, want about 4800", len(alone))
	}
	if again, _ := read(t, s); !slices.Equal(seconds(again), seconds(alone)) {
		t.Error("one seed, two draws")
	}
}

// TestPublicTraces reads the traces that are there, whole.
func TestPublicTraces(t *testing.T) {
	dir := "../../../shared/data/workloads"
	for name, c := range map[string]struct {
		file              string
		n, in, out        int
		last              time.Duration
		blocks, different int
	}{
		"azure-llm": {"AzureLLMInferenceTrace_conv.csv", 19366, 22361870, 4088665, 3501721937 * time.Microsecond, 0, 0},
		"mooncake":  {"mooncake-synthetic.jsonl", 3993, 0, 0, 0, 121877, 121877 - 77953},
	} {
		path := filepath.Join(dir, c.file)
		if _, err := os.Stat(path); err != nil {
			t.Logf("skipped %s: %v", name, err)
			continue
		}
		got, stats := read(t, Settings{Paths: []string{path}})
		in, out, blocks, seen := 0, 0, 0, map[uint64]bool{}
		for _, it := range got {
			in, out, blocks = in+int(it.In), out+int(it.Out), blocks+len(it.Blocks)
			for _, id := range it.Blocks {
				seen[id] = true
			}
		}
		if len(got) != c.n || stats.Rows != c.n || stats.Zero != 0 || stats.Disorder != 0 || blocks != c.blocks || len(seen) != c.different {
			t.Errorf("%s: %d items, %+v, %d blocks, %d of them different; want %d, %d, %d", name, len(got), stats, blocks, len(seen), c.n, c.blocks, c.different)
		}
		if c.in > 0 && (in != c.in || out != c.out || time.Duration(got[len(got)-1].At) != c.last) {
			t.Errorf("%s: %d in, %d out, last at %v; want %d, %d, %v", name, in, out, time.Duration(got[len(got)-1].At), c.in, c.out, c.last)
		}
	}
}

func TestStamp(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "12": 12e9, "0.000000001": 1, "19440110.0": 19440110e9, "1700158546.680590": 1700158546680590000, "-3.5": -35e8, "1.5e3": 15e11, "1.0000000019": 1000000001,
		"2023-11-16 18:15:46.6805900": 1700158546680590000, "2023-11-16T18:15:46Z": 1700158546e9, "2023-11-16 19:15:46+01:00": 1700158546e9,
	} {
		if got, ok := stamp([]byte(text), "s"); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "x", ".", "-", "NaN", "Inf", "1e300", "2023-13-16 18:15:46", "12:30", "99999999999999999999"} {
		if got, ok := stamp([]byte(text), "s"); ok {
			t.Errorf("%q: %d, want it refused", text, got)
		}
	}
}

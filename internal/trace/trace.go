package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Unknown is a length that the trace does not give.
const Unknown = -1

// An Item is one request of a trace.
type Item struct {
	At          int64    // ns from the window's begin
	In, Out     int32    // tokens of prompt and answer; Unknown where the trace does not say
	Class       string   // tenant, model or function; may be empty
	Session     uint64   // requests of one session have the same; 0: none
	Took        int64    // ns that it took when it was recorded; 0: not known
	Blocks      []uint64 // ids of the blocks that the prompt begins with: the same id is the same text
	BlockTokens int      // tokens in a block
	Line        int      // of its file

	path string // of the file, where rows may be out of order
}

// Settings say which trace to read and what to make of it.
type Settings struct {
	Kind    string   // a name of Kinds; "": azure-llm, mooncake, burstgpt, functions-2019 or functions-2021, found by the first line; where Columns are named, else csv, or jsonl by the file's ending
	Paths   []string // files of one trace, in order; of clients that come together, for servegen
	Columns Columns  // for csv and jsonl, and to change those of other kinds

	From, To  time.Duration // window [From, To) in the trace's time; To 0: to its end
	TimeScale float64       // factor on time; 0: 1
	RateScale float64       // factor on the number of requests; 0: 1
	Jitter    time.Duration // most lateness of a copy, in replayed time; 0: 1 s
	Zero      string        // "keep" or "drop" rows without tokens; "": keep, with one token
	Spread    string        // "none", "even" or "random" within a step; "": as the kind says
	Step      time.Duration // that a stamp stands for, in the trace's time; 0: as the kind says
	Max       int           // most requests; 0: no limit
}

// Stats counts what became of the rows.
type Stats struct {
	Rows     int // read
	Outside  int // before or after the window
	Zero     int // with a length of zero tokens
	Dropped  int // of those
	Thinned  int // left out by RateScale
	Copies   int // added by RateScale
	Disorder int // rows that stood after a later one
	Items    int // yielded
}

// A Kind is one format.
type Kind struct {
	Name string
	Help string // one sentence

	columns Columns
	json    bool
	grain   time.Duration // of its stamps, where they are coarse
	spreads bool          // the reader itself spreads what has one stamp
	open    func(s *source) reader
}

// A reader reads the rows of a trace, in the order of its files. At is in the time of the trace, whatever it counts from.
// It returns io.EOF at the end.
type reader interface{ next(it *Item) error }

// Kinds is the table of formats.
var Kinds = []Kind{
	{Name: "azure-llm", Help: "Azure LLM inference traces of 2023 and 2024 (CSV): time, prompt and answer tokens.",
		columns: Columns{Time: "TIMESTAMP", In: "ContextTokens", Out: "GeneratedTokens"}, open: newRows},
	{Name: "mooncake", Help: "Mooncake traces (JSONL): milliseconds, lengths, and hash blocks of 512 tokens.", json: true,
		columns: Columns{Time: "timestamp", Unit: "ms", In: "input_length", Out: "output_length", Blocks: "hash_ids", BlockTokens: 512}, open: newRows},
	{Name: "burstgpt", Help: "BurstGPT traces (CSV): seconds, model, lengths, in later files the session.", grain: time.Second,
		columns: Columns{Time: "Timestamp", In: "Request tokens", Out: "Response tokens", Class: "?Model", Session: "?Session ID", Took: "?Elapsed time"}, open: newRows},
	{Name: "functions-2021", Help: "Azure Functions 2021 (CSV): function, end and duration of each invocation.",
		columns: Columns{Time: "end_timestamp", Took: "duration", End: true}, open: newRows},
	{Name: "functions-2019", Help: "Azure Functions 2019 (CSV): invocations of each function in each minute; each file is one more day.", grain: time.Minute, spreads: true, open: newMinutes},
	{Name: "servegen", Help: "ServeGen client windows (CSV, one file a client): rate, variation and distribution of gaps; arrivals are drawn.", open: newClients},
	{Name: "csv", Help: "Any CSV with a header line and named columns.", open: newRows},
	{Name: "jsonl", Help: "Any file of JSON objects, one a line, with named members.", json: true, open: newRows},
}

// filled returns the settings with their defaults and the kind.
func (s Settings) filled() (Settings, *Kind, error) {
	if len(s.Paths) == 0 {
		return s, nil, errors.New("trace: no file: want at least one path")
	}
	if s.Kind == "" {
		name, err := detect(s.Paths[0], s.Columns != (Columns{}))
		if err != nil {
			return s, nil, err
		}
		s.Kind = name
	}
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == s.Kind })
	if i < 0 {
		var names []string
		for _, k := range Kinds {
			names = append(names, k.Name)
		}
		return s, nil, fmt.Errorf("trace kind %q is unknown: want one of %s", s.Kind, strings.Join(names, ", "))
	}
	k := &Kinds[i]
	s.Columns = s.Columns.over(k.columns)
	s.TimeScale, s.RateScale = cmp.Or(s.TimeScale, 1), cmp.Or(s.RateScale, 1)
	s.Jitter, s.Step, s.Zero = cmp.Or(s.Jitter, time.Second), cmp.Or(s.Step, k.grain), cmp.Or(s.Zero, "keep")
	if s.Spread == "" {
		if s.Spread = "none"; k.grain > 0 {
			s.Spread = "even"
		}
	}
	switch {
	case s.From < 0 || s.To < 0 || s.To != 0 && s.To <= s.From:
		return s, nil, fmt.Errorf("trace window from %v to %v: want an end after its begin", s.From, s.To)
	case !(s.TimeScale >= 1e-6 && s.TimeScale <= 1e6):
		return s, nil, fmt.Errorf("trace time scale %g: want between 0.000001 and 1000000", s.TimeScale)
	case !(s.RateScale >= 1e-6 && s.RateScale <= 1000):
		return s, nil, fmt.Errorf("trace rate scale %g: want between 0.000001 and 1000", s.RateScale)
	case s.Jitter < 0 || s.Jitter > time.Hour || s.Step < 0 || s.Step > 24*time.Hour || s.Max < 0:
		return s, nil, errors.New("trace: a jitter, step or limit out of range")
	case s.Zero != "keep" && s.Zero != "drop":
		return s, nil, fmt.Errorf("trace: zero %q: want keep or drop", s.Zero)
	case s.Spread != "none" && s.Spread != "even" && s.Spread != "random":
		return s, nil, fmt.Errorf("trace: spread %q: want none, even or random", s.Spread)
	case s.Spread != "none" && s.Step == 0:
		return s, nil, fmt.Errorf("trace: spread %s without a step: say what a stamp stands for, for example 3s", s.Spread)
	}
	return s, k, s.Columns.check(s.Kind)
}

// Filled returns the settings with their defaults: the kind that was found and the rules that hold.
func (s Settings) Filled() (Settings, error) {
	s, _, err := s.filled()
	return s, err
}

// Check tells what is wrong with the settings, or with the first rows of the trace.
func (s Settings) Check() error {
	s.Max = 1
	for _, err := range s.Each(0, nil) {
		return err
	}
	return nil
}

// Each yields the requests in order of time. What is random depends on seed only. An error ends the sequence. Stats, if not nil, is
// kept up to date.
func (s Settings) Each(seed uint64, stats *Stats) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s, k, err := s.filled()
		if err != nil {
			yield(Item{}, err)
			return
		}
		if stats == nil {
			stats = &Stats{}
		}
		*stats = Stats{}
		src := &source{Settings: s, kind: k, seed: seed}
		defer src.close()
		p := &pipe{Settings: s, stats: stats, rng: rand.New(rand.NewPCG(seed, 0x7261776c)), yield: yield}
		p.salt = p.rng.Uint64()
		if k.spreads {
			p.Spread = "none"
		}
		if err := p.run(k.open(src)); err != nil {
			yield(Item{}, err)
		}
	}
}

// errStop ends a pipe whose consumer wants no more.
var errStop = errors.New("stop")

// A pipe takes rows and yields items.
type pipe struct {
	Settings
	stats *Stats
	rng   *rand.Rand
	yield func(Item, error) bool

	rows  queue // by the time of the trace
	out   queue // by replayed time
	first int64 // stamp of the first request
	begun bool
	last  int64  // stamp that was taken from rows last
	step  []Item // rows with one stamp
	n     uint64 // rows seen by the rate scale
	salt  uint64 // of its choices
}

func (p *pipe) run(r reader) error {
	horizon := 1024
	if p.Columns.End {
		horizon = 65536
	}
	latest := int64(math.MinInt64)
	for {
		var it Item
		err := r.next(&it)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		p.stats.Rows++
		if it.At < latest {
			p.stats.Disorder++
		}
		latest = max(latest, it.At)
		p.rows.push(it)
		if p.rows.len() > horizon {
			if err := p.row(p.rows.pop()); err != nil {
				return quiet(err)
			}
		}
	}
	for p.rows.len() > 0 {
		if err := p.row(p.rows.pop()); err != nil {
			return quiet(err)
		}
	}
	if err := p.flush(); err != nil {
		return quiet(err)
	}
	return quiet(p.release(math.MaxInt64))
}

func quiet(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// row takes the next row in order of time.
func (p *pipe) row(it Item) error {
	if !p.begun {
		p.begun, p.first, p.last = true, it.At, it.At
	}
	if it.At < p.last {
		return fmt.Errorf("%s:%d: its time is %v before that of a row that stood long before it: sort the file by time", it.path, it.Line, time.Duration(p.last-it.At))
	}
	p.last = it.At
	it.At -= p.first
	if it.At < int64(p.From) {
		p.stats.Outside++
		return nil
	}
	if p.To > 0 && it.At >= int64(p.To) {
		p.stats.Outside++
		if err := p.flush(); err != nil {
			return err
		}
		if err := p.release(math.MaxInt64); err != nil {
			return err
		}
		return errStop
	}
	if it.In == 0 || it.Out == 0 {
		p.stats.Zero++
		if p.Zero == "drop" {
			p.stats.Dropped++
			return nil
		}
		if it.In == 0 {
			it.In = 1
		}
		if it.Out == 0 {
			it.Out = 1
		}
	}
	it.At -= int64(p.From)
	if len(p.step) > 0 && (p.step[0].At != it.At || p.Spread == "none") {
		if err := p.flush(); err != nil {
			return err
		}
		if err := p.release(p.scaled(it.At)); err != nil {
			return err
		}
	}
	if len(p.step) >= maxStep {
		return fmt.Errorf("%s:%d: more than %d rows with one time", it.path, it.Line, maxStep)
	}
	p.step = append(p.step, it)
	return nil
}

// maxStep bounds the rows that are spread over one step, which lie in memory.
const maxStep = 1 << 20

func (p *pipe) scaled(at int64) int64 {
	if p.TimeScale == 1 {
		return at
	}
	return int64(math.Round(float64(at) * p.TimeScale))
}

// flush spreads the rows of one stamp and queues what becomes of each.
func (p *pipe) flush() error {
	n := len(p.step)
	if n == 0 {
		return nil
	}
	var at []int64
	if p.Spread != "none" {
		at = make([]int64, n)
		for i := range at {
			share := float64(i) / float64(n)
			if p.Spread == "random" {
				share = p.rng.Float64()
			}
			at[i] = int64(share * float64(p.Step))
		}
		slices.Sort(at)
	}
	for i, it := range p.step {
		if at != nil {
			if it.At += at[i]; p.To > 0 && it.At >= int64(p.To-p.From) {
				p.stats.Outside++
				continue
			}
		}
		it.At = p.scaled(it.At)
		p.multiply(it)
	}
	p.step = p.step[:0]
	return nil
}

// multiply queues the item as often as the rate scale says.
func (p *pipe) multiply(it Item) {
	p.n++
	key := p.n
	if it.Session != 0 {
		key = it.Session
	}
	if p.RateScale == 1 {
		p.out.push(it)
		return
	}
	copies := int(p.RateScale)
	if rand.New(rand.NewPCG(p.salt, key)).Float64() < p.RateScale-float64(copies) {
		copies++
	}
	if copies == 0 {
		p.stats.Thinned++
	}
	for c := range copies {
		one := it
		if c > 0 {
			p.stats.Copies++
			one.At += int64(p.rng.Float64() * float64(p.Jitter))
			one.Blocks = make([]uint64, len(it.Blocks))
			for i, id := range it.Blocks {
				one.Blocks[i] = id ^ uint64(c)<<48
			}
			if it.Session != 0 {
				one.Session ^= uint64(c) << 48
			}
		}
		p.out.push(one)
	}
}

// release yields what is due before the instant: nothing earlier can come.
func (p *pipe) release(before int64) error {
	for p.out.len() > 0 && p.out.first() < before {
		it := p.out.pop()
		p.stats.Items++
		if !p.yield(it, nil) || p.stats.Items == p.Max {
			return errStop
		}
	}
	return nil
}

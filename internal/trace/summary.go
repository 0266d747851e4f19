package trace

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/assay-dev/assay/internal/stat"
)

// A Summary says what a trace holds, so that a person can decide how to replay it.
type Summary struct {
	Kind  string `json:"kind"`
	Stats Stats  `json:"rows"`
	Items int    `json:"requests"`

	Seconds  float64 `json:"seconds"`       // from the first request to the last
	Rate     float64 `json:"rate_per_s"`    // mean
	Peak     float64 `json:"peak_per_s"`    // most in one second
	GapCV    float64 `json:"gap_cv"`        // coefficient of variation of the gaps: 1 for Poisson arrivals, more for bursts
	GapMax   float64 `json:"longest_gap_s"` // seconds
	Distinct int     `json:"distinct_stamps"`
	Grain    float64 `json:"grain_s"`                 // all stamps are multiples of it, from the first on
	Step     float64 `json:"stamp_step_s,omitempty"`  // that a stamp seems to stand for; 0: stamps are fine
	Spread   string  `json:"spread,omitempty"`        // that the kind has of itself
	In       Lengths `json:"prompt_tokens"`           // of the requests that tell
	Out      Lengths `json:"answer_tokens"`           //
	Sessions int     `json:"sessions,omitempty"`      // distinct
	Classes  []Class `json:"classes,omitempty"`       // most frequent first, at most 10
	Others   int     `json:"other_classes,omitempty"` // distinct, beyond these

	BlockTokens int     `json:"block_tokens,omitempty"`
	Blocks      int     `json:"blocks,omitempty"`       // in all prompts
	Reused      float64 `json:"blocks_reused_share"`    // of the blocks, those that an earlier prompt had
	Truncated   bool    `json:"distinct_are_at_least"`  // more blocks or sessions are distinct than could be kept
	TookMean    float64 `json:"took_mean_s,omitempty"`  // as recorded
	TookShare   float64 `json:"took_share,omitempty"`   // of the requests, those that tell
	Unordered   int     `json:"out_of_order,omitempty"` // rows that stood after a later one
}

// Lengths are the tokens of prompts or answers. Quantiles are good to 1 %.
type Lengths struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	Max  float64 `json:"max"`
}

// Class counts the requests of one class.
type Class struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

const (
	maxDistinct = 4 << 20 // blocks or sessions that are told from one another
	topClasses  = 10
)

// Summarize reads the trace as the settings say, but for the spread of coarse stamps, which would hide what it shows.
func (s Settings) Summarize(seed uint64) (*Summary, error) {
	full, k, err := s.filled()
	if err != nil {
		return nil, err
	}
	sum := &Summary{Kind: k.Name}
	if s.Spread == "" && full.Spread != "none" {
		sum.Spread = full.Spread
	}
	if s.Spread == "" {
		s.Spread = "none"
	}
	s.Kind = k.Name
	var c counter
	for it, err := range s.Each(seed, &sum.Stats) {
		if err != nil {
			return nil, err
		}
		c.add(&it)
	}
	c.finish(sum)
	if k.grain > 0 {
		sum.Step = k.grain.Seconds()
	}
	return sum, nil
}

// A counter sees the items of a trace.
type counter struct {
	n, second, inSecond, peak int
	last                      int64
	gaps                      float64 // sum and sum of squares of the gaps, in seconds
	squares                   float64
	longest                   int64
	distinct                  int
	grain                     int64
	steps                     stat.Sketch // gaps between distinct stamps, seconds
	in, out                   stat.Sketch
	sessions, blocks          map[uint64]struct{}
	classes                   map[string]int
	blockTokens, all, again   int
	truncated                 bool
	took                      float64
	told                      int
}

func (c *counter) add(it *Item) {
	if s := int(it.At / 1e9); c.n == 0 || s != c.second {
		c.second, c.inSecond = s, 0
	}
	c.inSecond++
	c.peak = max(c.peak, c.inSecond)
	if gap := it.At - c.last; c.n > 0 {
		s := float64(gap) / 1e9
		c.gaps, c.squares, c.longest = c.gaps+s, c.squares+s*s, max(c.longest, gap)
		if gap > 0 {
			c.distinct++
			c.steps.Add(s)
			c.grain = gcd(c.grain, gap)
		}
	} else {
		c.distinct++
		c.sessions, c.blocks, c.classes = map[uint64]struct{}{}, map[uint64]struct{}{}, map[string]int{}
	}
	c.n++
	c.last = it.At
	if it.In != Unknown {
		c.in.Add(float64(it.In))
	}
	if it.Out != Unknown {
		c.out.Add(float64(it.Out))
	}
	if it.Session != 0 {
		c.seen(c.sessions, it.Session)
	}
	if it.Class != "" {
		c.classes[it.Class]++
	}
	if it.Took > 0 {
		c.told++
		c.took += float64(it.Took) / 1e9
	}
	if len(it.Blocks) > 0 {
		c.blockTokens = it.BlockTokens
	}
	for _, id := range it.Blocks {
		c.all++
		if c.seen(c.blocks, id) {
			c.again++
		}
	}
}

// seen reports whether the id was there, and keeps it.
func (c *counter) seen(set map[uint64]struct{}, id uint64) bool {
	if _, ok := set[id]; ok {
		return true
	}
	if len(set) >= maxDistinct {
		c.truncated = true
		return false
	}
	set[id] = struct{}{}
	return false
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// crowd is how many requests share a stamp on average where stamps are taken for coarse.
const crowd = 1.5

func (c *counter) finish(s *Summary) {
	s.Items, s.Unordered = c.n, s.Stats.Disorder
	s.In, s.Out = lengths(&c.in), lengths(&c.out)
	if c.n == 0 {
		return
	}
	s.Seconds, s.Peak, s.GapMax, s.Distinct = float64(c.last)/1e9, float64(c.peak), float64(c.longest)/1e9, c.distinct
	if c.last > 0 {
		s.Rate = float64(c.n) / s.Seconds
	}
	if n := float64(c.n - 1); n > 1 && c.gaps > 0 {
		mean := c.gaps / n
		s.GapCV = math.Sqrt(max(0, c.squares/n-mean*mean)) / mean
	}
	s.Grain = float64(c.grain) / 1e9
	if c.distinct > 1 && float64(c.n) >= crowd*float64(c.distinct) {
		s.Step = step(c.steps.Quantile(0.1), s.Grain) // a low one: a step may well be empty
	}
	s.Sessions, s.BlockTokens, s.Blocks, s.Truncated = len(c.sessions), c.blockTokens, c.all, c.truncated
	if c.all > 0 {
		s.Reused = float64(c.again) / float64(c.all)
	}
	if c.told > 0 {
		s.TookMean, s.TookShare = c.took/float64(c.told), float64(c.told)/float64(c.n)
	}
	names := slices.SortedFunc(maps.Keys(c.classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.classes[b], c.classes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		if i == topClasses {
			s.Others = len(names) - i
			break
		}
		s.Classes = append(s.Classes, Class{name, c.classes[name]})
	}
}

// step makes a round step of the usual distance between stamps: a whole number of grains, and of seconds or milliseconds where it is near one.
func step(usual, grain float64) float64 {
	for _, unit := range []float64{60, 1, 0.1, 0.01, 0.001} {
		if v := math.Round(usual/unit) * unit; v > 0 && math.Abs(v-usual) <= 0.02*usual {
			return time.Duration(math.Round(v * 1e9)).Seconds()
		}
	}
	return max(grain, math.Round(usual/max(grain, 1e-9))*grain)
}

func lengths(s *stat.Sketch) Lengths {
	if s.N == 0 {
		return Lengths{}
	}
	return Lengths{N: int(s.N), Mean: s.Sum / float64(s.N), P50: math.Round(s.Quantile(0.5)), P95: math.Round(s.Quantile(0.95)), Max: s.Max}
}

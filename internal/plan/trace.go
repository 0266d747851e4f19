package plan

import (
	"math"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// Trace is a recorded trace and what to make of it. A plain text stands for its file.
type Trace struct {
	Kind      string    `yaml:"kind" json:"kind,omitempty" jsonschema:"enum=azure-llm,enum=mooncake,enum=burstgpt,enum=functions-2021,enum=functions-2019,enum=servegen,enum=csv,enum=jsonl,description=Format. Default: found by the first line\\, where it is one of the first five; else where columns are named csv\\, or jsonl by the file's ending."`
	Files     []string  `yaml:"files" json:"files" jsonschema:"minItems=1,description=Files of one trace in order; for servegen one for each client. Relative to the plan's directory."`
	Columns   Columns   `yaml:"columns" json:"columns,omitempty" jsonschema:"description=Which column or member holds what; for csv and jsonl\\, and to change that of other kinds."`
	From      Duration  `yaml:"from" json:"from,omitempty" jsonschema:"description=Begin of the window that is replayed\\, in the trace's time from its first request. Default 0s."`
	To        Duration  `yaml:"to" json:"to,omitempty" jsonschema:"description=End of the window. Default: that of the trace."`
	TimeScale float64   `yaml:"timeScale" json:"timeScale,omitempty" jsonschema:"description=Factor on time: 0.1 replays ten hours in one. Default 1."`
	RateScale float64   `yaml:"rateScale" json:"rateScale,omitempty" jsonschema:"description=Factor on the number of requests\\, at the same times. Default 1."`
	Jitter    *Duration `yaml:"jitter" json:"jitter,omitempty" jsonschema:"description=Most lateness of a copy that rateScale adds. Default 1s."`
	Zero      string    `yaml:"zero" json:"zero,omitempty" jsonschema:"enum=keep,enum=drop,description=What becomes of rows without tokens: keep them with one token or drop them. Default keep."`
	Spread    string    `yaml:"spread" json:"spread,omitempty" jsonschema:"enum=none,enum=even,enum=random,description=How requests with one stamp are spread over the step that it stands for. Default even for kinds with a known step\\, else none."`
	Step      Duration  `yaml:"step" json:"step,omitempty" jsonschema:"description=What a stamp stands for. Default: as the kind says."`
	Max       int       `yaml:"max" json:"max,omitempty" jsonschema:"minimum=1,description=Most requests. Default: no limit."`
}

// Columns say which column or member of a trace holds what; a name that begins with ? may be missing.
type Columns struct {
	Time        string `yaml:"time" json:"time,omitempty" jsonschema:"description=Stamp of the request: a number or a date with a time."`
	Unit        string `yaml:"unit" json:"unit,omitempty" jsonschema:"enum=s,enum=ms,enum=us,enum=ns,description=Unit of numbers in time and took. Default s."`
	In          string `yaml:"in" json:"in,omitempty" jsonschema:"description=Prompt tokens."`
	Out         string `yaml:"out" json:"out,omitempty" jsonschema:"description=Answer tokens."`
	Class       string `yaml:"class" json:"class,omitempty" jsonschema:"description=Tenant\\, model or function."`
	Session     string `yaml:"session" json:"session,omitempty" jsonschema:"description=Session that the request belongs to."`
	Took        string `yaml:"took" json:"took,omitempty" jsonschema:"description=How long the request took."`
	Blocks      string `yaml:"blocks" json:"blocks,omitempty" jsonschema:"description=List of the ids of prefix blocks."`
	BlockTokens int    `yaml:"blockTokens" json:"blockTokens,omitempty" jsonschema:"minimum=1,description=Tokens in a block."`
	End         bool   `yaml:"end" json:"end,omitempty" jsonschema:"description=Time is when the request ended: it began took earlier."`
}

func (t *Trace) short(text string) error {
	t.Files = []string{text}
	return nil
}

// Settings returns the trace as it is read. Its files lie relative to the plan's directory.
func (p *Plan) Settings(t *Trace) trace.Settings {
	c := t.Columns
	s := trace.Settings{Kind: t.Kind, From: t.From.D(), To: t.To.D(), TimeScale: t.TimeScale, RateScale: t.RateScale, Zero: t.Zero, Spread: t.Spread,
		Step: t.Step.D(), Max: t.Max, Columns: trace.Columns{Time: c.Time, Unit: c.Unit, In: c.In, Out: c.Out, Class: c.Class, Session: c.Session,
			Took: c.Took, Blocks: c.Blocks, BlockTokens: c.BlockTokens, End: c.End}}
	s.Paths = p.Paths(t.Files)
	if t.Jitter != nil {
		s.Jitter = max(t.Jitter.D(), 1) // 0 would be the default
	}
	return s
}

// trace checks what can be known of a trace without opening it.
func (c *checker) trace(at string, t *Trace) {
	if len(t.Files) == 0 {
		c.bad(at, "names no file; give files")
	}
	var kinds []string
	for _, k := range trace.Kinds {
		kinds = append(kinds, k.Name)
	}
	if t.Kind != "" {
		c.oneOf(at+".kind", t.Kind, kinds...)
	}
	if t.Kind == "csv" || t.Kind == "jsonl" {
		if t.Columns.Time == "" {
			c.bad(at+".columns", "names no time; say which column of the %s file holds it", t.Kind)
		}
	}
	if t.Columns.Unit != "" {
		c.oneOf(at+".columns.unit", t.Columns.Unit, "s", "ms", "us", "ns")
	}
	if t.Columns.BlockTokens < 0 || t.Columns.BlockTokens > maxTokens {
		c.bad(at+".columns.blockTokens", "%d is out of range; 1 to %d", t.Columns.BlockTokens, maxTokens)
	}
	if t.To != 0 && t.To <= t.From {
		c.bad(at+".to", "%v is not after from, %v", t.To.D(), t.From.D())
	}
	for name, v := range map[string][3]float64{"timeScale": {t.TimeScale, 1e-6, 1e6}, "rateScale": {t.RateScale, 1e-6, 1000}} {
		if v[0] != 0 && !(v[0] >= v[1] && v[0] <= v[2]) {
			c.bad(at+"."+name, "%g is out of range; %g to %g", v[0], v[1], v[2])
		}
	}
	if t.Zero != "" {
		c.oneOf(at+".zero", t.Zero, "keep", "drop")
	}
	if t.Spread != "" {
		c.oneOf(at+".spread", t.Spread, "none", "even", "random")
	}
	if t.Jitter != nil && t.Jitter.D() > time.Hour {
		c.bad(at+".jitter", "%v is out of range; at most 1h", t.Jitter.D())
	}
	if t.Step.D() > 24*time.Hour {
		c.bad(at+".step", "%v is out of range; at most 24h", t.Step.D())
	}
	if t.Max < 0 || t.Max > math.MaxInt32 {
		c.bad(at+".max", "%d is out of range; 1 or more", t.Max)
	}
}

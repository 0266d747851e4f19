package k6

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.k6.io/k6/v2/lib/types"
	"gopkg.in/guregu/null.v3"

	"github.com/assay-dev/assay/internal/trace"
	"github.com/assay-dev/assay/loadgen"
)

// settings are what a scenario can say of its arrival process. Which of them a process takes stands in processes.
type settings struct {
	Rate      float64            `json:"rate,omitempty"`      // iterations per timeUnit at the beginning; in a burst for onoff
	To        null.Float         `json:"to,omitempty"`        // the same at the end; without it the rate stays
	CV        float64            `json:"cv,omitempty"`        // coefficient of variation of the gaps; default 2 without shape
	Shape     float64            `json:"shape,omitempty"`     // of the gaps' distribution; default 0.7 for weibull
	Stages    []stage            `json:"stages,omitempty"`    // one after another
	Even      bool               `json:"even,omitempty"`      // equal gaps within a stage, not Poisson
	Amplitude null.Float         `json:"amplitude,omitempty"` // share of the rate by which it rises and falls; default 0.8
	Period    types.NullDuration `json:"period,omitempty"`    // of the rise and fall; default 24h
	Offset    types.NullDuration `json:"offset,omitempty"`    // where in the period the scenario begins
	On        types.NullDuration `json:"on,omitempty"`        // length of a burst; default 5s
	Off       types.NullDuration `json:"off,omitempty"`       // length of a pause; default 5s
	Base      float64            `json:"base,omitempty"`      // iterations per timeUnit in a pause
	Random    bool               `json:"random,omitempty"`    // exponential lengths of bursts and pauses with these means
	Gap       types.NullDuration `json:"gap,omitempty"`       // first idle gap; default 1s
	Factor    float64            `json:"factor,omitempty"`    // from one gap to the next; default 1.5
	MaxGap    types.NullDuration `json:"maxGap,omitempty"`    // last gap; default 10m
	Repeat    int                `json:"repeat,omitempty"`    // iterations for each gap; default 1
	Trace     *recording         `json:"trace,omitempty"`
}

// A stage is a rate that is held for a time.
type stage struct {
	Rate     float64            `json:"rate"`           // iterations per timeUnit
	Duration types.NullDuration `json:"duration"`       // the ramp included
	Ramp     types.NullDuration `json:"ramp,omitempty"` // at its beginning, from the rate of the stage before
}

// A recording is a recorded workload. Files are found from the directory that k6 runs in.
type recording struct {
	Kind      string             `json:"kind,omitempty"` // a name of trace.Kinds; found by the first line where it can be
	Files     []string           `json:"files"`
	From      types.NullDuration `json:"from,omitempty"` // window of the trace's own time
	Until     types.NullDuration `json:"until,omitempty"`
	TimeScale float64            `json:"timeScale,omitempty"`
	RateScale float64            `json:"rateScale,omitempty"`
	Jitter    types.NullDuration `json:"jitter,omitempty"`
	Zero      string             `json:"zero,omitempty"`   // keep or drop rows without tokens
	Spread    string             `json:"spread,omitempty"` // none, even or random within a step of coarse stamps
	Step      types.NullDuration `json:"step,omitempty"`
	Max       int                `json:"max,omitempty"` // most rows
	Columns   *columns           `json:"columns,omitempty"`
}

// columns name the columns of a csv or jsonl recording.
type columns struct {
	Time        string `json:"time,omitempty"`
	Unit        string `json:"unit,omitempty"`
	In          string `json:"in,omitempty"`
	Out         string `json:"out,omitempty"`
	Class       string `json:"class,omitempty"`
	Session     string `json:"session,omitempty"`
	Took        string `json:"took,omitempty"`
	Blocks      string `json:"blocks,omitempty"`
	BlockTokens int    `json:"blockTokens,omitempty"`
	End         bool   `json:"end,omitempty"`
}

func (r *recording) settings() trace.Settings {
	s := trace.Settings{Kind: r.Kind, Paths: r.Files, From: r.From.TimeDuration(), To: r.Until.TimeDuration(), TimeScale: r.TimeScale, RateScale: r.RateScale,
		Jitter: r.Jitter.TimeDuration(), Zero: r.Zero, Spread: r.Spread, Step: r.Step.TimeDuration(), Max: r.Max}
	if r.Columns != nil {
		s.Columns = trace.Columns(*r.Columns)
	}
	return s
}

// A process is one way to space iterations.
type process struct {
	name  string
	takes []string // settings, by their names in a script
	new   func(s *settings, unit float64) loadgen.Arrivals
}

// processes is the table of them: those of loadgen.ArrivalKinds, where replay has the setting trace and goes by that name too.
var processes = []process{
	{"poisson", []string{"rate", "to"}, func(s *settings, u float64) loadgen.Arrivals { return loadgen.Poisson{Profile: s.profile(u)} }},
	{"even", []string{"rate", "to"}, func(s *settings, u float64) loadgen.Arrivals { return loadgen.Even{Profile: s.profile(u)} }},
	{"gamma", []string{"rate", "to", "cv", "shape"}, func(s *settings, u float64) loadgen.Arrivals {
		g := loadgen.Gamma{Profile: s.profile(u), CV: s.CV, Shape: s.Shape}
		if g.CV == 0 && g.Shape == 0 {
			g.CV = 2
		}
		return g
	}},
	{"weibull", []string{"rate", "to", "shape"}, func(s *settings, u float64) loadgen.Arrivals {
		return loadgen.Weibull{Profile: s.profile(u), Shape: or(s.Shape, 0.7)}
	}},
	{"stages", []string{"stages", "even"}, func(s *settings, u float64) loadgen.Arrivals {
		a := loadgen.Stages{Even: s.Even}
		for _, g := range s.Stages {
			a.Stages = append(a.Stages, loadgen.Stage{Rate: g.Rate / u, For: g.Duration.TimeDuration(), Ramp: g.Ramp.TimeDuration()})
		}
		return a
	}},
	{"diurnal", []string{"rate", "amplitude", "period", "offset"}, func(s *settings, u float64) loadgen.Arrivals {
		a := loadgen.Diurnal{Rate: s.Rate / u, Amplitude: 0.8, Period: length(s.Period, 24*time.Hour), Offset: s.Offset.TimeDuration()}
		if s.Amplitude.Valid {
			a.Amplitude = s.Amplitude.Float64
		}
		return a
	}},
	{"onoff", []string{"rate", "base", "on", "off", "random"}, func(s *settings, u float64) loadgen.Arrivals {
		return loadgen.OnOff{Rate: s.Rate / u, Base: s.Base / u, On: length(s.On, 5*time.Second), Off: length(s.Off, 5*time.Second), Random: s.Random}
	}},
	{"ladder", []string{"gap", "factor", "maxGap", "repeat"}, func(s *settings, _ float64) loadgen.Arrivals {
		return loadgen.Ladder{Start: s.Gap.TimeDuration(), Factor: s.Factor, Max: s.MaxGap.TimeDuration(), Repeat: s.Repeat}
	}},
	{"trace", []string{"trace"}, replay},
	{"replay", []string{"trace"}, replay},
}

func replay(s *settings, _ float64) loadgen.Arrivals {
	if s.Trace == nil {
		return loadgen.Replay{}
	}
	return loadgen.Replay{Trace: s.Trace.settings()}
}

func or(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

func length(d types.NullDuration, otherwise time.Duration) time.Duration {
	if !d.Valid {
		return otherwise
	}
	return d.TimeDuration()
}

func (s *settings) profile(unit float64) loadgen.Profile {
	p := loadgen.Profile{Rate: s.Rate / unit}
	if s.To.Valid {
		to := s.To.Float64 / unit
		p.To = &to
	}
	return p
}

func processOf(name string) (*process, error) {
	var names []string
	for i := range processes {
		if processes[i].name == name {
			return &processes[i], nil
		}
		names = append(names, processes[i].name)
	}
	return nil, fmt.Errorf("process %q is unknown; want one of %s", name, strings.Join(names, ", "))
}

// owners returns the processes that take a setting; none where every scenario may have it.
func owners(setting string) []string {
	var names []string
	for _, p := range processes {
		if slices.Contains(p.takes, setting) {
			names = append(names, p.name)
		}
	}
	return names
}

// foreign refuses the settings in raw that belong to other processes only.
func (p *process) foreign(raw []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if names := owners(key); string(given[key]) != "null" && len(names) > 0 && !slices.Contains(names, p.name) {
			return fmt.Errorf("%s: process %s does not take it; %s does", key, p.name, strings.Join(names, " or "))
		}
	}
	return nil
}

// lasts returns how long the process lasts by itself; 0 where only the scenario can say. A trace without a window is read to its end.
func lasts(a loadgen.Arrivals, seed uint64) (time.Duration, error) {
	switch a := a.(type) {
	case loadgen.Lasting:
		return a.Lasts(), nil
	case loadgen.Replay:
		phases := []loadgen.Phase{{Name: "trace", Arrivals: a}}
		s, err := loadgen.NewSchedule(phases, seed)
		if err != nil {
			return 0, err
		}
		return s.Duration(), nil
	}
	return 0, nil
}

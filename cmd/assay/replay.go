package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/internal/promrules"
)

// replayOptions are the flags of assess about the replay of rules.
type replayOptions struct {
	files []string
	every time.Duration
	speed float64
	past  bool
	told  func() bool // whether --healthy-past was given
}

func (o *replayOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.files, "rules", nil, "file of Prometheus rules to replay on the run; repeatable")
	f.DurationVar(&o.every, "rule-interval", 0, "between evaluations of groups without an interval, and between samples of series made of requests. Default 15s, or more in a long run")
	f.Float64Var(&o.speed, "speed", 1, "divide all times of the rules by this, to try rules over hours on a run of minutes; labelled as such")
	f.BoolVar(&o.past, "healthy-past", false, "replay as if all requests before the run had been good, for as long as the rules look back: how late the alert would be in production. "+
		"Default: the rules of promises so, those of --rules over what there is; --healthy-past=false: all over what there is")
	o.told = func() bool { return f.Changed("healthy-past") }
}

// asked adds the replay to what is asked for; d stays as it is where no flag is given.
func (o *replayOptions) asked(d *demands) (*demands, error) {
	switch {
	case o.every < 0 || o.every > 0 && o.every < 100*time.Millisecond || o.every > time.Hour:
		return nil, exit(assay.ExitUsage, "--rule-interval %v is out of range; 100ms to 1h", o.every)
	case !(o.speed >= 1 && o.speed <= 100_000):
		return nil, exit(assay.ExitUsage, "--speed %g is out of range; 1 to 100000", o.speed)
	case len(o.files) == 0 && o.every == 0 && o.speed == 1 && !o.told():
		return d, nil
	}
	if d == nil {
		d = &demands{}
	}
	d.replay = &analyzers.Replay{Every: o.every, Speed: o.speed, Past: o.before()}
	for _, file := range o.files {
		groups, err := promrules.ReadFile(file)
		if err != nil {
			return nil, &status{assay.ExitUsage, err}
		}
		d.replay.Files = append(d.replay.Files, analyzers.RuleFile{Name: file, Groups: groups})
	}
	return d, nil
}

// before is what was before the run.
func (o *replayOptions) before() analyzers.Past {
	switch {
	case !o.told():
		return analyzers.OwnPast
	case o.past:
		return analyzers.GoodPast
	}
	return analyzers.NoPast
}

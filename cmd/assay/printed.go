package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assay-dev/assay/internal/plan"
)

// printed is a flag of a duration that reads what is printed: 43.2 min, 2 days as 2d.
type printed struct{ pflag.Value }

// Set reads a duration.
func (p printed) Set(text string) error {
	d, err := plan.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration; write for example 800ms, 30s, 5min or 2d", text)
	}
	return p.Value.Set(d.String())
}

// readPrinted lets all flags of durations of a command and of those below it read what is printed.
func readPrinted(c *cobra.Command) {
	for _, set := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		set.VisitAll(func(f *pflag.Flag) {
			if _, is := f.Value.(printed); !is && f.Value.Type() == "duration" {
				f.Value = printed{f.Value}
				if f.DefValue == "0s" {
					f.DefValue = "0" // a default that help does not show
				}
			}
		})
	}
	for _, below := range c.Commands() {
		readPrinted(below)
	}
}

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

func calibrateCommand(io stdio) *cobra.Command {
	var most, output string
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure what this machine can send, and stamp it on its reports",
		Long: "Sends to a built-in streaming server on loopback, in a process of its own, at rates that double every 0.7 s until sends are more than 1 ms late at p99, some requests fail, or not all leave; at most about fifteen seconds. " +
			"It reports what a request and an event of a streamed answer cost this process, and the highest rate that was on time, and keeps them for this machine: later reports carry them, and a plan that asks for more is doubted.\n\n" +
			"Run it on an otherwise idle machine: what else runs shows as lateness. The target of a real run is on another machine; where it shares this one, less is safe.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r plan.Rate
			if err := r.UnmarshalText([]byte(most)); err != nil {
				return exit(assay.ExitUsage, "--most: %v", err)
			}
			if r <= 0 {
				return exit(assay.ExitUsage, "--most: %s is no rate to try; more than 0/s", most)
			}
			if output != "text" && output != "json" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			c, err := measureMachine(cmd.Context(), float64(r))
			if err != nil {
				return &status{assay.ExitError, err}
			}
			stamp := &assay.Calibration{Date: time.Now().UTC().Format(time.DateOnly), PerRequest: int64(c.PerRequest), PerEvent: int64(c.PerEvent), SafeRate: c.SafeRate,
				Late: int64(c.LateP99), Beyond: c.Beyond, Version: version()}
			file, err := keep(stamp)
			if err != nil {
				return &status{assay.ExitError, err}
			}
			if output == "json" {
				return printJSON(io, map[string]any{"calibration": stamp, "steps": c.Steps, "file": file})
			}
			printCalibration(io, c)
			fmt.Fprintf(io.out, "kept in     %s\n", file)
			return nil
		},
	}
	cmd.Flags().StringVar(&most, "most", "100000/s", "highest rate to try")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printCalibration(io stdio, c loadgen.Calibration) {
	if c.PerRequest > 0 {
		fmt.Fprintf(io.out, "cost        %v of CPU a request, whose answer of 16 tokens comes in one piece; %v an event of an answer that comes one by one\n",
			c.PerRequest.Round(100*time.Nanosecond), c.PerEvent.Round(100*time.Nanosecond))
	}
	switch {
	case c.SafeRate == 0:
		fmt.Fprintf(io.out, "safe rate   none that was tried: %s\n", c.Beyond)
	case c.Beyond == "":
		fmt.Fprintf(io.out, "safe rate   %.0f/s and more: sends %v late at p50, %v at p99\n", c.SafeRate, c.LateP50.Round(time.Microsecond), c.LateP99.Round(time.Microsecond))
	default:
		fmt.Fprintf(io.out, "safe rate   %.0f/s: sends %v late at p50, %v at p99; %s\n", c.SafeRate, c.LateP50.Round(time.Microsecond), c.LateP99.Round(time.Microsecond), c.Beyond)
	}
	var parts []string
	for _, s := range c.Steps {
		parts = append(parts, fmt.Sprintf("%.0f/s %v", s.Rate, s.LateP99.Round(time.Microsecond)))
	}
	fmt.Fprintf(io.out, "tried       %s (late at p99)\n", strings.Join(parts, ", "))
}

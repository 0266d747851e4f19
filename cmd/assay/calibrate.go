package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

func calibrateCommand(io stdio) *cobra.Command {
	var rate, output string
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure what this machine can send, against a built-in server that answers at once",
		Long: "Sends to a built-in streaming server on loopback for at most a second, at one and a half times the rate, and reports how late the sends were and what one " +
			"costs. Run it on an otherwise idle machine: what else runs shows as lateness.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r plan.Rate
			if err := r.UnmarshalText([]byte(rate)); err != nil {
				return exit(assay.ExitUsage, "--rate: %v", err)
			}
			if output != "text" && output != "json" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			c, err := loadgen.Calibrate(cmd.Context(), float64(r))
			if err != nil {
				return &status{assay.ExitError, err}
			}
			if output == "json" {
				return printJSON(io, map[string]any{"rate_per_s": c.Rate, "sent": c.Sent, "failed": c.Failed, "late_p50_ns": c.LateP50, "late_p99_ns": c.LateP99,
					"cpu_per_request_ns": c.CPU, "safe_rate_per_s": c.SafeRate})
			}
			fmt.Fprintf(io.out, "tried       %.0f requests/s of 16 streamed tokens: %d sent, %d failed\n", c.Rate, c.Sent, c.Failed)
			fmt.Fprintf(io.out, "lateness    p50 %v, p99 %v from the planned instant to the socket write (n=%d)\n", c.LateP50, c.LateP99, c.Sent)
			if c.SafeRate > 0 {
				fmt.Fprintf(io.out, "cost        at most %v of CPU a request, the built-in server included\n", c.CPU)
				fmt.Fprintf(io.out, "safe rate   about %.0f requests/s leave half of this machine free\n", c.SafeRate)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&rate, "rate", "1000/s", "rate to calibrate for")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

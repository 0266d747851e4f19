package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/merge"
	"github.com/assay-dev/assay/internal/store"
)

func mergeCommand(io stdio) *cobra.Command {
	var out, output string
	var opt merge.Options
	cmd := &cobra.Command{
		Use:   "merge DIR... --out DIR",
		Short: "Make one run of the runs that the processes of a distributed k6 test left",
		Long: "Merges the runs of several assay-k6 processes, each of which played its execution segment of one script, into one run: request by request, so that every figure of the " +
			"whole is exact. Runs of different scripts, schedules, seeds or targets are refused, and so are segments that overlap or, without --partial, do not make up the whole.",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			taken, err := merge.Runs(ctx, args, out, opt)
			switch {
			case ctx.Err() != nil:
				return exit(assay.ExitInterrupted, "interrupted; %s is incomplete", out)
			case errors.Is(err, store.ErrNotARun) || err != nil && taken == nil:
				return &status{assay.ExitUsage, err}
			case err != nil:
				return &status{assay.ExitError, err}
			}
			if output == "json" {
				return printJSON(io, taken)
			}
			w := tabwriter.NewWriter(io.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "SEGMENT\tHOST\tREQUESTS\tBEGAN AFTER\tCLOCK\tRUN")
			total := int64(0)
			for _, t := range taken {
				fmt.Fprintf(w, "%s\t%s\t%d\t%v\t±%v\t%s\n", t.Segment, t.Host, t.Requests, time.Duration(t.Shift).Round(time.Microsecond), time.Duration(t.ClockError), t.Dir)
				total += t.Requests
			}
			fmt.Fprintf(w, "0:1\t\t%d\t\t\t%s\n", total, out)
			if err := w.Flush(); err != nil {
				return &status{assay.ExitError, err}
			}
			fmt.Fprintf(io.err, "assay assess %s computes its report\n", out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "directory of the merged run, which must not exist yet or be empty")
	f.BoolVar(&opt.Partial, "partial", false, "merge although segments are missing; the run is then invalid")
	f.DurationVar(&opt.ClockError, "clock-error", time.Second, "how far the wall clock of a machine may be off whose kernel does not know it to be synchronized")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

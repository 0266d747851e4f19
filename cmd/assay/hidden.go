package main

import (
	"context"
	goio "io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/sandbox"
	"github.com/assay-dev/assay/internal/sandbox/worker"
	"github.com/assay-dev/assay/loadgen"
)

// hidden returns the commands that assay starts itself as.
func hidden(io stdio) []*cobra.Command {
	sub := func(name, short string, fn func(ctx context.Context) error) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fn(cmd.Context()); err != nil {
				return &status{assay.ExitError, err}
			}
			return nil
		}}
	}
	stop := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	}
	return []*cobra.Command{
		sub("x-guardian", "undo faults and end processes when the run dies", func(ctx context.Context) error {
			return chaos.GuardianMain(ctx, io.in, io.out, chaos.GuardianOptions{})
		}),
		{Use: chaos.BurnCommand, Short: "use up CPU time or memory", Hidden: true, Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			if err := chaos.BurnMain(cmd.Context(), io.in, args); err != nil {
				return &status{assay.ExitError, err}
			}
			return nil
		}},
		{Use: chaos.ReadsCommand, Short: "serve files badly", Hidden: true, Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			if err := chaos.ReadsMain(cmd.Context(), io.in, args); err != nil {
				return &status{assay.ExitError, err}
			}
			return nil
		}},
		{Use: chaos.OpenCommand, Short: "open a device from within a control group", Hidden: true, Args: cobra.ExactArgs(2), RunE: func(_ *cobra.Command, args []string) error {
			if err := chaos.OpenMain(io.out, args); err != nil {
				return &status{assay.ExitError, err}
			}
			return nil
		}},
		sub(noopCommand, "the server that a calibration sends to", func(ctx context.Context) error {
			ctx, cancel := stop(ctx)
			defer cancel()
			ctx, gone := context.WithCancel(ctx)
			defer gone()
			go func() { // whoever calibrates holds our standard input open
				_, _ = goio.Copy(goio.Discard, io.in)
				gone()
			}()
			if err := worker.Renice(19); err != nil {
				return err
			}
			return loadgen.ServeNoop(ctx, io.out)
		}),
		sub(sandbox.PlatformCommand, "the sandbox's gateway and autoscaler", func(ctx context.Context) error {
			ctx, cancel := stop(ctx)
			defer cancel()
			return sandbox.PlatformChild(ctx, io.in, io.out, io.err)
		}),
		sub(sandbox.WorkerCommand, "one model worker of the sandbox", func(ctx context.Context) error {
			// Ctrl-C reaches the whole process group; the platform decides when its workers stop.
			signal.Ignore(os.Interrupt)
			ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
			defer cancel()
			return sandbox.WorkerMain(ctx, io.out, io.err)
		}),
	}
}

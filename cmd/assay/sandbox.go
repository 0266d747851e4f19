package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sandbox"
)

func sandboxCommand(io stdio) *cobra.Command {
	var listen, admin, dial, model, otlp, truth string
	var maxScale int
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the embedded platform in the foreground, to try things against",
		Long: "Runs a miniature serverless model platform on loopback: gateway with an OpenAI-compatible API, autoscaler, and model workers as processes that really compute. " +
			"It prints its addresses as one line of JSON and runs until Ctrl-C. The model's text is noise; its accelerator metrics are simulated.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := sandbox.Defaults()
			if dial != "" {
				d, ok := dialNamed(dial)
				if !ok {
					return exit(assay.ExitUsage, "--dial %q is unknown; assay list dial names them", dial)
				}
				c = d.Config
			}
			if cmd.Flags().Changed("model") {
				c.Model = model
			}
			if cmd.Flags().Changed("max-scale") {
				c.MaxScale = maxScale
				c.ActivationScale = min(c.ActivationScale, maxScale)
			}
			c.Listen, c.AdminListen, c.OTLPEndpoint, c.TruthDir = listen, admin, otlp, truth
			if err := c.Validate(); err != nil {
				return &status{assay.ExitUsage, err}
			}
			if err := os.MkdirAll(c.WeightsDir, 0o755); err != nil {
				return &status{assay.ExitPreflight, fmt.Errorf("make the weights' directory: %w", err)}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := sandbox.PlatformMain(ctx, c, io.out, io.err); err != nil {
				return &status{assay.ExitPreflight, err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "address of the gateway; port 0 picks one")
	f.StringVar(&admin, "admin", "127.0.0.1:0", "address of the admin server: events, instances, links, metrics")
	f.StringVar(&dial, "dial", "", "a configuration whose bottleneck is known: compute, memory, storage, network, concurrency or cold_start")
	f.StringVar(&model, "model", "tiny", "size of the model: tiny, small or base")
	f.IntVar(&maxScale, "max-scale", 2, "most instances")
	f.StringVar(&otlp, "otlp", "", "http URL to send spans to, for example http://127.0.0.1:4318")
	f.StringVar(&truth, "truth", "", "directory for the log of what really happened")
	return cmd
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sandbox"
)

func sandboxCommand(io stdio) *cobra.Command {
	var listen, admin, dial, kind, model, scheduling, otlp, truth string
	var tenants []string
	var maxScale int
	var window time.Duration
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the embedded platform in the foreground, to try things against",
		Long: "Runs a miniature serverless model platform on loopback: gateway, autoscaler, and model workers as processes that really compute. " +
			"Its models are language models with an OpenAI-compatible API, or with --kind vision image classifiers that speak KServe v1 and Open Inference. " +
			"It prints its addresses as one line of JSON and runs until Ctrl-C. The answers are noise; its accelerator metrics are simulated.",
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
			if cmd.Flags().Changed("batch-window") {
				if c.BatchWindow = window; window == 0 {
					c.BatchWindow = -1 // the sandbox's word for none
				}
			}
			for _, text := range tenants {
				t, err := tenant(text)
				if err != nil {
					return exit(assay.ExitUsage, "--tenant %q: %v", text, err)
				}
				c.Tenants = append(c.Tenants, t)
			}
			c.Kind, c.Scheduling = kind, scheduling
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
	f.StringVar(&kind, "kind", sandbox.KindLLM, "kind of model: llm or vision")
	f.StringVar(&model, "model", "tiny", "size of the model: nano, tiny, small or base")
	f.DurationVar(&window, "batch-window", 2*time.Millisecond, "for vision: longest wait of an image for its batch to fill")
	f.IntVar(&maxScale, "max-scale", 2, "most instances")
	f.StringVar(&scheduling, "scheduling", "", "how the gateway chooses: "+strings.Join(sandbox.Schedulings(), ", "))
	f.StringArrayVar(&tenants, "tenant", nil, "a tenant by the header "+sandbox.TenantHeader+", as name[:share[:priority[:queue limit]]]; repeatable")
	f.StringVar(&otlp, "otlp", "", "http URL to send spans to, for example http://127.0.0.1:4318")
	f.StringVar(&truth, "truth", "", "directory for the log of what really happened")
	return cmd
}

// tenant reads name[:share[:priority[:queue limit]]].
func tenant(text string) (t sandbox.Tenant, err error) {
	parts := strings.Split(text, ":")
	t.Name = parts[0]
	for i, part := range parts[1:] {
		switch i {
		case 0:
			t.Share, err = strconv.ParseFloat(part, 64)
		case 1:
			t.Priority, err = strconv.Atoi(part)
		case 2:
			t.QueueLimit, err = strconv.Atoi(part)
		default:
			return t, errors.New("want name[:share[:priority[:queue limit]]]")
		}
		if err != nil {
			return t, fmt.Errorf("%q is not a number; want name[:share[:priority[:queue limit]]]", part)
		}
	}
	return t, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
)

// run executes the command line and returns the exit status.
func run(ctx context.Context, stdout, stderr io.Writer, args []string) int {
	root := &cobra.Command{
		Use:           "assay-score",
		Short:         "Scores of assay's statistics on labelled data and simulations",
		Long:          "assay-score shows how far the statistics of assay can be trusted, on data and simulations whose truth is known.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(gateCommand(stdout), changePointsCommand(stdout), coverageCommand(stdout))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return assay.ExitGo
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "assay-score: %s\n", strings.TrimRight(line, "\n"))
	}
	return assay.ExitUsage
}

// score is what a subcommand found: it goes to JSON as it is, and to people as a table.
type score interface {
	table(w io.Writer)
}

// scoring adds --output to a command that computes a score.
func scoring(cmd *cobra.Command, stdout io.Writer, compute func(ctx context.Context, args []string) (score, error)) *cobra.Command {
	var output string
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if output != "text" && output != "json" {
			return fmt.Errorf("--output %q is unknown; text or json", output)
		}
		s, err := compute(cmd.Context(), args)
		if err != nil {
			return err
		}
		if output == "json" {
			enc := json.NewEncoder(stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(s)
		}
		tw := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
		s.table(tw)
		return tw.Flush()
	}
	return cmd
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
)

func schemaCommand(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of a plan",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			raw, err := plan.Schema()
			if err != nil {
				return &status{assay.ExitError, err}
			}
			_, err = io.out.Write(raw)
			return err
		},
	}
}

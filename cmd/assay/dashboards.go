package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards/grafana"
)

func dashboardsCommand(io stdio) *cobra.Command {
	var o grafana.Options
	cmd := &cobra.Command{
		Use:   "dashboards DIR",
		Short: "Write the Grafana dashboards and what provisions them into DIR",
		Long: "Writes the Grafana dashboards with a data source, a dashboard provider and the scrape configuration they expect. They show a run while it runs: " +
			"start it with --metrics 127.0.0.1:9464 and let Prometheus scrape that.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := grafana.Export(args[0], o)
			if err != nil {
				return &status{assay.ExitError, err}
			}
			for _, f := range files {
				fmt.Fprintln(io.out, f)
			}
			return nil
		},
	}
	cmd.AddCommand(rulesCommand(io))
	f := cmd.Flags()
	f.StringVar(&o.Prometheus, "prometheus", "", "URL of the Prometheus that Grafana asks")
	f.StringVar(&o.Dashboards, "path", "", "directory of the dashboards as Grafana sees it")
	f.StringVar(&o.Live, "live", "", "address of the run's live metrics")
	return cmd
}

package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/openslo"
	"github.com/assay-dev/assay/internal/promrules"
	"github.com/assay-dev/assay/internal/store"
)

func rulesCommand(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "rules PLAN|OPENSLO-FILE|DIR...",
		Short: "Write the Prometheus rules of promises: recordings of burn rates, and alerts for a page and a ticket",
		Long: "Writes to standard output the rules of the promises of plans (objectives with a target, and the OpenSLO files they name), of OpenSLO files, or of runs: recordings, meta recordings and multiwindow, " +
			"multi-burn-rate alerts, under the names and labels that Sloth gives them. Promises about our own requests are asked of the metrics that `assay run --metrics` serves. " +
			"What they would have done in a run is in its report; of other rules ask `assay assess DIR --rules FILE`.",
		Example: "  assay dashboards rules plan.yaml > slo.rules.yaml && promtool check rules slo.rules.yaml\n  assay dashboards rules slos.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var all []assay.SLO
			var more []string
			for _, arg := range args {
				slos, notes, err := promisesIn(arg)
				if err != nil {
					return err
				}
				if err := distinct(all, slos); err != nil {
					return &status{assay.ExitUsage, err}
				}
				all, more = append(all, slos...), append(more, notes...)
			}
			groups, notes := promrules.Generate(all)
			notes = append(more, notes...)
			if len(groups) == 0 {
				for _, n := range notes {
					fmt.Fprintf(io.err, "assay: %s\n", n)
				}
				return exit(assay.ExitUsage, "%s: no rules, since nothing is promised; an objective of a plan promises with target, for example {metric: availability, target: 99.9%%, window: 30d}", args[0])
			}
			raw, err := promrules.Write(groups, notes)
			if err != nil {
				return &status{assay.ExitError, err}
			}
			_, err = io.out.Write(raw)
			return err
		},
	}
}

// promisesIn returns the promises of a plan, an OpenSLO file or a run.
func promisesIn(path string) ([]assay.SLO, []string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		run, err := store.Open(path)
		if err != nil {
			return nil, nil, openError(err)
		}
		defer run.Close()
		return run.Manifest().SLOs, nil, nil
	}
	head, err := headOf(path)
	if err != nil {
		return nil, nil, &status{assay.ExitUsage, fmt.Errorf("read promises: %w", err)}
	}
	if openslo.Is(head) {
		set, err := openslo.ReadFiles("", path)
		if err != nil {
			return nil, nil, &status{assay.ExitUsage, err}
		}
		return set.SLOs, set.Notes, nil
	}
	p, _, err := load(path)
	if err != nil {
		return nil, nil, err
	}
	return p.Promises(), nil, nil
}

// headOf returns how a file begins.
func headOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, err := f.Read(head)
	if n == 0 && err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return bytes.TrimPrefix(head[:n], []byte("\ufeff")), nil
}

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/mesh"
)

func chaosCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "chaos", Short: "What the faults of a plan are made of", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(manifestsCommand(io), toolkitCommand(io))
	return cmd
}

func manifestsCommand(io stdio) *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "manifests PLAN",
		Short: "Print the objects of Chaos Mesh that a plan would apply",
		Long: "Prints, as YAML, the objects of Chaos Mesh that a run of PLAN would apply, and applies nothing. It needs no cluster: where a run names the pods that it has chosen, " +
			"the pods' selector stands. With --live it asks the cluster which pods are ready, which needs the right to list them and no right to write.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, _, err := load(args[0])
			if err != nil {
				return err
			}
			d := p.Target.Deployment
			if d == nil || d.Kubernetes == nil {
				return exit(assay.ExitUsage, "target.deployment.kubernetes: is missing: without it nothing of the plan is done by Chaos Mesh")
			}
			namespace := or(d.Kubernetes.Namespace, "default")
			if driver, err := meshDriver(p, ""); err == nil { // a kubeconfig, if there is one, may know better
				namespace = driver.Namespace
			}
			var victims []chaos.Victim
			if live {
				ctx, cancel := context.WithTimeout(cmd.Context(), askLimit)
				defer cancel()
				driver, err := meshDriver(p, "")
				if err != nil {
					return &status{assay.ExitPreflight, err}
				}
				namespace = driver.Namespace
				if victims, _, err = driver.Victims(ctx, &chaos.Step{Fault: "kill", By: chaos.ByMesh}); err != nil {
					return &status{assay.ExitPreflight, fmt.Errorf("target.deployment.kubernetes: %w", err)}
				}
				if len(victims) == 0 {
					return exit(assay.ExitPreflight, "target.deployment.kubernetes: no pod %s in %s is ready", d.Kubernetes.Pods, namespace)
				}
			}
			list, err := chaos.MeshManifests(steps(p), namespace, d.Kubernetes.Pods, victims)
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			for i, m := range list {
				if i > 0 {
					fmt.Fprintln(io.out, "---")
				}
				raw, err := mesh.YAML(m.Object)
				if err != nil {
					return &status{assay.ExitError, err}
				}
				fmt.Fprintf(io.out, "# fault %s: %s\n%s", m.Fault, m.Note, raw)
			}
			if len(list) == 0 {
				fmt.Fprintln(io.err, "no fault of the plan is done by Chaos Mesh")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask the cluster which pods are ready")
	return cmd
}

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/openslo"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/stat"
)

func kinds() plan.Kinds {
	k := plan.Kinds{Metrics: analyzers.Lookup}
	for _, f := range chaos.Kinds() {
		k.Faults = append(k.Faults, plan.FaultKind{Name: f.Name, NeedsFor: f.Lasting, Platform: f.Platform, By: f.By(), NeedsEnd: f.NeedsEnd(), Available: f.Available(), Refuses: refuses})
	}
	for _, d := range analyzers.Describe() {
		k.Known = append(k.Known, d.Metric)
	}
	return k
}

// load reads a plan, or the built-in one where path is empty, and checks it against the parts.
func load(path string) (*plan.Plan, []assay.Objective, error) {
	var p *plan.Plan
	var err error
	if path == "" {
		p, err = plan.Parse("built-in plan", plan.Builtin())
	} else {
		p, err = plan.Read(path)
	}
	if err != nil {
		return nil, nil, &status{assay.ExitUsage, err}
	}
	return complete(p)
}

// complete checks a plan that was read against the parts.
func complete(p *plan.Plan) (*plan.Plan, []assay.Objective, error) {
	objectives, err := p.Validate(kinds())
	if err != nil {
		return nil, nil, &status{assay.ExitUsage, err}
	}
	promised, err := openSLO(p)
	if err != nil {
		return nil, nil, &status{assay.ExitUsage, err}
	}
	objectives = append(objectives, promised...)
	if err := affordable(p); err != nil {
		return nil, nil, &status{assay.ExitUsage, err}
	}
	if err := checkFaults(p); err != nil {
		return nil, nil, &status{assay.ExitUsage, err}
	}
	if p.Target.Kind == "sandbox" {
		if _, err := deployment(p); err != nil {
			return nil, nil, &status{assay.ExitUsage, err}
		}
	}
	if err := tryClient(p); err != nil {
		return nil, nil, &status{assay.ExitUsage, err}
	}
	return p, objectives, nil
}

// validatePromises checks an OpenSLO file, which is no plan: it says what it promises and what of it has no use.
func validatePromises(io stdio, path string) error {
	set, err := openslo.ReadFiles("", path)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	fmt.Fprintf(io.out, "%s: an OpenSLO file of %s; a plan names it under slo, and assess and import take it as --slo\n", path, dashboards.Things(len(set.SLOs), "promises"))
	for i := range set.SLOs {
		s := &set.SLOs[i]
		line := fmt.Sprintf("  %s: %g %%", s.Name, 100*s.Target)
		if s.Unmapped != "" {
			line += ", which no run can judge: " + s.Unmapped
		}
		fmt.Fprintln(io.out, line)
	}
	for _, n := range set.Notes {
		fmt.Fprintln(io.out, "  "+n)
	}
	return nil
}

func validateCommand(io stdio) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "validate [PLAN]",
		Short: "Check a plan, and whether its sample can decide each objective",
		Long:  "Checks a plan without touching anything; without PLAN, the built-in one. It also says what the plan will do and whether its sample can decide each objective.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := ""
			if len(args) == 1 {
				path = args[0]
			}
			if head, err := headOf(path); err == nil && path != "" && openslo.Is(head) {
				return validatePromises(io, path)
			}
			p, objectives, err := load(path)
			if err != nil {
				return err
			}
			load, err := outlook(p)
			if err != nil {
				return err
			}
			e := p.Estimate(objectives, stat.LeastN, load.expected())
			costs, err := costings(p)
			if err != nil {
				return &status{assay.ExitUsage, err}
			}
			doubts := slices.Concat(load.calibrationDoubts(calibrated()), k6Doubts(p), p.Doubts(load.expected()))
			switch output {
			case "json":
				return printJSON(io, struct {
					plan.Estimate
					Load    *loadOutlook
					Budget  []costing
					Doubts  []string `json:",omitempty"`
					Preview []string `json:",omitempty"` // what the faults will do, a line each
				}{e, load, costs, doubts, append(previewSuite(p), previewFaults(p)...)})
			case "text":
			default:
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			fmt.Fprintf(io.out, "%s: valid\n", p.Name)
			fmt.Fprintf(io.out, "  target    %s\n", targetName(p))
			load.print(io.out, e)
			printCostings(io.out, costs)
			for _, doubt := range doubts {
				fmt.Fprintf(io.out, "  doubt     %s\n", doubt)
			}
			for _, s := range e.Searches {
				fmt.Fprintf(io.out, "  search    %s: %s\n", s.Phase, s.Why)
			}
			fmt.Fprintf(io.out, "  faults    %d\n", e.Faults)
			for _, line := range append(previewSuite(p), previewFaults(p)...) {
				fmt.Fprintf(io.out, "            %s\n", line)
			}
			printCare(io.out, p)
			for _, d := range e.Objectives {
				verdict := "can be decided"
				if !d.OK {
					verdict = "CANNOT be decided"
				}
				fmt.Fprintf(io.out, "  %s %s: %s: %s\n", objectiveName(d.Objective), dashboards.Goal(d.Objective, d.Objective.Unit), verdict, d.Why)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func objectiveName(o assay.Objective) string {
	var b strings.Builder
	b.WriteString(o.Metric)
	for _, k := range []string{"phase", "fault", "class", "cold", "by", "forced", "slo"} {
		if v := o.Labels[k]; v != "" {
			fmt.Fprintf(&b, " %s=%s", k, v)
		}
	}
	return b.String()
}

// targetName names the target as reports show it, without credentials.
func targetName(p *plan.Plan) string {
	if p.Target.Kind == "sandbox" {
		if d := p.Target.Sandbox.Dial; d != "" {
			return "sandbox, dial " + d
		}
		if p.Target.Sandbox.Kind == "vision" {
			return "sandbox, image classifier " + p.Target.Model
		}
		return "sandbox, model " + p.Target.Model
	}
	name := urlOf(&p.Target)
	if p.Target.Model != "" {
		name += ", model " + p.Target.Model
	}
	return name
}

func printJSON(io stdio, v any) error {
	enc := json.NewEncoder(io.out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return &status{assay.ExitError, fmt.Errorf("encode: %w", err)}
	}
	return nil
}

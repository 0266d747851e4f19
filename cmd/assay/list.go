package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/cloud"
	"github.com/assay-dev/assay/collectors/front"
	"github.com/assay-dev/assay/collectors/gpu"
	"github.com/assay-dev/assay/collectors/importers"
	"github.com/assay-dev/assay/collectors/kubernetes"
	"github.com/assay-dev/assay/collectors/logs"
	"github.com/assay-dev/assay/collectors/probes"
	"github.com/assay-dev/assay/collectors/recorded"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/sandbox"
	"github.com/assay-dev/assay/loadgen"
)

type listed struct {
	Part   string `json:"part"`
	Name   string `json:"name"`
	Help   string `json:"help"`
	Proven string `json:"proven,omitempty"` // how an integration was shown to work
	Here   string `json:"here,omitempty"`   // why it is not available on this machine
}

// everything lists what the parts offer, in the order of the tables.
func everything() []listed {
	var out []listed
	for _, k := range chaos.Kinds() {
		l := listed{Part: "fault", Name: k.Name, Help: k.Help + " By " + strings.Join(k.By(), ", ") + ".", Proven: k.Proof()}
		if err := k.Available(); err != nil {
			l.Here = err.Error()
		}
		out = append(out, l)
	}
	for _, k := range slices.Concat(collectors.Kinds, readBackKinds, logs.Sources, cloud.Sources, front.Sources, gpu.Sources, kubernetes.Sources, probes.Sources) {
		out = append(out, listed{Part: "collector", Name: k.Name, Help: k.Help, Proven: string(k.Proven) + ": " + k.By})
	}
	for _, k := range importers.Kinds {
		out = append(out, listed{Part: "import", Name: k.Name, Help: k.Help, Proven: string(k.Proven) + ": " + k.By})
	}
	for _, k := range recorded.Kinds {
		out = append(out, listed{Part: "input", Name: k.Name, Help: k.Help, Proven: string(k.Proven) + ": " + k.By})
	}
	out = append(out, slices.Concat(listOptions(), listQuantities())...)
	for _, k := range plan.Presets {
		takes, why := k.Takes(plan.Load{})
		at := fmt.Sprintf("%g/s", float64(k.Rate))
		if k.N > 0 {
			at = fmt.Sprintf("n %d", k.N)
		}
		out = append(out, listed{Part: "preset", Name: k.Name, Help: fmt.Sprintf("%s %s. By default %s for %v; it needs %v: %s.", k.Answers, capital(k.Phases), at, k.Default(), takes, why)})
	}
	out = append(out, listSuites()...)
	for _, k := range loadgen.ArrivalKinds {
		out = append(out, listed{Part: "arrivals", Name: k.Name, Help: k.Help})
	}
	for _, k := range loadgen.ClientKinds {
		out = append(out, listed{Part: "client", Name: k.Name, Help: k.Help, Proven: string(k.Proven) + ": " + k.By})
	}
	for _, d := range analyzers.Describe() {
		out = append(out, listed{Part: "metric", Name: d.Metric, Help: fmt.Sprintf("%s [%s]", d.Help, d.Unit)})
	}
	for _, k := range dashboards.Kinds() {
		out = append(out, listed{Part: "view", Name: k.Name, Help: k.Help})
	}
	out = append(out, listed{Part: "view", Name: journalFormat, Help: "the journal of Chaos Toolkit, of its experiment or of any run with faults"})
	for _, d := range sandbox.Dials() {
		out = append(out, listed{Part: "dial", Name: d.Name, Help: d.Why})
	}
	return out
}

// listWidth is how long the lines of a list are at most.
const listWidth = 100

// listText writes the list in columns, what is said of each wrapped under itself. That a thing is not available here stands in lines of its own.
func listText(all []listed) string {
	part, name := 0, 0
	for _, l := range all {
		part, name = max(part, len(l.Part)), max(name, len(l.Name))
	}
	indent := part + name + 4
	var b strings.Builder
	for _, l := range all {
		help := l.Help
		if l.Proven != "" {
			help += " Proven " + l.Proven + "."
		}
		lines := dashboards.Wrap(help, listWidth-indent)
		if l.Here != "" {
			lines = append(lines, dashboards.Wrap("NOT AVAILABLE HERE: "+l.Here, listWidth-indent)...)
		}
		for i, line := range lines {
			if i == 0 {
				fmt.Fprintf(&b, "%-*s  %-*s  %s\n", part, l.Part, name, l.Name, line)
				continue
			}
			fmt.Fprintf(&b, "%*s%s\n", indent, "", line)
		}
	}
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func listCommand(io stdio) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list [PART]",
		Short: "List faults, collectors, imports, inputs, options, quantities, presets, suites, arrivals, clients, metrics, views and dials",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			all := everything()
			if len(args) == 1 {
				var parts []string
				for _, l := range all {
					if !slices.Contains(parts, l.Part) {
						parts = append(parts, l.Part)
					}
				}
				for _, one := range []string{strings.TrimSuffix(args[0], "s"), strings.TrimSuffix(args[0], "ies") + "y"} {
					if slices.Contains(parts, one) {
						args[0] = one
					}
				}
				if !slices.Contains(parts, args[0]) {
					return exit(assay.ExitUsage, "%q is nothing to list; one of %s", args[0], strings.Join(parts, ", "))
				}
				all = slices.DeleteFunc(all, func(l listed) bool { return l.Part != args[0] })
			}
			if output == "json" {
				return printJSON(io, all)
			} else if output != "text" {
				return exit(assay.ExitUsage, "--output %q is unknown; text or json", output)
			}
			_, err := fmt.Fprint(io.out, listText(all))
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

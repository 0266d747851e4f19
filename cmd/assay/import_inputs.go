package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines that have no list of them

	"github.com/spf13/pflag"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/recorded"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/plan"
)

// inputFlags are the inputs that flags name: one repeatable flag for each kind of recording.
type inputFlags struct {
	given    [][]string // by kind, in the order of the table
	from, to string
	tokenEnv string
}

func (f *inputFlags) register(fs *pflag.FlagSet) {
	f.given = make([][]string, len(recorded.Kinds))
	for i, k := range recorded.Kinds {
		what := "FILE"
		if k.Fetch != nil {
			what = "FILE|URL"
		}
		help := "`" + what + "`: " + k.Help
		if len(k.Options) > 0 {
			var names []string
			for _, o := range k.Options {
				names = append(names, o.Name)
			}
			help += " Options after a comma: " + strings.Join(names, ", ")
		}
		fs.StringArrayVar(&f.given[i], k.Name, nil, help)
	}
	fs.StringVar(&f.from, "from", "", "leave out what is before this instant (RFC 3339, or a duration before now such as 168h)")
	fs.StringVar(&f.to, "to", "", "leave out what is after this instant (the same; now where only --from is given)")
	fs.StringVar(&f.tokenEnv, "token-env", "", "environment variable that holds the bearer token for stores at URLs")
}

// any reports whether a flag names an input.
func (f *inputFlags) any() bool {
	return slices.ContainsFunc(f.given, func(g []string) bool { return len(g) > 0 })
}

// specs returns the inputs, or nil where the arguments are results of one load generator and nothing else: those are one input together.
func (f *inputFlags) specs(o *importOptions, args []string) ([]input.Spec, error) {
	var specs []input.Spec
	for i := range recorded.Kinds {
		for _, text := range f.given[i] {
			s, err := input.ParseSpec(&recorded.Kinds[i], text)
			if err != nil {
				return nil, exit(assay.ExitUsage, "%v", err)
			}
			specs = append(specs, s)
		}
	}
	others := len(specs) > 0
	for _, path := range args {
		k, err := guess(path)
		if err != nil {
			return nil, exit(assay.ExitUsage, "import: %v", err)
		}
		if k == nil {
			k = &recorded.Kinds[0] // of which the reader says what is wrong
		}
		others = others || k.Name != "requests"
		specs = append(specs, input.Spec{Kind: k, Path: path})
	}
	if !others {
		return nil, nil
	}
	for i, s := range specs {
		if s.Kind.Name != "requests" {
			continue
		}
		specs[i].Options = maps.Clone(s.Options)
		for name, v := range map[string]string{"columns": o.columns, "kind": cmp.Or(s.Options["kind"], o.kind)} {
			if v == "" {
				continue
			}
			if specs[i].Options == nil {
				specs[i].Options = map[string]string{}
			}
			specs[i].Options[name] = v
		}
	}
	return specs, nil
}

// guess tells what a file is by how it begins.
func guess(path string) (*input.Kind, error) {
	if strings.Contains(path, "://") {
		return nil, fmt.Errorf("%s: a URL is given to the flag of its kind, such as --prometheus", ask.Shown(path))
	}
	f, err := input.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := f.Peek()
	if err != nil {
		return nil, err
	}
	return recorded.Of(path, head), nil
}

// importSet makes one run out of inputs of several kinds.
func importSet(ctx context.Context, o *importOptions, specs []input.Spec) (*imported, error) {
	if o.output != "text" && o.output != "json" {
		return nil, exit(assay.ExitUsage, "--output %q is unknown; text or json", o.output)
	}
	asked, err := askedFor(o.slo, nil)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	settings := input.Settings{Latest: now.Add(24 * time.Hour).UnixNano()}
	for _, w := range []struct {
		flag, text string
		to         *int64
	}{{"from", o.inputs.from, &settings.From}, {"to", o.inputs.to, &settings.To}} {
		if w.text == "" {
			continue
		}
		t, err := moment(w.text, now)
		if err != nil {
			return nil, exit(assay.ExitUsage, "--%s %v", w.flag, err)
		}
		*w.to = t.UnixNano()
	}
	if settings.From != 0 && settings.To == 0 {
		settings.To = now.UnixNano()
	}
	if settings.To != 0 && settings.To <= settings.From {
		return nil, exit(assay.ExitUsage, "--to %s lies before --from %s", o.inputs.to, o.inputs.from)
	}
	if name := o.inputs.tokenEnv; name != "" {
		if settings.Token = os.Getenv(name); settings.Token == "" {
			return nil, exit(assay.ExitUsage, "--token-env %s: that variable is not set", name)
		}
	}
	set, err := input.Open(ctx, specs, settings)
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	defer set.Close()
	kinds := map[string]bool{}
	for _, s := range specs {
		kinds[s.Kind.Name] = true
	}
	m := &assay.Manifest{Epoch: set.Epoch, Objectives: asked.goals(), SLOs: asked.promises(), Resolution: set.Resolution, Untimed: set.Untimed,
		Target: assay.Target{Kind: strings.Join(slices.Sorted(maps.Keys(kinds)), "+"), Name: cmp.Or(o.target, "recordings such as "+filepath.Base(ask.Shown(specs[0].Path))), Model: cmp.Or(o.model, set.Model), Release: o.release}}
	dir, err := makeRun(ctx, o, ask.Shown(specs[0].Path), m, set, set.End)
	if err != nil {
		return nil, err
	}
	done := &imported{Dir: dir, Kind: m.Target.Kind, Requests: int(set.Requests), Seconds: float64(set.End) / 1e9, Untimed: set.Untimed, Warnings: set.Notes, Inputs: set.Summaries}
	return done, nil
}

// moment reads an instant: RFC 3339, a date, or how long before now.
func moment(text string, now time.Time) (time.Time, error) {
	if d, err := plan.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: want an instant such as 2026-11-18T00:00:00Z, a date, or a duration before now such as 168h", text)
}

// printInputs tells what became of each input.
func printInputs(w io.Writer, sums []input.Summary) {
	for _, s := range sums {
		as := "as " + made(&s)
		if s.PassedOver {
			fmt.Fprintf(w, "%s: passed over, since nothing in it is of the kind %s\n", s.Path, s.Kind)
			continue
		}
		if s.Joined {
			as = "and read together with the next"
		}
		fmt.Fprintf(w, "%s: %d of %d %s kept %s\n", s.Path, s.Kept, s.Read, s.Things, as)
		for _, why := range slices.SortedFunc(maps.Keys(s.Rejected), func(a, b string) int {
			return cmp.Or(cmp.Compare(s.Rejected[b], s.Rejected[a]), cmp.Compare(a, b))
		}) {
			fmt.Fprintf(w, "  rejected: %d: %s\n", s.Rejected[why], why)
		}
		for _, n := range s.Notes {
			fmt.Fprintf(w, "  note: %s\n", n)
		}
	}
}

// made says which records an input gave.
func made(s *input.Summary) string {
	var parts []string
	for _, c := range []struct {
		n    int64
		what string
	}{{s.Requests, "requests"}, {s.Spans, "spans"}, {s.Samples, "samples"}, {s.Events, "events"}} {
		if c.n > 0 {
			parts = append(parts, dashboards.Things(int(c.n), c.what))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/assay-dev/assay/internal/stat"
)

// A row is one experiment: an interval of ours on simulated runs of known truth.
type row struct {
	group, name string
	nominal     float64
	least       float64 // share of those told that must hold the truth; 0: what chance leaves of nominal
	check       bool    // not used by assay, for comparison only
	draw        func(rng *rand.Rand) claim
}

// A claim is what one simulated run gave.
type claim struct {
	told  bool // false: not estimable
	in    stat.Interval
	truth float64
	nines bool   // it claims an availability of 0.9 or more
	why   string // it is not told
}

func claimed(in stat.Interval, truth float64) claim { return claim{told: true, in: in, truth: truth} }

// coverageScore is the table of all experiments.
type coverageScore struct {
	Runs  int           `json:"runs"`
	Seed  uint64        `json:"seed"`
	Short int           `json:"short"` // rows that do not hold
	Rows  []coverageRow `json:"rows"`
}

type coverageRow struct {
	Group     string  `json:"group"`
	Name      string  `json:"name"`
	Nominal   float64 `json:"nominal"`
	Runs      int     `json:"n"`
	Abstained int     `json:"abstained"`         // not estimable
	Because   string  `json:"because,omitempty"` // it abstained
	Covered   int     `json:"covered"`
	OfTold    float64 `json:"coverage"`     // of the runs that told an interval
	OfAll     float64 `json:"coverage_all"` // of all runs: not estimable does not count as covering
	Width     float64 `json:"median_width"` // -1 if infinite
	Nines     int     `json:"claims_of_nines"`
	Least     float64 `json:"least"` // of coverage for the row to hold
	Check     bool    `json:"check"`
	Holds     bool    `json:"holds"`
}

// luck is the chance that a row with the coverage it claims falls short all the same.
const luck = 0.001

func coverageCommand(stdout io.Writer) *cobra.Command {
	var runs int
	var seed uint64
	var only string
	cmd := &cobra.Command{Use: "coverage", Args: cobra.NoArgs, Short: "How often each interval holds the truth, over simulated runs",
		Long: "Simulates runs of deployments and samples whose truth is known, and counts how often each interval of assay holds it. A run for which assay says \"not estimable\" is counted apart and never covers: the " +
			"coverage is given of the runs that told an interval, and of all. A row holds if the first is at least what is asked of it: 0.94 for availability, and for the rest what chance leaves of the nominal one (0.1 %).",
		Example: "  assay-score coverage\n  assay-score coverage --runs 5000 --seed 3\n  assay-score coverage --only availability --output json",
	}
	cmd.Flags().IntVar(&runs, "runs", 1000, "simulated runs of each row, 20 to 1000000")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "same seed, same table")
	cmd.Flags().StringVar(&only, "only", "", "only rows whose group or name contains this")
	return scoring(cmd, stdout, func(ctx context.Context, _ []string) (score, error) {
		if runs < 20 || runs > 1_000_000 {
			return nil, fmt.Errorf("--runs %d is out of range; 20 to 1000000", runs)
		}
		rows := slices.DeleteFunc(allRows(), func(r row) bool { return !strings.Contains(r.group+": "+r.name, only) })
		if len(rows) == 0 {
			return nil, fmt.Errorf("--only %q: no group or name contains it; the groups are %s", only, strings.Join(groups(), ", "))
		}
		return cover(ctx, rows, runs, seed)
	})
}

func allRows() []row {
	return slices.Concat(availabilityRows(), coldRows(), rateRows(), lifeRows(), sampleRows(), comparisonRows())
}

func groups() []string {
	var out []string
	for _, r := range allRows() {
		if !slices.Contains(out, r.group) {
			out = append(out, r.group)
		}
	}
	return out
}

// chunk is how many runs share one stream of random numbers: the table does not depend on how chunks are spread over cores.
const chunk = 100

// cover simulates all rows.
func cover(ctx context.Context, rows []row, runs int, seed uint64) (score, error) {
	s := coverageScore{Runs: runs, Seed: seed}
	claims := make([][]claim, len(rows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range rows {
		claims[i] = make([]claim, runs)
		name := uint64(14695981039346656037) // FNV-1a, so that a row is the same among whatever others
		for _, b := range []byte(r.group + r.name) {
			name = (name ^ uint64(b)) * 1099511628211
		}
		for from := 0; from < runs; from += chunk {
			part := claims[i][from:min(from+chunk, runs)]
			g.Go(func() error {
				rng := rand.New(rand.NewPCG(seed, name+uint64(from)))
				for j := range part {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					part[j] = r.draw(rng)
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, r := range rows {
		x := r.count(claims[i])
		if !x.Holds && !x.Check {
			s.Short++
		}
		s.Rows = append(s.Rows, x)
	}
	return s, nil
}

// count makes a line of the table.
func (r row) count(claims []claim) coverageRow {
	x := coverageRow{Group: r.group, Name: r.name, Nominal: r.nominal, Runs: len(claims), Least: r.least, Check: r.check}
	var widths []float64
	for _, c := range claims {
		if !c.told {
			x.Abstained++
			x.Because = c.why
			continue
		}
		if c.in.Lo <= c.truth && c.truth <= c.in.Hi {
			x.Covered++
		}
		if c.nines {
			x.Nines++
		}
		widths = append(widths, c.in.Hi-c.in.Lo)
	}
	told := len(claims) - x.Abstained
	x.OfAll = float64(x.Covered) / float64(len(claims))
	if told == 0 {
		x.Holds = true // nothing was claimed
		return x
	}
	slices.Sort(widths)
	x.Width = stat.Quantile(widths, 0.5, stat.Type7)
	if math.IsInf(x.Width, 1) || math.IsNaN(x.Width) {
		x.Width = -1
	}
	x.OfTold = float64(x.Covered) / float64(told)
	if x.Least > 0 && told >= 1000 {
		x.Holds = x.OfTold >= x.Least
		return x
	}
	if x.Least == 0 {
		x.Least = r.nominal
	}
	x.Holds = stat.AtMost(float64(x.Covered), float64(told), x.Least) >= luck
	return x
}

func (s coverageScore) table(w io.Writer) {
	fmt.Fprintln(w, "interval\tnominal\tn\tnot estimable\tcovers, of told\tof all\tmedian width\tclaims ≥ 0.9\t")
	group := ""
	for _, x := range s.Rows {
		if x.Group != group {
			group = x.Group
			fmt.Fprintf(w, "%s\t\t\t\t\t\t\t\t\n", strings.ToUpper(group))
		}
		covers, width, nines, holds := fmt.Sprintf("%.3f", x.OfTold), fmt.Sprintf("%.3g", x.Width), "", "holds"
		switch {
		case x.Abstained == x.Runs:
			covers, width, holds = "–", "–", "nothing claimed"
		case x.Check:
			holds = "for comparison only"
		case !x.Holds:
			holds = "FALLS SHORT"
		}
		if x.Width < 0 {
			width = "∞"
		}
		if strings.HasPrefix(x.Group, "availability") && x.Abstained < x.Runs {
			nines = fmt.Sprintf("%.1f %%", 100*float64(x.Nines)/float64(x.Runs))
		}
		fmt.Fprintf(w, "  %s\t%.3g\t%d\t%.1f %%\t%s\t%.3f\t%s\t%s\t%s\n", x.Name, x.Nominal, x.Runs, 100*float64(x.Abstained)/float64(x.Runs), covers, x.OfAll, width, nines, holds)
	}
	fmt.Fprintf(w, "\n%d of %d rows fall short, in %d runs each; seed %d\n", s.Short, len(s.Rows), s.Runs, s.Seed)
	var reasons []string
	of := map[string]int{}
	for _, x := range s.Rows {
		if x.Because == "" {
			continue
		}
		if of[x.Because]++; of[x.Because] == 1 {
			reasons = append(reasons, x.Because)
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(w, "not estimable in %s, because %s\n", rowsText(of[why]), why)
	}
}

func rowsText(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

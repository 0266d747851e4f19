package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/assay-dev/assay/internal/stat"
)

// gateScore is how a gate does on noise: shares of comparisons, and their means over the series, each of which counts alike.
type gateScore struct {
	FalseFail   float64      `json:"false_fail"`  // of a base against itself
	Found       float64      `json:"found"`       // of losses that were injected: fail
	FalsePass   float64      `json:"false_pass"`  // of losses that were injected: pass. All other misses are inconclusive
	TruePass    float64      `json:"pass"`        // of a base against itself
	Comparisons int          `json:"comparisons"` // of each kind
	Fails       int          `json:"false_fails"` // how many of them
	Passes      int          `json:"false_passes"`
	Runs        int          `json:"n"` // of each side in a comparison
	Loss        float64      `json:"loss"`
	Margin      float64      `json:"margin"`
	Interleaved bool         `json:"interleaved"`
	Seed        uint64       `json:"seed"`
	Halves      []gateHalf   `json:"halves,omitempty"` // of the series, every other one
	Groups      []gateHalf   `json:"groups,omitempty"` // of noise that is made
	Series      []gateSeries `json:"series"`
}

type gateHalf struct {
	Name      string  `json:"name"`
	FalseFail float64 `json:"false_fail"`
	Found     float64 `json:"found"`
	Series    int     `json:"series"`
}

type gateSeries struct {
	Name        string  `json:"name"`
	Comparisons int     `json:"comparisons"`
	Fails       int     `json:"false_fails"`
	FalseFail   float64 `json:"false_fail"`
	TruePass    float64 `json:"pass"`
	Found       float64 `json:"found"`
	FalsePass   float64 `json:"false_pass"`
	Missed      float64 `json:"inconclusive"` // of losses that were injected
	Paired      float64 `json:"paired"`       // of a base against itself: neighbours were compared
}

func gateCommand(stdout io.Writer) *cobra.Command {
	var s gateScore
	var adjacent, synthetic bool
	cmd := &cobra.Command{Use: "gate {DIR | --synthetic}", Args: cobra.MaximumNArgs(1), Short: "False alarms of the comparison of runs and the losses it finds, on series of real noise",
		Long: "Each CSV file of DIR is a benchmark that was repeated on some machines, with the columns value (more is better), starttime and VM_id. The repeats of each machine are cut into stretches of " +
			"twice n in the order of their execution, which are dealt out in turn as runs of a base and of a candidate that is the same. The gate must not fail it. Then each value of the candidate is made " +
			"smaller by the loss, and the gate must find it; where it does not, it must say inconclusive.\n\nSeed 0 cuts from the first repeat on and lets the base begin; any other starts at some other repeat and deals by lot who begins.\n\nWith --synthetic the noise is made: of the kinds that measured series show, and of others (drift, steps, " +
			"far values, whatever comes every few runs), on which no level of the gate was chosen. Noise in step with the turns is no noise to a comparison of two sides in turns that never change: it shows what the gate cannot do.",
		Example: "  assay-score gate shared/data/azure-vm-noise\n  assay-score gate shared/data/azure-vm-noise --seed 7 --output json\n  assay-score gate shared/data/azure-vm-noise --n 30 --loss 0.03\n  assay-score gate --synthetic",
	}
	cmd.Flags().IntVar(&s.Runs, "n", 10, "runs of each side, 2 to 1000")
	cmd.Flags().Float64Var(&s.Loss, "loss", 0.05, "share that is taken from the candidate, more than the margin and less than 1")
	cmd.Flags().Float64Var(&s.Margin, "margin", 0.02, "loss that is tolerated, as a share of the base")
	cmd.Flags().BoolVar(&adjacent, "adjacent", false, "all runs of the base first, then the candidate's, instead of in turn")
	cmd.Flags().Uint64Var(&s.Seed, "seed", 0, "0 for the stretches of the protocol, any other for others")
	cmd.Flags().BoolVar(&synthetic, "synthetic", false, "noise that is made, in place of a directory")
	return scoring(cmd, stdout, func(ctx context.Context, args []string) (score, error) {
		switch {
		case synthetic != (len(args) == 0):
			return nil, errors.New("want one directory of series, or --synthetic")
		case s.Runs < 2 || s.Runs > 1000:
			return nil, fmt.Errorf("--n %d is out of range; 2 to 1000", s.Runs)
		case !(s.Margin >= 0 && s.Margin < 1):
			return nil, fmt.Errorf("--margin %g is out of range; 0 or more and less than 1", s.Margin)
		case !(s.Loss > s.Margin && s.Loss < 1):
			return nil, fmt.Errorf("--loss %g is out of range; more than the margin %g and less than 1", s.Loss, s.Margin)
		}
		s.Interleaved = !adjacent
		if synthetic {
			all, groups := made(s.Runs, s.Seed)
			cut := s
			cut.Seed = 0 // each machine is one comparison
			err := cut.compare(ctx, all)
			cut.Seed = s.Seed
			cut.group(groups)
			return cut, err
		}
		all, err := readNoise(args[0])
		if err != nil {
			return nil, err
		}
		if err := s.compare(ctx, all); err != nil {
			return nil, err
		}
		return s, nil
	})
}

// compare fills in the score on all series.
func (s *gateScore) compare(ctx context.Context, all []noise) error {
	s.Series = make([]gateSeries, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range all {
		g.Go(func() error {
			var err error
			s.Series[i], err = s.one(ctx, &all[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.Halves = []gateHalf{{Name: "odd"}, {Name: "even"}}
	n := float64(len(all))
	for i, x := range s.Series {
		s.FalseFail += x.FalseFail / n
		s.Found += x.Found / n
		s.FalsePass += x.FalsePass / n
		s.TruePass += x.TruePass / n
		s.Comparisons += x.Comparisons
		s.Fails += x.Fails
		s.Passes += int(x.FalsePass*float64(x.Comparisons) + .5)
		h := &s.Halves[i%2]
		h.Series++
		h.FalseFail += x.FalseFail
		h.Found += x.Found
	}
	for i := range s.Halves {
		if h := &s.Halves[i]; h.Series > 0 {
			h.FalseFail /= float64(h.Series)
			h.Found /= float64(h.Series)
		}
	}
	return nil
}

// group fills in the means of groups of series in place of halves.
func (s *gateScore) group(names []string) {
	s.Halves = nil
	for i, name := range names {
		k := slices.IndexFunc(s.Groups, func(g gateHalf) bool { return g.Name == name })
		if k < 0 {
			k = len(s.Groups)
			s.Groups = append(s.Groups, gateHalf{Name: name})
		}
		g := &s.Groups[k]
		g.FalseFail += s.Series[i].FalseFail
		g.Found += s.Series[i].Found
		g.Series++
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		g.FalseFail /= float64(g.Series)
		g.Found /= float64(g.Series)
	}
}

// one scores a series.
func (s *gateScore) one(ctx context.Context, x *noise) (gateSeries, error) {
	out := gateSeries{Name: x.name}
	gate := stat.Gate{HigherBetter: true, Relative: true, Margin: s.Margin, Alpha: 0.05}
	h := fnv.New64a()
	io.WriteString(h, x.name)
	rng := rand.New(rand.NewPCG(s.Seed, h.Sum64()))
	trials := make([]stat.Trial, 2*s.Runs)
	var passed, found, lost, paired int
	for _, values := range x.machines {
		start := 0
		if s.Seed != 0 {
			start = rng.IntN(len(trials))
		}
		for ; start+len(trials) <= len(values); start += len(trials) {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			first := s.Seed != 0 && rng.IntN(2) == 1
			for i := range trials {
				candidate := i%2 == 1
				if !s.Interleaved {
					candidate = i >= s.Runs
				}
				trials[i] = stat.Trial{Value: values[start+i], Candidate: candidate != first}
			}
			out.Comparisons++
			r := gate.Decide(trials)
			switch r.Verdict {
			case stat.GateFail:
				out.Fails++
			case stat.GatePass:
				passed++
			}
			if r.Pairs > 0 {
				paired++
			}
			for i := range trials {
				if trials[i].Candidate {
					trials[i].Value *= 1 - s.Loss
				}
			}
			switch gate.Decide(trials).Verdict {
			case stat.GateFail:
				found++
			case stat.GatePass:
				lost++
			}
		}
	}
	if out.Comparisons == 0 {
		return out, fmt.Errorf("series %s: no machine has %d repeats, which one comparison with --n %d needs", x.name, len(trials), s.Runs)
	}
	share := func(n int) float64 { return float64(n) / float64(out.Comparisons) }
	out.FalseFail, out.TruePass, out.Found, out.FalsePass, out.Paired = share(out.Fails), share(passed), share(found), share(lost), share(paired)
	out.Missed = share(out.Comparisons - found - lost)
	return out, nil
}

func (s gateScore) table(w io.Writer) {
	fmt.Fprintf(w, "series\tcomparisons\tsame: fail\tpass\tinconclusive\tloss %g %%: found\tpass\tinconclusive\tin pairs\n", 100*s.Loss)
	for _, x := range s.Series {
		fmt.Fprintf(w, "%s\t%d\t%.4f\t%.3f\t%.3f\t%.3f\t%.4f\t%.3f\t%.3f\n", shortened(x.Name, 60), x.Comparisons, x.FalseFail, x.TruePass, 1-x.FalseFail-x.TruePass, x.Found, x.FalsePass, x.Missed, x.Paired)
	}
	fmt.Fprintf(w, "mean of %d series\t%d\t%.4f\t%.3f\t%.3f\t%.3f\t%.4f\t%.3f\t\n", len(s.Series), s.Comparisons, s.FalseFail, s.TruePass, 1-s.FalseFail-s.TruePass, s.Found, s.FalsePass, 1-s.Found-s.FalsePass)
	order, certain := "in turn", "99.2"
	if !s.Interleaved {
		order, certain = "one side after the other", "99.98"
	}
	all := stat.ClopperPearson(s.Fails, s.Comparisons, 0.95)
	fmt.Fprintf(w, "\nfalse fails: %d of %d, %.4f [%.4f, %.4f] at 95 %% if independent; losses that passed: %d\n", s.Fails, s.Comparisons, float64(s.Fails)/float64(s.Comparisons), all.Lo, all.Hi, s.Passes)
	for _, h := range s.Halves {
		if h.Series > 0 {
			fmt.Fprintf(w, "%s series (%d): false fails %.4f, found %.3f\n", h.Name, h.Series, h.FalseFail, h.Found)
		}
	}
	for _, g := range s.Groups {
		fmt.Fprintf(w, "noise %s (%d kinds): false fails %.4f, found %.3f\n", g.Name, g.Series, g.FalseFail, g.Found)
	}
	fmt.Fprintf(w, "%d runs of each side, %s; margin %g %%; ranks with normal scores, interval at 90 %%, a change certain at %s %%; seed %d\n", s.Runs, order, 100*s.Margin, certain, s.Seed)
}

// shortened keeps the beginning and the end of a long name.
func shortened(name string, n int) string {
	if len(name) <= n {
		return name
	}
	return name[:n/2-1] + "…" + name[len(name)-n/2:]
}

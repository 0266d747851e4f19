package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay/internal/stat"
)

// changeScore is how the found change points compare with the expected ones.
type changeScore struct {
	Cases   int          `json:"cases"`
	Exact   int          `json:"exact"` // cases in which all and none but the expected indexes were found
	Values  int          `json:"n"`     // in the series
	Results []changeCase `json:"results"`
	Speed   float64      `json:"values_per_second"` // of all cases together, on one core
}

type changeCase struct {
	Name      string  `json:"name"`
	Window    int     `json:"window_len"`
	MaxP      float64 `json:"max_pvalue"`
	Magnitude float64 `json:"min_magnitude"`
	Expected  []int   `json:"expected"`
	Found     []int   `json:"found"`
	Missing   []int   `json:"missing"`
	Extra     []int   `json:"extra"`
}

func changePointsCommand(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{Use: "changepoints FILE", Args: cobra.ExactArgs(1), Short: "Change points of a series against a list of expected ones",
		Long: "FILE is JSON with a series of numbers and cases: {\"series\": [...], \"cases\": [{\"name\", \"window_len\", \"max_pvalue\", \"min_magnitude\", \"expected\": [indexes from 0]}]}. " +
			"How fast it went is measured and differs from run to run.",
		Example: "  assay-score changepoints shared/data/change-points/tigerbeetle.json",
	}
	return scoring(cmd, stdout, func(ctx context.Context, args []string) (score, error) {
		raw, err := os.ReadFile(args[0])
		if err != nil {
			return nil, err
		}
		var file struct {
			Series []float64    `json:"series"`
			Cases  []changeCase `json:"cases"`
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", args[0], err)
		}
		if len(file.Series) == 0 || len(file.Cases) == 0 {
			return nil, fmt.Errorf("%s: %d values and %d cases; want a series and a case at least", args[0], len(file.Series), len(file.Cases))
		}
		s := changeScore{Cases: len(file.Cases), Values: len(file.Series)}
		for i, c := range file.Cases {
			if c.Window < 2 || c.Window > stat.MaxChangeWindow || !(c.MaxP > 0 && c.MaxP <= 1) || !(c.Magnitude >= 0) {
				return nil, fmt.Errorf("%s: cases[%d]: window_len %d, max_pvalue %g, min_magnitude %g; want 2 to %d, more than 0 to 1, 0 or more", args[0], i, c.Window, c.MaxP, c.Magnitude, stat.MaxChangeWindow)
			}
		}
		begin := time.Now()
		for _, c := range file.Cases {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			c.Found, c.Missing, c.Extra = []int{}, []int{}, []int{}
			for _, p := range stat.ChangePoints(file.Series, c.Window, c.MaxP, c.Magnitude) {
				c.Found = append(c.Found, p.Index)
				if !slices.Contains(c.Expected, p.Index) {
					c.Extra = append(c.Extra, p.Index)
				}
			}
			for _, i := range c.Expected {
				if !slices.Contains(c.Found, i) {
					c.Missing = append(c.Missing, i)
				}
			}
			if len(c.Missing)+len(c.Extra) == 0 {
				s.Exact++
			}
			s.Results = append(s.Results, c)
		}
		s.Speed = float64(len(file.Series)*len(file.Cases)) / time.Since(begin).Seconds()
		return s, nil
	})
}

func (s changeScore) table(w io.Writer) {
	fmt.Fprintln(w, "case\twindow\tp\tmagnitude\texpected\tfound\tmissing\textra")
	for _, c := range s.Results {
		fmt.Fprintf(w, "%s\t%d\t%g\t%g\t%d\t%d\t%s\t%s\n", c.Name, c.Window, c.MaxP, c.Magnitude, len(c.Expected), len(c.Found), indexes(c.Missing), indexes(c.Extra))
	}
	fmt.Fprintf(w, "\nexact: %d of %d cases, over %d values; %.3g values a second\n", s.Exact, s.Cases, s.Values, s.Speed)
}

func indexes(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	text := fmt.Sprint(list)
	return text[1 : len(text)-1]
}

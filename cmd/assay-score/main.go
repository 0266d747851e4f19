// Command assay-score shows how far the statistics of assay can be trusted, on data and simulations whose truth is known:
//
//	assay-score gate DIR             false alarms of the comparison of runs, and losses that it finds, on series of real noise
//	assay-score changepoints FILE    change points against a list of expected ones
//	assay-score coverage             how often each interval holds the truth, over simulated runs
//
// Each prints one table with the number of comparisons or runs and the abstentions beside each row, or JSON with --output json. The same seed gives the same
// table on any number of cores. Exit status: 0 for a table, whatever it shows, 1 for an internal error, 2 for a wrong usage or wrong input.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Stdout, os.Stderr, os.Args[1:])) }

// Command assay assesses a model served on a serverless platform: can users rely on it, and if
// not, what breaks it?
//
//	assay run                                assess the embedded sandbox with the built-in plan
//	assay run plan.yaml                      run a plan
//	assay run --suite serverless-model       the standard suite of faults, on the embedded sandbox
//	assay run plan.yaml --gameday            ask before each fault, and take notes
//	assay run --url http://host:8000 --slo ttft/p95=2s
//	                                         a gentle ramp on your endpoint: no faults, 300 requests or as many as the goals need
//	assay load --url http://host:8080/ --rate 200/s --for 30s
//	                                         one of five kinds of load test, without a plan file
//	assay assess DIR                         compute the findings of a run again
//	assay report DIR --format html           render them
//	assay validate plan.yaml                 check a plan, and whether its sample can decide it
//	assay list                               faults, collectors, metrics, views
//	assay doctor plan.yaml                   what works here, and whether the plan could start
//	assay chaos toolkit FILE --run           play an experiment of Chaos Toolkit
//	assay heal DIR                           undo what a run may have left behind
//
// Results go to standard output, progress to standard error. Exit status of run and
// assess: 0 go, 1 internal error, 2 usage or bad plan, 3 preflight failed, 10 no-go,
// 11 inconclusive, 12 measurement invalid, 13 aborted by a guard with all faults
// reverted, 14 a fault may still be active, 130 interrupted with all faults reverted.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Stdin, os.Stdout, os.Stderr, os.Args[1:])) }

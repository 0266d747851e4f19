package main

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay/collectors/input"
)

func TestRunNameOf(t *testing.T) {
	for path, want := range map[string]string{
		"results/week.prom.gz":                       "week",
		"http://127.0.0.1":                           "127.0.0.1",
		"http://127.0.0.1:9090/":                     "127.0.0.1",
		"https://logs.amazonaws.com/aws/lambda/NAME": "NAME",
		"http://h:9200/logs.2026":                    "logs",
		`C:\x\run.csv`:                               `C:\x\run`,
	} {
		if got := runNameOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// A file that lies beside those of a kind is said to be passed over, rather than kept as nothing.
func TestPassedOver(t *testing.T) {
	var b strings.Builder
	printInputs(&b, []input.Summary{{Kind: "nvidia-smi", Path: "d/x.metrics", Things: "files", Read: 1, PassedOver: true, Rejected: map[string]int64{"nothing in it": 1}}})
	if got, want := b.String(), "d/x.metrics: passed over, since nothing in it is of the kind nvidia-smi\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

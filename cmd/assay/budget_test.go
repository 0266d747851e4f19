package main

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

const budgetPlan = `apiVersion: assay/v1
name: b
target: {kind: sandbox, model: nano, sandbox: {maxScale: 2}, retry: {attempts: 2}}
load:
  - {name: steady, arrivals: {even: {rate: 10/s}}, for: 10s, prompt: 30, output: 20}
  - {name: stress, search: {saturation: {start: 10/s, factor: 2, max: 20/s, step: 5s, for: 10s, slo: {e2e/p95: 2s}}}, prompt: 30, output: 20}
canary: {prompt: one two, output: 8, every: 5s, expect: {stable: true}}
budget: {requests: 300, instances: 2, accelerator: 30s, money: 1 USD, prices: prices.yaml}
`

// What a plan may spend is said before it is spent.
func TestValidateEstimatesTheBudget(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", budgetPlan)
	write(t, dir, "prices.yaml", "currency: USD\nper1000AnswerTokens: 1\nperInstanceSecond: 0.01\n")
	got := assayIn(t, dir, "validate", "plan.yaml")
	if got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	// 100 + 100 at least of the search + 4 canaries; at most twice 100 + (50+100), and 4 canaries.
	for _, want := range []string{
		"budget    requests     about 204, at most 504 of 300: MAY STOP the run early",
		"tokens       about 10 000 tokens, at most 25 000 tokens",
		"instances    about 2 of 2",
		"accelerator  about 40 s of 30 s: MAY STOP the run early",
		"money        about 4.43 USD, at most 10.4 USD of 1 USD: MAY STOP the run early",
	} {
		if !strings.Contains(strings.ReplaceAll(got.out, "\u00a0", " "), want) {
			t.Errorf("it lacks %q:\n%s", want, got.out)
		}
	}
	if out := assayIn(t, dir, "validate", "plan.yaml", "-o", "json"); out.code != 0 || !strings.Contains(out.out, `"What": "money"`) {
		t.Errorf("as JSON: exit %d %s", out.code, out.err)
	}
}

func TestUnaffordablePlansAreRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "prices.yaml", "currency: EUR\nper1000AnswerTokens: 1\n")
	for budget, want := range map[string]string{
		"{instances: 1}":                      "budget.instances: the sandbox runs up to 2 instances, and the budget allows 1; set target.sandbox.maxScale to 1",
		"{money: 1 USD}":                      "money without prices",
		"{prices: prices.yaml}":               "prices without money",
		"{money: 1 USD, prices: none.yaml}":   "budget.prices: read prices: open",
		"{money: 1 USD, prices: prices.yaml}": "budget.money: is in USD, and the prices of prices.yaml are in EUR",
		"{tokens: -1}":                        "budget.tokens: -1 is negative",
		"{money: 1, prices: prices.yaml}":     `"1" is no amount of money; write for example 5 USD`,
	} {
		write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: b\ntarget: {kind: sandbox, model: nano, sandbox: {maxScale: 2}}\nload: [{name: a, arrivals: {even: {rate: 1/s}}, for: 1s}]\nbudget: "+budget+"\n")
		if got := assayIn(t, dir, "validate", "plan.yaml"); got.code != assay.ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit %d, %s; want %s", budget, got.code, got.err, want)
		}
	}
}

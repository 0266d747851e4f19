package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/assay-dev/assay/internal/trace"
)

// TestTrace: what the command suggests is a plan that replays the trace so.
func TestTrace(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("when,n\n")
	for i := range 60 {
		b.WriteString([]string{"0", "3000", "6000"}[i/20] + ",12\n")
	}
	write(t, dir, "x.csv", b.String())
	args := []string{"trace", "x.csv", "--columns", "time=when,unit=ms,in=n"} // which say how to read what is of no known kind
	got := assayIn(t, dir, args...)
	for _, want := range []string{"x.csv: csv, 60 requests in 6 s", "coarse: 60 requests on 3 stamps, which seem to stand for 3 s each", "12 tokens mean", "answers   lengths not told"} {
		if got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("exit %d, want %q in\n%s%s", got.code, want, got.out, got.err)
		}
	}
	write(t, dir, "x.jsonl", `{"at": 1, "n": 5}`+"\n"+`{"at": 2, "n": 5}`+"\n")
	if got := assayIn(t, dir, "trace", "x.jsonl", "--columns", "time=at,in=n"); got.code != 0 || !strings.Contains(got.out, "x.jsonl: jsonl, 2 requests in 1 s") {
		t.Errorf("jsonl by its ending: exit %d\n%s%s", got.code, got.out, got.err)
	}
	_, plan, _ := strings.Cut(got.out, "replay with\n")
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, model: nano}\n"+strings.TrimPrefix(plan, "  "))
	if got := assayIn(t, dir, "validate", "plan.yaml"); got.code != 0 || !strings.Contains(got.out, "60 requests") {
		t.Errorf("the plan that it suggests: exit %d\n%s%s\n%s", got.code, got.out, got.err, plan)
	}

	// Each flag changes what is told.
	seen := map[string]string{}
	for _, flags := range []string{"", "--from 1s", "--to 4s", "--time-scale 0.5", "--rate-scale 2", "--max 7", "--spread even --step 3s", "--spread random --step 3s", "--spread random --step 3s --seed 2"} {
		got := assayIn(t, dir, append(append(args, strings.Fields(flags)...), "-o", "json")...)
		var s trace.Summary
		if err := json.Unmarshal([]byte(got.out), &s); err != nil || got.code != 0 {
			t.Fatalf("%s: exit %d, %v: %s%s", flags, got.code, err, got.out, got.err)
		}
		if other, ok := seen[got.out]; ok {
			t.Errorf("%q tells the same as %q", flags, other)
		}
		seen[got.out] = flags
	}
	for want, args := range map[string][]string{
		`there is no field "when"`: {"--columns", "when=x"}, `"time": want field=column`: {"--columns", "time"}, "want a number of tokens": {"--columns", "block-tokens=x"},
		"x.csv:1: the first line": {}, `--output "yaml" is unknown`: {"-o", "yaml"}, `zero "skip": want keep`: {"--columns", "time=when", "--zero", "skip"},
	} {
		if got := assayIn(t, dir, append([]string{"trace", "x.csv"}, args...)...); got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%v: exit %d, %s; want %s", args, got.code, got.err, want)
		}
	}
}

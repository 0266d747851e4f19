package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// TestImport: results of another generator become a run that is assessed like any other, and what they do not tell is not measured.
func TestImport(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,failureMessage,bytes,allThreads,Latency\n")
	for i := range 400 {
		code, ok := "200", "true"
		if i%100 == 99 {
			code, ok = "503", "false"
		}
		fmt.Fprintf(&b, "%d,%d,predict,%s,,T 1-%d,%s,,10,4,%d\n", 1767225600000+i*50, 100+i%40, code, i%4, ok, 90+i%40)
	}
	b.WriteString("17672256")
	write(t, dir, "load.jtl", b.String())

	got := assayIn(t, dir, "import", "load.jtl", "--slo", "e2e/p95=200ms", "--target", "staging", "-o", "json")
	var done imported
	if err := json.Unmarshal([]byte(got.out), &done); err != nil || got.code != 0 {
		t.Fatalf("exit %d, %v: %s%s", got.code, err, got.out, got.err)
	}
	if done.Dir != "runs/20251231T235959Z-load" || done.Requests != 400 || done.Kind != "jtl" || len(done.Warnings) != 1 {
		t.Errorf("imported %+v", done)
	}
	if got := assayIn(t, dir, "import", "load.jtl", "--out", done.Dir); got.code != 2 || !strings.Contains(got.err, "not empty") {
		t.Errorf("a second import into one directory: exit %d, %s", got.code, got.err)
	}

	got = assayIn(t, dir, "assess", done.Dir)
	if got.code != 0 || !strings.Contains(got.out, "GO") || !strings.Contains(got.out, "measured: lateness/p99") {
		t.Errorf("assess: exit %d\n%s%s", got.code, got.out, got.err)
	}
	written, err := os.ReadFile(filepath.Join(dir, done.Dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r assay.Report
	if err := json.Unmarshal(written, &r); err != nil {
		t.Fatal(err)
	}
	for metric, want := range map[string]float64{"e2e/max": 0.139, "error_ratio": 0.01} {
		if f := r.Find(metric); f == nil || f.Quantity.Value != want {
			t.Errorf("%s: %+v, want %g", metric, f, want)
		}
	}
	for _, metric := range []string{"ttft/p95", "tpot/p50", "validity/lateness/p99", "cold/start/worst"} {
		if f := r.Find(metric); f == nil || f.Quantity.Known() || !strings.HasPrefix(f.Quantity.Reason, "not measured") {
			t.Errorf("%s: %+v, want it not measured", metric, f)
		}
	}
	if r.Target != "staging" || len(r.Objectives) != 1 || r.Objectives[0].Verdict != assay.VerdictPass {
		t.Errorf("target %s, objectives %+v", r.Target, r.Objectives)
	}

	// Objectives asked for later are judged and not written.
	for slo, code := range map[string]int{"e2e/p95=50ms": 10, "error_ratio=30%": 0, "goodput=1000/s": 10, "ttft/p95=1s": 11,
		"e2e/p95{class=predict}=200ms": 0, "e2e/p95{class=predict,phase=load}=50ms": 10, "e2e/p95{class=other}=200ms": 11} {
		if got := assayIn(t, dir, "assess", done.Dir, "--slo", slo); got.code != code || strings.Contains(got.out, "FILES") {
			t.Errorf("--slo %s: exit %d, want %d\n%s%s", slo, got.code, code, got.out, got.err)
		}
	}
	if again, err := os.ReadFile(filepath.Join(dir, done.Dir, "result.json")); err != nil || string(again) != string(written) {
		t.Error("--slo changed result.json")
	}

	for want, args := range map[string][]string{
		`load.jtl:1: no column "x" for due`: {"load.jtl", "--columns", "due=x,latency=elapsed"},
		"--map goes with":                   {"load.jtl", "--kind", "jtl", "--columns", "due=timeStamp"},
		"--stamps-end goes with":            {"load.jtl", "--kind", "csv", "--stamps-end"},
		`--map: "due": want`:                {"load.jtl", "--kind", "csv", "--columns", "due"},
		`--output "xml" is unknown`:         {"load.jtl", "-o", "xml"},
		"no such file":                      {"none.jtl"},
		`there is no label "klass"`:         {"load.jtl", "--slo", "e2e/p95{klass=a}=1s"},
		"write metric=bound or":             {"load.jtl", "--slo", "e2e/p95{class}=1s"},
		`--slo "x" is no metric`:            {"load.jtl", "--slo", "x=1s"},
	} {
		if got := assayIn(t, dir, append([]string{"import"}, args...)...); got.code != 2 || !strings.Contains(got.err, want) || got.out != "" {
			t.Errorf("import %v: exit %d, %s; want %s", args, got.code, got.err, want)
		}
	}
	if left := runsIn(t, dir); len(left) != 1 {
		t.Errorf("refused imports left %v", left)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// hourOf imports an hour of requests that begins at a Unix time in ms, of which those of one minute failed, and returns the run's directory.
func hourOf(t *testing.T, dir, name string, begin int64, failing bool) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,failureMessage,bytes,allThreads,Latency\n")
	for i := range 3600 {
		code, ok := "200", "true"
		if failing && i >= 1800 && i < 1860 {
			code, ok = "503", "false"
		}
		fmt.Fprintf(&b, "%d,%d,predict,%s,,T 1-%d,%s,,10,4,%d\n", begin+int64(i)*1000, 100+i%40, code, i%4, ok, 90+i%40)
	}
	write(t, dir, name+".jtl", b.String())
	out := filepath.Join("runs", name)
	if got := assayIn(t, dir, "import", name+".jtl", "--out", out, "--target", "staging", "--model", "m", "--release", "r1"); got.code != 0 {
		t.Fatalf("import: exit %d, %s", got.code, got.err)
	}
	return out
}

// TestEvidence: three hours of recordings, two of which overlap, are one ledger, and reading writes nothing.
func TestEvidence(t *testing.T) {
	dir := t.TempDir()
	const begin = int64(1_780_000_000_000)
	hourOf(t, dir, "a", begin, true)
	hourOf(t, dir, "b", begin+1800_000, false) // sees nothing of what failed in its first minute
	c := hourOf(t, dir, "c", begin+30*86400_000, false)
	os.Remove(filepath.Join(dir, c, "result.json"))
	if err := os.Mkdir(filepath.Join(dir, "runs", "broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, filepath.Join("runs", "broken", "run.json"), "{")
	before := listing(t, dir)

	got := assayIn(t, dir, "evidence", "runs", "--target", "stag", "--objective", "mtbf/service=1h@90%", "--stale", "30d", "-o", "json")
	var e assay.Evidence
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || got.code != 11 {
		t.Fatalf("exit %d, %v: %s%s", got.code, err, got.out, got.err)
	}
	if !strings.Contains(got.err, "assess "+c) {
		t.Errorf("%q: want the run without a result to be assessed", got.err)
	}
	if len(e.Services) != 1 || e.Services[0].Target != "staging" || e.Services[0].Model != "m" || len(e.Services[0].Runs) != 3 {
		t.Fatalf("%d services: %s", len(e.Services), got.out)
	}
	u := e.Services[0].Units[0]
	if u.Failures != 1 || u.Exposure < 8930 || u.Exposure > 8941 {
		t.Errorf("%d failures in %g s, want 1 in two and a half hours less a minute", u.Failures, u.Exposure)
	}
	if j := e.Services[0].Objectives[0]; j.Verdict != assay.VerdictInconclusive || j.Enough == "" {
		t.Errorf("objective %+v", j)
	}
	if !slices.Contains(drillable(), "kill") || slices.Contains(drillable(), "experiment") || len(e.Services[0].Modes) != len(drillable()) {
		t.Errorf("%d modes of %d", len(e.Services[0].Modes), len(drillable()))
	}
	if after := listing(t, dir); !slices.Equal(before, after) {
		t.Errorf("reading wrote: %v, before %v", after, before)
	}

	if seq := assayIn(t, dir, "evidence", "runs", "--sequential", "mtbf/service=30m:15m@90%"); seq.code != 0 || !strings.Contains(seq.out, "in sequence") {
		t.Errorf("exit %d\n%s%s", seq.code, seq.out, seq.err)
	}
	if broken := assayIn(t, dir, "evidence", "runs/broken", "--objective", "mtbf/service=1h", "-o", "json"); broken.code != 11 || !strings.Contains(broken.out, `"decision": "INCONCLUSIVE"`) {
		t.Errorf("nothing to read: exit %d\n%s%s", broken.code, broken.out, broken.err)
	}
	if none := assayIn(t, dir, "evidence", "runs", "-o", "json"); none.code != 0 || strings.Contains(none.out, `"decision": "GO",
  "exit"`) {
		t.Errorf("nothing asked: exit %d\n%s%s", none.code, none.out, none.err)
	}
	for args, want := range map[string]string{
		"--objective recovery/rate{fault=nosuch}=90%": "--objective recovery/rate{fault=nosuch}: no fault is named so, and no run has one; one of kill,",
		"--weight nosuch=1":                           "--weight nosuch: no fault is named so, and no run has one; one of kill,",
	} {
		if got := assayIn(t, dir, append([]string{"evidence", "runs"}, strings.Fields(args)...)...); got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit %d, %q; want %q", args, got.code, got.err, want)
		}
	}
	if weighed := assayIn(t, dir, "evidence", "runs", "--weight", "kill=1"); !strings.Contains(weighed.out, "drill of kill shows anything") {
		t.Errorf("a weight without a drill: %s%s", weighed.out, weighed.err)
	}
	text := assayIn(t, dir, "evidence", "runs", "--since", "2026-06-15")
	if text.code != 0 || !strings.Contains(text.out, "1 run from 2026-06-2") || !strings.Contains(text.out, "never drilled: kill") {
		t.Errorf("exit %d\n%s%s", text.code, text.out, text.err)
	}
	if md := assayIn(t, dir, "evidence", "runs", "--model", "m", "-o", "markdown"); !strings.HasPrefix(md.out, "## EVIDENCE: 3 runs of 1 service") {
		t.Errorf("%s%s", md.out, md.err)
	}
	if all := assayIn(t, dir, "evidence", "runs"); !strings.Contains(all.out, "broken, of ?: its run.json is damaged") {
		t.Errorf("%s%s", all.out, all.err)
	}
}

func listing(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			i, err := d.Info()
			if err != nil {
				return err
			}
			out = append(out, fmt.Sprint(path, i.Size(), i.ModTime()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEvidenceCurrent: a result older than the records, or by a version that left no exposure, is computed anew.
func TestEvidenceCurrent(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, hourOf(t, dir, "a", 1_780_000_000_000, false))
	result := filepath.Join(run, "result.json")
	if got := assayIn(t, dir, "assess", "runs/a"); got.code != 0 {
		t.Fatal(got.err)
	}
	if current(run) == nil {
		t.Fatal("the result of a moment ago is not current")
	}
	if got := assayIn(t, dir, "evidence", "runs"); got.err != "" {
		t.Errorf("a current result was not taken: %s", got.err)
	}
	if got := assayIn(t, dir, "evidence", "runs", "--assess"); got.err != "assess runs/a\n" {
		t.Errorf("--assess: %q", got.err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(result, past, past); err != nil {
		t.Fatal(err)
	}
	if current(run) != nil {
		t.Error("a result older than its records is current")
	}
	raw, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(result, []byte(strings.Replace(string(raw), `"exposure"`, `"older"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if current(run) != nil {
		t.Error("a result without exposure is current")
	}
}

func TestEvidenceRefuses(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]string{
		"nowhere":                             "no such file",
		".":                                   "no run that is asked for lies below .",
		". --objective mtbf/service":          "write metric=bound@confidence",
		". --objective mtbf/service=720h@40%": `confidence "40%" is out of range`,
		". --objective mtbf/service=9%":       "write a duration such as",
		". --objective ttft/p95=1s":           `"ttft/p95" is unknown; one of mtbf/service`,
		". --objective mtbf/service{fault=kill}=1h": "there is no label fault=kill",
		". --objective mtbf/service=0h":             "more than 0",
		". --objective availability/natural=99.9":   "bound 99.9 is 9990 %; at most 100%, for example 99.9% or 0.999",
		". --objective coverage=150%":               "bound 150% is 150 %; at most 100%",
		". --sequential mtbf/service=720h":          "write mtbf/UNIT=good:bad@confidence",
		". --sequential mtbf/service=720h:800h":     "the bad 800h is out of range",
		". --sequential mtbf/service=720h:9%":       "write a duration such as",
		". --sequential mtbf/service=720h:9h@4%":    `--sequential mtbf/service: confidence "4%"`,
		". --since yesterday":                       `--since "yesterday" is no time`,
		". --stale 5":                               "--stale 5 is out of range",
		". --weight kill":                           "write fault=share",
		". --weight kill=.5 --weight hang=.4":       "the shares add up to 0.9; want 1",
		". --output xml":                            "text, markdown or json",
	} {
		if got := assayIn(t, dir, append([]string{"evidence"}, strings.Fields(args)...)...); got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit %d, %q; want %q", args, got.code, got.err, want)
		}
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// inPlan parses a load and draws its schedule.
func inPlan(t *testing.T, dir, load string) (*loadgen.Schedule, error) {
	t.Helper()
	p, err := plan.Parse(filepath.Join(dir, "plan.yaml"), []byte("apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\nload: ["+load+"]\n"))
	if err != nil {
		return nil, err
	}
	ph, err := phases(p)
	if err != nil {
		return nil, err
	}
	return loadgen.NewSchedule(ph, p.Seed)
}

func files(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, "t.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00.0,10,3\n2023-11-16 18:00:01.0,20,0\n2023-11-16 18:00:01.0,30,5\n2023-11-16 18:00:04.0,40,6\n")
	write(t, dir, "u.csv", "at,who\n0,a\n1,b\n2,b\n")
	write(t, dir, "h.csv", "10,1\n200,1\n")
	write(t, dir, "p.txt", "one\ntwo\nthree\n")
	return dir
}

// TestEachLoadSettingCounts: every setting of a load changes what is sent.
func TestEachLoadSettingCounts(t *testing.T) {
	dir := files(t)
	base := "{name: a, for: 20s, arrivals: {poisson: {rate: 5/s}}"
	trace := "{name: a, arrivals: {trace: {files: [t.csv]"
	seen := map[string]string{}
	for _, load := range []string{
		base + "}", base + ", max: 5}", base + ", class: x}", base + ", settle: true}", base + ", role: warmup}",
		base + ", prompt: 65}", base + ", output: 33}", base + ", prompt: {uniform: {min: 1, max: 9}}}", base + ", prompt: {normal: {mean: 64, sd: 9}}}",
		base + ", prompt: {normal: {mean: 64, sd: 9, min: 60}}}", base + ", prompt: {normal: {mean: 64, sd: 9, max: 66}}}", base + ", prompt: {lognormal: {mean: 64, sd: 9}}}",
		base + ", prompt: {histogram: h.csv}}", base + ", prompt: {trace: t.csv}}", base + ", output: {trace: t.csv}}",
		base + ", prefix: {tokens: 8}}", base + ", prefix: {tokens: 9}}", base + ", prefix: {tokens: 8, share: 0.5}}", base + ", prefix: {tokens: 8, groups: 3}}", base + ", prefix: {tokens: 8, groups: 3, skew: 2}}",
		base + ", session: {turns: 3}}", base + ", session: {turns: 3, think: 1s}}", base + ", session: {turns: 3, think: {mean: 1s, cv: 1}}}", base + ", session: {turns: 3, message: 5}}",
		base + ", mix: [{class: x}]}", base + ", mix: [{class: x}, {class: y}]}", base + ", mix: [{class: x}, {class: y, weight: 2}]}", base + ", mix: [{class: x, headers: {x-t: '1'}}]}",
		base + ", mix: [{class: x, prompt: 9}]}", base + ", mix: [{class: x, output: 9}]}",
		base + ", prompts: p.txt}", base + ", prompts: {file: p.txt, random: true}}",
		"{name: a, for: 21s, arrivals: {poisson: {rate: 5/s}}}", "{name: b, for: 20s, arrivals: {poisson: {rate: 5/s}}}",
		"{name: a, for: 20s, arrivals: {poisson: {rate: 6/s}}}", "{name: a, for: 20s, arrivals: {poisson: {rate: 5/s, to: 6/s}}}", "{name: a, for: 20s, arrivals: {even: {rate: 5/s}}}",
		"{name: a, for: 20s, arrivals: {gamma: {rate: 5/s}}}", "{name: a, for: 20s, arrivals: {gamma: {rate: 5/s, cv: 3}}}", "{name: a, for: 20s, arrivals: {gamma: {rate: 5/s, shape: 3}}}", "{name: a, for: 20s, arrivals: {gamma: {rate: 5/s, to: 9/s}}}",
		"{name: a, for: 20s, arrivals: {weibull: {rate: 5/s}}}", "{name: a, for: 20s, arrivals: {weibull: {rate: 5/s, shape: 2}}}",
		"{name: a, arrivals: {stages: {stages: [{rate: 5/s, for: 20s, ramp: 5s}]}}}", "{name: a, arrivals: {stages: {even: true, stages: [{rate: 5/s, for: 20s, ramp: 5s}]}}}",
		"{name: a, for: 20s, arrivals: {diurnal: {rate: 5/s}}}", "{name: a, for: 20s, arrivals: {diurnal: {rate: 5/s, amplitude: 0}}}", "{name: a, for: 20s, arrivals: {diurnal: {rate: 5/s, period: 9s}}}", "{name: a, for: 20s, arrivals: {diurnal: {rate: 5/s, offset: 9s}}}",
		"{name: a, for: 20s, arrivals: {onoff: {rate: 5/s}}}", "{name: a, for: 20s, arrivals: {onoff: {rate: 5/s, base: 1/s}}}", "{name: a, for: 20s, arrivals: {onoff: {rate: 5/s, on: 1s}}}", "{name: a, for: 20s, arrivals: {onoff: {rate: 5/s, off: 1s}}}", "{name: a, for: 20s, arrivals: {onoff: {rate: 5/s, random: true}}}",
		"{name: a, arrivals: {ladder: {max: 20s}}}", "{name: a, arrivals: {ladder: {max: 20s, start: 2s}}}", "{name: a, arrivals: {ladder: {max: 20s, factor: 2}}}", "{name: a, arrivals: {ladder: {max: 20s, repeat: 2}}}",
		trace + "}}}", trace + ", from: 500ms}}}", trace + ", to: 2s}}}", trace + ", timeScale: 2}}}", trace + ", rateScale: 3}}}", trace + ", rateScale: 3, jitter: 5ms}}}",
		trace + ", zero: drop}}}", trace + ", spread: even, step: 1s}}}", trace + ", spread: random, step: 1s}}}", trace + ", spread: even, step: 500ms}}}", trace + ", max: 2}}}",
		"{name: a, arrivals: {trace: {kind: csv, files: [u.csv], columns: {time: at}}}}", "{name: a, arrivals: {trace: {kind: csv, files: [u.csv], columns: {time: at, unit: ms}}}}", "{name: a, arrivals: {trace: {kind: csv, files: [u.csv], columns: {time: at, class: who}}}}",
		"{name: a, for: 20s, closed: {n: 3}}", "{name: a, for: 20s, closed: {n: 4}}", "{name: a, for: 20s, closed: {n: 3, think: 1s}}", "{name: a, for: 20s, closed: {n: 3, think: {mean: 1s, cv: 1}}}", "{name: a, for: 20s, closed: {n: 3, ramp: 1s}}",
		"{preset: load, for: 20s}", "{preset: load, for: 20s, rate: 9/s}", "{preset: soak, for: 20s}", "{preset: latency, for: 20s}", "{preset: concurrency, for: 20s}", "{preset: concurrency, for: 20s, n: 3}",
		"{preset: stress, slo: {error_ratio: 1%}}", "{preset: stress, slo: {error_ratio: 2%}}", "{name: a, search: {saturation: {start: 1/s, slo: {error_ratio: 1%}}}}, {name: h, hold: {of: a}, for: 1s}",
		"{name: a, search: {saturation: {start: 1/s, slo: {error_ratio: 1%}}}}, {name: h, hold: {of: a, share: 0.5}, for: 1s}",
	} {
		s, err := inPlan(t, dir, load)
		if err != nil {
			t.Errorf("%s: %v", load, err)
			continue
		}
		if other, taken := seen[s.Hash()]; taken {
			t.Errorf("%s\nis the same load as\n%s", load, other)
		}
		seen[s.Hash()] = load
	}
}

// TestLoadFilesAreNamed: what is wrong with a file that a load names is said where the plan names it.
func TestLoadFilesAreNamed(t *testing.T) {
	dir := files(t)
	write(t, dir, "bad.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n")
	for load, want := range map[string]string{
		"{name: a, arrivals: {trace: none.csv}}":                                                                ":4:36: load[0].arrivals.trace: read trace: open " + dir + "/none.csv: no such file",
		"{name: a, arrivals: {trace: bad.csv}}":                                                                 `:4:36: load[0].arrivals.trace: ` + dir + `/bad.csv:2: column TIMESTAMP "yesterday"`,
		"{name: a, for: 1s, closed: {n: 1}, prompts: none.txt}":                                                 "load[0].prompts: read prompts: open " + dir + "/none.txt",
		"{name: a, for: 1s, closed: {n: 1}, prompt: {histogram: p.txt}}":                                        `load[0].prompt.histogram: ` + dir + `/p.txt:2: "two": want a length`,
		"{name: a, for: 1s, closed: {n: 1}, output: {trace: {kind: csv, files: [u.csv], columns: {time: at}}}}": "load[0].output.trace: the trace gives no such length; say which column holds it",
		"{preset: load, prompts: none.txt}":                                                                     "plan.yaml:4:32: load[0].prompts: read prompts",
	} {
		if _, err := inPlan(t, dir, load); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", load, err, want)
		}
	}
}

// TestValidateTellsTheLoad: validate says what each phase will do and names the schedule that the run then has.
func TestValidateTellsTheLoad(t *testing.T) {
	dir := files(t)
	load := "load:\n- {name: g, arrivals: {gamma: {rate: 5/s, cv: 3}}, for: 20s, mix: [{class: x, weight: 3}, {class: y}], prompt: {lognormal: {mean: 40, sd: 9}}}\n" +
		"- {name: r, arrivals: {trace: {files: [t.csv], spread: even, step: 1s, to: 3s}}}\n- {name: c, closed: {n: 2, think: {mean: 1s, cv: 1}}, for: 1s}\n"
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, model: nano}\n"+load)
	got := assayIn(t, dir, "validate", "plan.yaml")
	s, err := inPlan(t, dir, strings.NewReplacer("load:\n- ", "", "\n- ", ", ", "\n", "").Replace(load))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, o := range must(s.Outlook()) {
		n += max(o.Requests, 0)
	}
	for _, want := range []string{
		fmt.Sprintf("about %d requests in 24s, and what c makes in the run; schedule %.16s", n, s.Hash()),
		"gamma gaps of variation 3 at 5/s", "prompts of 40±9 tokens, lognormal; answers of 32 tokens; classes x 75 %, y 25 %",
		"as recorded in t.csv", "azure-llm: 4 rows read up to the window's end, 1 outside the window, 1 with a length of zero tokens; those get one token; requests of one stamp are spread over its step of 1s: even",
		"a closed loop of 2, 1s of thought between them (variation 1)", "decided in the run",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s%s", want, got.out, got.err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "t.csv")); err != nil {
		t.Fatal(err)
	}
	if got := assayIn(t, dir, "validate", "plan.yaml"); got.code != 2 || !strings.Contains(got.err, "plan.yaml:6:31: load[1].arrivals.trace: read trace") {
		t.Errorf("exit %d, %s", got.code, got.err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

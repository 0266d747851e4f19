package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const k6Plan = "apiVersion: assay/v1\nname: Pre.Release\ntarget: {kind: openai, url: 'http://model:8000', model: m, auth: {env: TOKEN}}\n" +
	"load:\n  - {name: a, k6: sub/chat.js, env: {TOPIC: boats}, args: [--tag, a=b]}\n"

// TestK6Manifests writes what a cluster needs, from a plan and from a script alone.
func TestK6Manifests(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "plan.yaml", k6Plan)
	write(t, dir, "two.yaml", k6Plan+"  - {name: b, k6: sub/chat.js}\n")
	write(t, dir, "none.yaml", strings.Replace(k6Plan, "k6: sub/chat.js, env: {TOPIC: boats}, args: [--tag, a=b]", "for: 1s", 1))
	write(t, dir, "sandbox.yaml", strings.Replace(k6Plan, "kind: openai, url: 'http://model:8000', model: m, auth: {env: TOKEN}", "kind: sandbox", 1))
	write(t, dir, "sub/chat.js", "import './lib.js';\nexport default function () {}\n")
	write(t, dir, "sub/lib.js", "export const x = 1;\n")
	write(t, dir, "trace.csv", "a,b\n")
	common := []string{"--image", "reg/assay-k6:1", "--run-id", "00112233445566aa"}

	got := assayIn(t, dir, append([]string{"k6", "manifests", "plan.yaml", "--parallelism", "3", "--token-secret", "model/token", "--out", "out", "--file", "trace.csv"}, common...)...)
	if got.code != 0 {
		t.Fatal(got.err)
	}
	want := []string{"out/Dockerfile", "out/configmap.yaml", "out/rbac.yaml", "out/results.yaml", "out/testrun.yaml", "out/after/merge.yaml"}
	if diff := cmp.Diff(want, strings.Fields(got.out)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for file, parts := range map[string][]string{
		"testrun.yaml":   {"name: pre-release", "parallelism: 3", "file: chat.js", `"--out assay=/results/00112233445566aa/{host} --summary-mode=disabled --tag a=b"`, `value: "boats"`, `value: "http://model:8000"`, "key: token"},
		"configmap.yaml": {"import './lib.js'", "export const x = 1;", "trace.csv: |"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, "out", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if !strings.Contains(string(text), p) {
				t.Errorf("%s: want %s in\n%s", file, p, text)
			}
		}
	}
	got = assayIn(t, dir, append([]string{"k6", "manifests", "sub/chat.js", "--url", "http://m", "--model", "n", "--kind", "tgi", "--env", "A=b=c", "--name", "x", "--namespace", "load"}, common...)...)
	if got.code != 0 || strings.Count(got.out, "\n---\n") != 6 || strings.Contains(got.out, "kind: Job") || strings.Contains(got.out, "FROM") {
		t.Errorf("exit %d, %s:\n%s", got.code, got.err, got.out)
	}
	for _, p := range []string{"name: x\n", "namespace: load", `value: "b=c"`, `value: "tgi"`, "parallelism: 1"} {
		if !strings.Contains(got.out, p) {
			t.Errorf("want %s in\n%s", p, got.out)
		}
	}
	for want, args := range map[string][]string{
		"name a Secret with --token-secret":    {"plan.yaml"},
		"choose with --phase: a, b":            {"two.yaml"},
		`--phase "c" runs no script; one of a`: {"plan.yaml", "--phase", "c"},
		"no phase runs a script":               {"none.yaml"},
		"the sandbox runs on one machine only": {"sandbox.yaml"},
		"read the script: open gone.js":        {"gone.js"},
		`--env "A": write NAME=value`:          {"sub/chat.js", "--env", "A"},
		"--phase goes with a plan":             {"sub/chat.js", "--phase", "a"},
		"parallelism 0: want 1 to 1000":        {"sub/chat.js", "--parallelism", "0"},
		"--file: open gone.csv":                {"sub/chat.js", "--file", "gone.csv"},
		"image: name the one that":             {"sub/chat.js", "--image", ""},
		`namespace "A_b": want lower-case`:     {"sub/chat.js", "--namespace", "A_b"},
		`argument "a b": the operator splits`:  {"args.yaml", "--token-secret", "a/b"},
		`run id "xyz": want 16 hex digits`:     {"sub/chat.js", "--run-id", "xyz"},
		`token secret "token": want NAME/KEY`:  {"sub/chat.js", "--token-secret", "token"},
		`name "-": want up to 40 lower-case`:   {"sub/chat.js", "--name", "-"},
		"want assay k6 manifests PLAN|SCRIPT --image IMAGE --parallelism N, got 2 arguments": {"sub/chat.js", "more"},
		`unknown flag: --parallel`:              {"sub/chat.js", "--parallel", "2"},
		"no phase runs a script; write for exa": {"none.yaml", "--phase", "a"},
	} {
		write(t, dir, "args.yaml", strings.Replace(k6Plan, "a=b", "a b", 1))
		if got := assayIn(t, dir, append(append([]string{"k6", "manifests"}, common...), args...)...); got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%q: exit %d and %q, want 2 and %q", args, got.code, got.err, want)
		}
	}
}

// TestK6Missing says how to come by the binary before anything is begun.
func TestK6Missing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", strings.Replace(okPlan, "arrivals: {even: {rate: 5/s}}, for: 1s", "k6: chat.js", 1))
	write(t, dir, "chat.js", "export default function () {}\n")
	write(t, dir, "notk6", "#!/bin/sh\necho k6 v2.2.0\n")
	if err := os.Chmod(filepath.Join(dir, "notk6"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		env  string
		want string
	}{
		"nowhere": {env: "PATH=/nowhere", want: "load phase a: assay-k6 is neither on PATH nor beside assay; build it in a checkout with `cd loadgen/k6 && go build"},
		"flag":    {args: []string{"--k6-binary", "/nowhere/assay-k6"}, want: "load phase a: find assay-k6: "},
		"env":     {env: "ASSAY_K6=/nowhere/assay-k6", want: "load phase a: find assay-k6: "},
		"plain":   {args: []string{"--k6-binary", "./notk6"}, want: "notk6: it is a k6 without assay; build it"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := cli(t, dir, append([]string{"run", "plan.yaml", "--ui", "none"}, tt.args...)...)
			cmd.Env = append(cmd.Env, "ASSAY_K6=", tt.env)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(out), tt.want) {
				t.Errorf("exit %d and %q, want 3 and %q", code, out, tt.want)
			}
			if runs := runsIn(t, dir); len(runs) > 0 {
				t.Errorf("left behind: %q", runs)
			}
		})
	}
}

// TestK6Doubts: validate says of a credential that ends or does not reach a script.
func TestK6Doubts(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "chat.js", "export default function () {}\n")
	const body = "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://h', model: m, auth: AUTH}\nload: [{name: a, for: 1s, closed: {n: 1}}, {name: b, k6: chat.js, for: 1h}]\n"
	for auth, want := range map[string]string{
		"{env: HOME}":               "",
		"{exec: {command: 'true'}}": "doubt     phase b: k6 is given the token of its begin and cannot ask for another: where one of target.auth.exec",
		"{aws: {service: bedrock}}": "doubt     phase b: k6 is given no keys, and its requests are not signed",
		"{oidc: {tokenURL: 'http://h', clientID: c, clientSecret: {env: HOME}}}": "doubt     phase b: k6 is given the token of its begin and cannot ask for another: where one of target.auth.oidc",
	} {
		write(t, dir, "plan.yaml", strings.Replace(body, "AUTH", auth, 1))
		got := assayIn(t, dir, "validate", "plan.yaml")
		if got.code != 0 || !strings.Contains(got.out, want) || strings.Contains(got.out, "k6 is given") != (want != "") || strings.Contains(got.out, "phase a: k6") {
			t.Errorf("%s: exit %d\n%s%s", auth, got.code, got.out, got.err)
		}
	}
}

// TestK6Complaint finds what k6 has to say in its log.
func TestK6Complaint(t *testing.T) {
	for log, want := range map[string]string{
		"":                             "",
		"time=\"x\" level=info msg=hi": "",
		"level=error msg=\"first\"\ntime=\"x\" level=error msg=\"Error: no \\\"luck\\\"\\n\\tat file:1\" executor=e source=stacktrace\nlevel=info msg=\"bye\"\n": `Error: no "luck"`,
		"level=error msg=plain": "plain",
	} {
		if got := k6Complaint([]byte(log)); got != want {
			t.Errorf("%q: got %q, want %q", log, got, want)
		}
	}
}

// TestMergeCommand refuses what is no part of a distributed test, and leaves nothing.
func TestMergeCommand(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		`required flag(s) "out" not set`:                     {"a", "b"},
		"want assay merge DIR... --out DIR, got 1 arguments": {"a", "--out", "c"},
		"merge a: open run a: not a run":                     {"a", "b", "--out", "c"},
		`--output "pdf" is unknown; text`:                    {"a", "b", "--out", "c", "--output", "pdf"},
		`invalid argument "soon" for "--cl`:                  {"a", "b", "--out", "c", "--clock-error", "soon"},
	} {
		got := assayIn(t, dir, append([]string{"merge"}, args...)...)
		if got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%q: exit %d and %q, want 2 and %q", args, got.code, got.err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "c")); err == nil {
		t.Error("a directory was left")
	}
}

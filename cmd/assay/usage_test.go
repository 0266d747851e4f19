package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const okPlan = "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, model: nano}\nload: [{name: a, arrivals: {even: {rate: 5/s}}, for: 1s}]\n"

// TestRefusals: bad input gets one clear line, its exit status, and leaves nothing behind.
func TestRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	for _, tt := range []struct {
		name string
		plan string
		args []string
		code int
		want string // in the one line on stderr
	}{
		{"unknown key", strings.Replace(okPlan, "rate:", "rats:", 1), []string{"run", "plan.yaml"}, 2, `plan.yaml:4:36: load[0].arrivals.even.rats: unknown key "rats"; did you mean "rate"?`},
		{"bad duration", strings.Replace(okPlan, "1s}", "soon}", 1), []string{"run", "plan.yaml"}, 2, `"soon" is not a duration; write for example`},
		{"no such plan", "", []string{"run", "missing.yaml"}, 2, "read plan: open missing.yaml: no such file"},
		{"unreachable", "", []string{"run", "--url", "http://" + nobody, "--slo", "ttft/p95=2s"}, 3, "reach the target http://" + nobody + ": connect: connection refused"},
		{"port in use", okPlan + "collect: {otlp: {http: '" + taken.Addr().String() + "', grpc: '127.0.0.1:0'}}\n", []string{"run", "plan.yaml"}, 3, "address already in use"},
		{"metrics port in use", okPlan, []string{"run", "plan.yaml", "--metrics", taken.Addr().String()}, 3, "address already in use"},
		{"metrics off loopback", okPlan, []string{"run", "plan.yaml", "--metrics", "0.0.0.0:0"}, 2, `--metrics "0.0.0.0:0" can be reached from other machines, so scrapers must show a token: name the environment variable that holds one by --metrics-token-env`},
		{"metrics' token unset", okPlan, []string{"run", "plan.yaml", "--metrics", "0.0.0.0:0", "--metrics-token-env", "ASSAY_NO_SUCH"}, 2, "--metrics-token-env: the environment variable ASSAY_NO_SUCH is not set"},
		{"metrics' token of nothing", okPlan, []string{"run", "plan.yaml", "--metrics-token-env", "ASSAY_NO_SUCH"}, 2, "--metrics-token-env goes with --metrics"},
		{"metrics of load", "", []string{"load", "--url", "http://" + nobody, "--metrics", ":9464"}, 2, "scrapers must show a token"},
		{"no slo", "", []string{"run", "--url", "http://" + nobody}, 2, "--slo: say what must hold"},
		{"slo of nothing", "", []string{"run", "--url", "http://" + nobody, "--slo", "ttft/p95"}, 2, "write metric=bound"},
		{"slo's unit", "", []string{"run", "--url", "http://" + nobody, "--slo", "ttft/p95=3%"}, 2, "write a duration such as 800ms"},
		{"slo of no side", "", []string{"run", "--url", "http://" + nobody, "--slo", "load/offered=3/s"}, 2, "--slo load/offered: neither more nor less of load/offered is better; ask for it among the objectives of a plan"},
		{"key in url", "", []string{"run", "--url", "http://" + nobody + "/f?code=x", "--slo", "ttft/p95=2s"}, 2, `target.url: "code" in the query of a URL may carry a credential`},
		{"dry run without url", okPlan, []string{"run", "plan.yaml", "--dry-run"}, 2, "--dry-run goes with --url; of a plan assay validate PLAN says what it will send"},
		{"slo without url", "", []string{"run", "--slo", "ttft/p95=2s"}, 2, "--slo goes with --url"},
		{"unset token", "", []string{"run", "--url", "http://" + nobody, "--slo", "ttft/p95=2s", "--token-env", "ASSAY_NO_SUCH"}, 2, "ASSAY_NO_SUCH is not set"},
		{"unknown flag", "", []string{"run", "--sed", "1"}, 2, "unknown flag: --sed"},
		{"unknown command", "", []string{"rum"}, 2, `"rum" is no command of assay; did you mean "run"?`},
		{"no run", "", []string{"assess", "."}, 2, "not a run directory: it has no run.json"},
		{"no run, heal", "", []string{"heal", "."}, 2, "not a run directory: it has no run.json"},
		{"no such directory", "", []string{"report", "nowhere"}, 2, "nowhere"},
		{"output", "", []string{"run", "--output", "pdf"}, 2, `--output "pdf" is unknown`},
		{"fault that is not there", okPlan + "chaos: [{fault: kil, at: 500ms}]\n", []string{"validate", "plan.yaml"}, 2, `did you mean "kill"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.plan != "" {
				write(t, dir, "plan.yaml", tt.plan)
			}
			got := assayIn(t, dir, tt.args...)
			if got.code != tt.code || !strings.Contains(got.err, tt.want) {
				t.Errorf("got exit %d and %q\nwant exit %d and %q", got.code, got.err, tt.code, tt.want)
			}
			if n := strings.Count(got.err, "\n"); n != 1 {
				t.Errorf("%d lines, want one:\n%s", n, got.err)
			}
			if got.out != "" {
				t.Errorf("standard output: %q", got.out)
			}
			if _, err := os.Stat(filepath.Join(dir, "runs")); err == nil {
				t.Errorf("a refused run left %v", runsIn(t, dir))
			}
			if left := ours(t, dir); len(left) > 0 {
				t.Errorf("a refused run left processes %v", left)
			}
		})
	}
}

func TestSmallCommands(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", okPlan+"objectives: [{metric: mtbf/service, min: 720h}]\n")
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"version"}, []string{"assay ", "linux"}},
		{[]string{"schema"}, []string{`"title": "assay plan"`}},
		{[]string{"validate", "plan.yaml"}, []string{"t: valid", "CANNOT be decided", "2156h55m38s without a failure are needed"}},
		{[]string{"validate"}, []string{"demo: valid", "SIGKILL to the process of 1 ready instance"}},
		{[]string{"list"}, []string{"kill", "otlp", "poisson", "ttft/pNN", "html", "cold_start"}},
		{[]string{"list", "fault", "-o", "json"}, []string{`"part": "fault"`}},
		{[]string{"dashboards", "out"}, []string{"run-overview.json"}},
		{[]string{"heal"}, nil},
	} {
		got := assayIn(t, dir, tt.args...)
		if got.code != 0 || got.err != "" {
			t.Errorf("%v: exit %d, stderr %q", tt.args, got.code, got.err)
		}
		for _, w := range tt.want {
			if !strings.Contains(got.out, w) {
				t.Errorf("%v: %q is not in\n%s", tt.args, w, got.out)
			}
		}
	}
}

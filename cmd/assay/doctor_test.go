package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay/chaos"
)

// doctor runs assay doctor and returns its findings by area, each as "state text".
func doctor(t *testing.T, dir string, args ...string) (found map[string][]string, starts bool, code int) {
	t.Helper()
	got := assayIn(t, dir, append([]string{"doctor", "-o", "json"}, args...)...)
	var out struct {
		Starts   bool
		Findings []diagnosis
	}
	if err := json.Unmarshal([]byte(got.out), &out); err != nil {
		t.Fatalf("%v: %s%s", err, got.out, got.err)
	}
	found = map[string][]string{}
	for _, f := range out.Findings {
		found[f.Area] = append(found[f.Area], f.State+" "+f.Text)
	}
	return found, out.Starts, got.code
}

// Without a plan doctor looks at the machine and says of each kind of fault whether it works.
func TestDoctorOfTheMachine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	found, starts, code := doctor(t, dir)
	if !starts || code != 0 {
		t.Errorf("starts %v, exit %d: %v", starts, code, found)
	}
	for _, e := range examinations {
		if (len(found[e.area]) == 0) != e.plan {
			t.Errorf("%s: %v", e.area, found[e.area])
		}
	}
	all := strings.Join(found["faults"], "\n")
	for _, k := range chaos.Kinds() {
		if !strings.Contains(all, k.Name) {
			t.Errorf("nothing is said of %s: %s", k.Name, all)
		}
		if err := k.Available(); err != nil && !strings.Contains(all, "warn "+k.Name+": "+err.Error()) {
			t.Errorf("it is not said why there is no %s: %s", k.Name, all)
		}
	}
	if text := strings.Join(found["guardian"], ""); !strings.HasPrefix(text, "ok the guardian") {
		t.Error(text)
	}
	got := assayIn(t, dir, "doctor")
	if got.code != 0 || !strings.HasPrefix(got.out, "machine      ok    ") || !strings.Contains(got.out, "\n\nthe built-in plan could start: ") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	if got := assayIn(t, dir, "doctor", "-o", "xml"); got.code != 2 {
		t.Errorf("--output xml: exit %d", got.code)
	}
	if runs := runsIn(t, dir); len(runs) > 0 {
		t.Errorf("it made %v", runs)
	}
}

// With a plan it says whether that could start, and of each thing that could not be had, what.
func TestDoctorOfAPlan(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Setenv("ASSAY_TEST_SECRET", "swordfish")
	t.Setenv("PATH", t.TempDir()) // no k6, no driver of GPUs
	const load = "load: [{name: a, for: 10s, arrivals: {even: {rate: 2/s}}}]\n"
	for _, tc := range []struct {
		name, plan string
		area       string
		want       string
		starts     bool
	}{
		{"sandbox", "target: {kind: sandbox}\n" + load + "chaos: [{fault: kill, at: 1s}]\n", "faults", "ok chaos[0]: kill by local", true},
		{"no name", "target: {kind: sandbox}\n" + load + "chaos: [{fault: dns, at: 1s, for: 1s}]\n", "plan", "fail plan.yaml:5:17: chaos[0].fault: the sandbox's workers look up no name; set target.sandbox.weightsHost; for example weights.example", false},
		{"no GPU", "target: {kind: sandbox}\n" + load + "chaos: [{fault: gpu-clocks, at: 1s, for: 1s, mhz: 600}]\n", "faults", "fail chaos[0]: gpu-clocks cannot be done here: nvidia-smi, which comes with the driver of NVIDIA GPUs, is not on PATH", false},
		{"up", "target: {kind: http, url: '" + up.URL + "'}\n" + load, "target", "ok " + up.URL + " takes connections; nothing was sent", true},
		{"gone", "target: {kind: http, url: '" + gone.URL + "'}\n" + load, "target", "fail reach the target " + gone.URL + ": connect: connection refused", false},
		{"secret", "target: {kind: http, url: '" + up.URL + "', auth: {env: ASSAY_TEST_SECRET}}\n" + load, "credentials", "ok target.auth: found, and not shown", true},
		{"no secret", "target: {kind: http, url: '" + up.URL + "', auth: {env: ASSAY_TEST_NONE}}\n" + load, "credentials", "fail target.auth.env: the environment variable ASSAY_TEST_NONE is not set", false},
		{"ports", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "collect: {otlp: {grpc: '" + taken.Addr().String() + "', http: '127.0.0.1:0'}}\n", "ports", "fail listen tcp " + taken.Addr().String() + ": bind: address already in use", false},
		{"metrics", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "collect: {prometheus: [{url: '" + up.URL + "/metrics'}]}\n", "collect", "warn collect.prometheus[0]: GET " + up.URL + "/metrics: status 404", true},
		{"writes", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "collect: {remoteWrite: {listen: '" + taken.Addr().String() + "'}}\n", "writes", "fail remote write: listen on " + taken.Addr().String() + ": listen tcp", false},
		{"guard", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "guards: [{promql: up, prometheus: '" + gone.URL + "', min: 1}]\n", "guards", "fail guard up cannot be asked", false},
		{"stopped", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "stop: {file: s.js}\n", "credentials", "fail stop.file: ", false},
		{"stop", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "stop: {http: {token: {env: ASSAY_TEST_SECRET}}}\n", "credentials", "ok stop: will be heeded", true},
		{"told without a token", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "notify: [{url: 'http://h', token: {env: ASSAY_TEST_NONE}}]\n", "credentials", "fail notify[0].token.env: the environment variable ASSAY_TEST_NONE is not set", false},
		{"alerts", "target: {kind: http, url: '" + up.URL + "'}\n" + load + "alerts: {alertmanager: '" + gone.URL + "', expect: [A], silence: true}\n", "alerts", "fail alerts.alertmanager: GET " + gone.URL + "/api/v2/silences: dial tcp", false},
		{"no k6", "target: {kind: http, url: '" + up.URL + "'}\nload: [{name: a, k6: s.js, for: 10s}]\n", "k6", "fail load phase a: assay-k6 is neither on PATH nor beside assay", false},
		{"no pod", "target: {kind: http, url: '" + up.URL + "', deployment: {kubernetes: {kubeconfig: none, pods: a=b, workload: deployment/x}}}\n" + load + "chaos: [{fault: scale, at: 1s, for: 1s, replicas: 1}]\n", "deployment", "fail target.deployment.kubernetes: ", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "s.js", "export default function () {}\n")
			write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: t\n"+tc.plan)
			found, starts, code := doctor(t, dir, "plan.yaml")
			if !slices.ContainsFunc(found[tc.area], func(line string) bool { return strings.HasPrefix(line, tc.want) }) {
				t.Errorf("%s: %q, want %q; all: %v", tc.area, found[tc.area], tc.want, found)
			}
			if want := map[bool]int{true: 0, false: 3}[tc.starts]; starts != tc.starts || code != want {
				t.Errorf("starts %v, exit %d; want %v, %d: %v", starts, code, tc.starts, want, found)
			}
			if text := assayIn(t, dir, "doctor", "plan.yaml"); strings.Contains(text.out+text.err, "swordfish") {
				t.Error("the credential is shown")
			}
		})
	}
	if found, starts, code := doctor(t, t.TempDir(), "none.yaml"); starts || code != 3 || len(found["faults"]) > 0 || !strings.HasPrefix(strings.Join(found["plan"], ""), "fail read plan: open none.yaml") {
		t.Errorf("a plan that is not there: %v, exit %d", found, code)
	}
}

package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
)

// What two pods said in turn, as tools that read several at once write it: each line is of the pod that stands before it.
func TestPodsBeforeLines(t *testing.T) {
	said := []struct{ at, text string }{
		{"10:00:45", "INFO 11-20 10:00:45 [api_server.py:1755] vLLM API server version 0.10.0"},
		{"10:01:06", "INFO 11-20 10:01:06 [default_loader.py:262] Loading weights took 14.21 seconds"},
		{"10:01:20", `{"message":"Application startup complete.","level":"INFO"}`},
		{"10:01:21", ""},
	}
	pods := []string{"llm-7d9c6b5f4d-x2x7k", "llm-1"}
	want := func(res, ready string) (out []string) {
		for _, form := range []string{"0±%s started %s", "21000±%s phase %s weights_load for 14210", ready + "±%s ready %s"} {
			for _, p := range pods {
				out = append(out, fmt.Sprintf(form, res, p))
			}
		}
		return out
	}
	stamped, bare := want("1ms", "35000"), want("1s", "21000") // a line without a stamp is taken to be as old as the one before
	for name, tt := range map[string]struct {
		line func(pod, at, text string) string
		want []string
	}{
		"kubectl logs --prefix --timestamps": {func(pod, at, text string) string {
			return "[pod/" + pod + "/server] 2026-11-20T" + at + ".250000000Z " + text
		}, stamped},
		"kubectl logs --prefix": {func(pod, _, text string) string { return "[pod/" + pod + "/server] " + text }, bare},
		"stern":                 {func(pod, _, text string) string { return pod + " server " + text }, bare},
		"stern -A":              {func(pod, _, text string) string { return "prod " + pod + " server " + text }, bare},
		"stern -t": {func(pod, at, text string) string {
			return pod + " server 2026-11-20T" + strings.Replace(at, "10:", "12:", 1) + ".250000000+02:00 " + text
		}, stamped},
		"stern in colours": {func(pod, _, text string) string { return "\x1b[36m" + pod + "\x1b[0m \x1b[36;1mserver\x1b[0m " + text }, bare},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			n := int64(0)
			for _, s := range said {
				for _, p := range pods {
					b.WriteString(tt.line(p, s.at, s.text) + "\n")
					n++
				}
			}
			got, sum, _ := told(t, &logsKind, put(t, "all.log", b.String()), map[string]string{"year": "2026"})
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("records (-want +got):\n%s\ngot:\n%s", d, strings.Join(got, "\n"))
			}
			if sum.Read != n {
				t.Errorf("%d of %d lines were counted: %v", sum.Read, n, sum.Rejected)
			}
		})
	}
}

// Words are no pods.
func TestNoPodBefore(t *testing.T) {
	for _, text := range []string{
		"INFO 11-20 10:00:40 [x.py:1] y", "loading cuda-12 graph", "[pod/UPPER/c] x", "[1/2] downloading", `time=2026-11-20T10:00:00Z level=INFO source=x.go:1 msg=y`, "worker-tp server is up",
	} {
		if pod, rest := podBefore([]byte(text)); pod != "" || string(rest) != text {
			t.Errorf("%q: pod %q before %q", text, pod, rest)
		}
	}
}

// A node's directory of logs is read as a whole, each file as that of its pod.
func TestDirectoryOfPods(t *testing.T) {
	dir := t.TempDir()
	for _, pod := range []string{"llm-0", "llm-1"} {
		at := filepath.Join(dir, "pods", "prod_"+pod+"_0000", "server")
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		text := "2026-11-20T10:00:40.25Z stdout F INFO 11-20 10:00:45 [api_server.py:1755] vLLM API server version 0.10.0\n"
		if err := os.WriteFile(filepath.Join(at, "0.log"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := input.Open(t.Context(), []input.Spec{{Kind: &logsKind, Path: dir}}, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Summaries) != 2 || s.Summaries[0].Kept != 1 || s.Summaries[1].Kept != 1 {
		t.Errorf("%+v", s.Summaries)
	}
}

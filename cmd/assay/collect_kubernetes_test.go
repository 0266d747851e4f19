package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// apiServer is a stand-in for an API server with one pod, whose container runs out of memory as soon as it is watched. It may not be asked for nodes and has no Knative.
func apiServer(t *testing.T) *httptest.Server {
	t.Helper()
	stamp := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	pod := func(version int, restarts int, state string) string {
		return fmt.Sprintf(`{"metadata":{"name":"vllm-1","namespace":"models","uid":"u1","resourceVersion":"%d","creationTimestamp":%q,"labels":{"app":"vllm"}},
			"spec":{"containers":[{"name":"vllm"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":%q}],
			"containerStatuses":[{"name":"vllm","ready":true,"restartCount":%d,%s}]}}`, version, stamp(-time.Hour), stamp(-50*time.Minute), restarts, state)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, watching := r.URL.Path, r.URL.Query().Get("watch") != ""
		switch {
		case strings.HasSuffix(path, "selfsubjectaccessreviews"):
			var q struct {
				Spec struct {
					ResourceAttributes struct{ Verb, Resource string } `json:"resourceAttributes"`
				}
			}
			_ = json.NewDecoder(r.Body).Decode(&q)
			fmt.Fprintf(w, `{"status":{"allowed":%v}}`, q.Spec.ResourceAttributes.Verb == "watch" && q.Spec.ResourceAttributes.Resource != "events")
		case strings.HasSuffix(path, "/nodes"):
			http.Error(w, `{"message":"no"}`, http.StatusForbidden)
		case strings.Contains(path, "knative") || strings.Contains(path, "kserve"):
			http.NotFound(w, r)
		case strings.HasSuffix(path, "/pods") && !watching:
			fmt.Fprintf(w, `{"metadata":{"resourceVersion":"1"},"items":[%s]}`, pod(1, 0, fmt.Sprintf(`"state":{"running":{"startedAt":%q}}`, stamp(-51*time.Minute))))
		case strings.HasSuffix(path, "/pods"):
			fmt.Fprintf(w, `{"type":"MODIFIED","object":%s}`+"\n", strings.Join(strings.Fields(pod(2, 1, fmt.Sprintf(`"state":{"running":{"startedAt":%q}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":%q,"finishedAt":%q}}`,
				stamp(time.Second), stamp(-51*time.Minute), stamp(0)))), " "))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case watching:
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			fmt.Fprint(w, `{"metadata":{"resourceVersion":"1"},"items":[]}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestKubernetesIsWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
	}))
	t.Cleanup(target.Close)
	config := fmt.Sprintf("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u, namespace: models}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: hush}}]\n", apiServer(t).URL)
	plan := fmt.Sprintf("apiVersion: assay/v1\nname: k\ntarget: {kind: openai, url: %q, model: m, stream: false, deployment: {kubernetes: {kubeconfig: k.yaml, pods: app=vllm}}}\n"+
		"load: [{name: a, arrivals: {even: {rate: 5/s}}, for: 2s}]\ncollect: {kubernetes: {}}\n", target.URL)
	for name, text := range map[string]string{"k.yaml": config, "plan.yaml": plan} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, _, _ := doctor(t, dir, "plan.yaml")
	want := []string{"ok collect.kubernetes: 1 pod selected in namespace models", "warn collect.kubernetes: events may not be read: image pulls, failed probes and why pods wait will not be known",
		"warn collect.kubernetes: nodes may not be read: whether a machine was lost will not be known",
		"ok collect.kubernetes: may watch deployments, replicasets, statefulsets, horizontalpodautoscalers",
		"ok collect.kubernetes: the cluster has no revisions, podautoscalers, inferenceservices: nothing of them will be known"}
	if d := cmp.Diff(want, found["collect"]); d != "" {
		t.Errorf("doctor (-want +got):\n%s", d)
	}
	got := assayIn(t, dir, "run", "plan.yaml")
	runs, _ := filepath.Glob(filepath.Join(dir, "runs", "*", "events.jsonl"))
	if len(runs) != 1 {
		t.Fatalf("exit %d, runs %v: %s%s", got.code, runs, got.out, got.err)
	}
	events, err := os.ReadFile(runs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`"kind":"instance.ready","source":"kubernetes","instance":"vllm-1"`, `"reason":"oom"`, "nodes may not be read"} {
		if !strings.Contains(string(events), text) {
			t.Errorf("no %s in\n%s", text, events)
		}
	}
	if !strings.Contains(got.out, "instance vllm-1, oom at") {
		t.Errorf("the report does not tell of it:\n%s", got.out)
	}
}

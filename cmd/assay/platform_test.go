package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// miniCluster is a stand-in for an API server with one Deployment, whose pods serve a model: without pods, requests get 503. Its Jobs run and do nothing.
type miniCluster struct {
	mu       sync.Mutex
	replicas int
	notes    map[string]any
	version  int
	jobs     map[string]bool
	deny     string
	log      []string
	lag      time.Duration // of changes while there are no pods
}

func (c *miniCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if lag := c.lag; r.Method == http.MethodPatch && c.replicas == 0 && lag > 0 {
		c.mu.Unlock()
		time.Sleep(lag)
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	const deployment, jobs = "/apis/apps/v1/namespaces/models/deployments/llm", "/apis/batch/v1/namespaces/models/jobs"
	reply := func(status int, v any) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	body, _ := io.ReadAll(r.Body)
	var in struct {
		Metadata struct{ Name string }
		Spec     struct {
			ResourceAttributes struct{ Verb, Resource string }
		}
	}
	json.Unmarshal(body, &in)
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch what := r.Method + " " + r.URL.Path; {
	case strings.HasSuffix(what, "accessreviews"):
		a := in.Spec.ResourceAttributes
		reply(201, map[string]any{"status": map[string]any{"allowed": a.Verb+" "+a.Resource != c.deny}})
	case what == "PATCH "+deployment:
		var ops []struct {
			Op, Path string
			Value    any
		}
		json.Unmarshal(body, &ops)
		for _, op := range ops {
			switch {
			case op.Op == "test" && op.Value != fmt.Sprint(c.version):
				reply(422, map[string]any{"message": "test failed"})
				return
			case op.Path == "/spec/replicas":
				c.replicas = int(op.Value.(float64))
			case op.Op == "remove":
				c.notes = nil
			case strings.HasPrefix(op.Path, "/metadata/annotations/"):
				c.notes = map[string]any{strings.ReplaceAll(strings.TrimPrefix(op.Path, "/metadata/annotations/"), "~1", "/"): op.Value}
			}
		}
		c.version++
		c.log = append(c.log, fmt.Sprintf("replicas %d, %d notes, %d jobs", c.replicas, len(c.notes), len(c.jobs)))
		fallthrough
	case what == "GET "+deployment:
		meta := map[string]any{"uid": "u1", "resourceVersion": fmt.Sprint(c.version), "generation": c.version}
		if c.notes != nil {
			meta["annotations"] = c.notes
		}
		reply(200, map[string]any{"metadata": meta, "spec": map[string]any{"replicas": c.replicas}, "status": map[string]any{"observedGeneration": c.version}})
	case what == "POST "+jobs:
		if r.URL.Query().Get("dryRun") == "" {
			c.jobs[in.Metadata.Name] = true
		}
		reply(201, map[string]any{"metadata": map[string]any{"creationTimestamp": time.Now().UTC().Format(time.RFC3339)}})
	case strings.HasPrefix(r.URL.Path, jobs) && c.jobs[name]:
		if r.Method == http.MethodDelete {
			delete(c.jobs, name)
		}
		reply(200, map[string]any{"metadata": map[string]any{"uid": "j"}})
	case what == "GET /api/v1/namespaces/models/pods":
		items := []any{}
		running := map[string]any{"containerStatuses": []any{map[string]any{"state": map[string]any{"running": map[string]any{}}}}, "conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
		n := c.replicas
		if strings.HasPrefix(r.URL.Query().Get("labelSelector"), "job-name=") {
			n = len(c.jobs)
		}
		for i := range n {
			items = append(items, map[string]any{"metadata": map[string]any{"name": fmt.Sprint("pod-", i), "uid": fmt.Sprint(i)}, "status": running})
		}
		reply(200, map[string]any{"items": items})
	case strings.HasSuffix(r.URL.Path, "/serviceaccounts/expiry"), strings.HasSuffix(r.URL.Path, "/horizontalpodautoscalers"):
		reply(200, map[string]any{"items": []any{}})
	default:
		reply(404, map[string]any{"message": what + " not found"})
	}
}

// deployed starts the cluster and the model, and writes a plan with a fault in dir.
func deployed(t *testing.T, dir string, expiry bool, hold time.Duration) *miniCluster {
	c := &miniCluster{replicas: 2, version: 1, jobs: map[string]bool{}}
	api := httptest.NewServer(c)
	t.Cleanup(api.Close)
	var served atomic.Int64
	model := openAI(t, &served)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		n := c.replicas
		c.mu.Unlock()
		if n == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		model.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	write(t, dir, "kubeconfig", fmt.Sprintf("current-context: here\ncontexts: [{name: here, context: {cluster: c, namespace: models}}]\nclusters: [{name: c, cluster: {server: %q}}]\n", api.URL))
	end := ""
	if expiry {
		end = ", expiry: {image: 'tools/kubectl:1', serviceAccount: expiry}"
	}
	write(t, dir, "plan.yaml", fmt.Sprintf(`apiVersion: assay/v1
name: platform
target:
  {kind: openai, url: '%s', model: m, deployment: {kubernetes: {kubeconfig: kubeconfig, pods: app=llm, workload: deployment/llm%s}}}
load: [{name: steady, for: 2s, arrivals: {even: {rate: 40/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: scale, at: 500ms, for: %v, replicas: 0}]
`, front.URL, end, hold))
	return c
}

// A Deployment is scaled to nothing and back; the load feels it, and the cluster is as it was.
func TestRunWithAFaultOfThePlatform(t *testing.T) {
	dir := t.TempDir()
	c := deployed(t, dir, true, time.Second)
	got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
	for _, want := range []string{"500ms into the load: deployment/llm in the namespace of the context is capped at 0 replicas, for 1s; if we cannot end it, a job of ours in the cluster does within 1m31s of its beginning",
		"in the cluster nothing is changed that the plan does not name"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, got.err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := cmp.Diff([]string{"replicas 0, 1 notes, 1 jobs", "replicas 2, 0 notes, 1 jobs"}, c.log); d != "" || len(c.jobs) > 0 {
		t.Errorf("(-want +got)\n%s%v\n%s%s", d, c.jobs, got.out, got.err)
	}
	outcomes := map[assay.Outcome]int{}
	for _, r := range requestsOf(t, runsIn(t, dir)[0]) {
		outcomes[r.Outcome]++
	}
	if n := outcomes[assay.Unavailable]; n < 30 || n > 60 || n+outcomes[assay.OK] != 80 {
		t.Errorf("outcomes %v, want some 40 unavailable in a second without pods", outcomes)
	}
}

// Run and guardian are killed while nothing serves: heal puts the replicas back.
func TestHealAFaultOfThePlatform(t *testing.T) {
	dir := t.TempDir()
	c := deployed(t, dir, true, 3*time.Second)
	cmd := cli(t, dir, "run", "plan.yaml", "--ui", "none")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(pacetest.Patience); ; time.Sleep(5 * time.Millisecond) {
		c.mu.Lock()
		n := c.replicas
		c.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the fault did not come")
		}
	}
	cmd.Process.Signal(syscall.SIGSTOP)
	for _, line := range ours(t, dir) {
		var pid int
		if fmt.Sscan(line, &pid); pid > 1 && pid != cmd.Process.Pid {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	got := assayIn(t, dir, "heal")
	if want := ": reverted: scale-1: scale of target\n"; got.code != 0 || !strings.HasSuffix(got.out, want) {
		t.Errorf("exit %d, %s%s, want %s", got.code, got.out, got.err, want)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replicas != 2 || len(c.notes) > 0 || len(c.jobs) > 0 {
		t.Errorf("replicas %d, notes %v, jobs %v", c.replicas, c.notes, c.jobs)
	}
}

// What cannot be ended by the cluster, and what we may not do, is refused before the run.
func TestRefuseAFaultOfThePlatform(t *testing.T) {
	dir := t.TempDir()
	deployed(t, dir, false, time.Second)
	want := "chaos[0].fault: scale by kubernetes holds until somebody undoes it: target.deployment.kubernetes.expiry must say how the cluster does if we cannot"
	if got := assayIn(t, dir, "run", "plan.yaml"); got.code != assay.ExitUsage || !strings.Contains(got.err, want) {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	c := deployed(t, dir, true, time.Second)
	c.mu.Lock()
	c.deny = "patch deployments"
	c.mu.Unlock()
	if got := assayIn(t, dir, "run", "plan.yaml"); got.code != assay.ExitPreflight || !strings.Contains(got.err, "in namespace models we may not patch deployments.apps llm") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if runs := runsIn(t, dir); len(runs) > 0 || len(c.log) > 0 {
		t.Errorf("left %v, changed %v", runs, c.log)
	}
}

// A function is throttled: that is measured by a request of ours, felt by the load, and taken away.
func TestRunWithAThrottledFunction(t *testing.T) {
	var n atomic.Int64
	model := lambdaStandIn(t, &n)
	var throttled atomic.Bool
	var calls []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/concurrency"):
			if r.Method != http.MethodGet {
				throttled.Store(r.Method == http.MethodPut)
				b, _ := io.ReadAll(r.Body)
				calls = append(calls, r.Method+" "+string(b))
			}
			if throttled.Load() {
				fmt.Fprint(w, `{"ReservedConcurrentExecutions":0}`)
				return
			}
			fmt.Fprint(w, `{}`)
		case throttled.Load():
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			model.Config.Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: throttle
target: {kind: lambda, url: `+front.URL+`, function: f, api: chat, auth: {aws: {region: eu-north-1}}, deployment: {lambda: {function: f, region: eu-north-1, endpoint: `+front.URL+`}}}
load: [{name: steady, arrivals: {even: {rate: 20/s}}, for: 2500ms}]
chaos: [{fault: throttle, at: 500ms, for: 1s}]
`)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush-123")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
	if want := "every request to lambda function f in eu-north-1 is refused, for 1s; nothing in AWS would end it if we could not, but assay heal does"; !strings.Contains(got.err, want) {
		t.Errorf("stderr lacks %q:\n%s", want, got.err)
	}
	if d := cmp.Diff([]string{`PUT {"ReservedConcurrentExecutions":0}`, "DELETE "}, calls); d != "" {
		t.Errorf("(-want +got)\n%s\n%s%s", d, got.out, got.err)
	}
	outcomes := map[assay.Outcome]int{}
	for _, r := range requestsOf(t, runsIn(t, dir)[0]) {
		outcomes[r.Outcome]++
	}
	if k := outcomes[assay.Throttled]; k < 15 || k > 40 {
		t.Errorf("outcomes %v, want some 20 throttled in a second", outcomes)
	}
	journal, err := os.ReadFile(filepath.Join(runsIn(t, dir)[0], "events.jsonl"))
	if want := "a request of ours was refused: throttled, status 429"; err != nil || !strings.Contains(string(journal), want) {
		t.Errorf("%v: the journal lacks %q:\n%s", err, want, journal)
	}
	secretIn(t, dir, got, "hush-123")
}

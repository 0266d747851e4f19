package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// answer streams a chat answer of the words.
func answer(w http.ResponseWriter, words ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, s := range words {
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", s)
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":%d}}\n\ndata: [DONE]\n\n", len(words))
}

// A server that answers quickly with garbage in the middle of a run has failed, though every request of the load was answered.
func TestCanaryFindsGarbage(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	canaries := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(string(body), "say blue") {
			canaries++
		}
		if canaries >= 4 && canaries < 8 {
			answer(w, "xx", "!!", "xx")
			return
		}
		answer(w, "blue", " ", "blue")
	}))
	defer srv.Close()
	dir := t.TempDir()
	write(t, dir, "plan.yaml", fmt.Sprintf(`apiVersion: assay/v1
name: garbage
target: {kind: openai, url: %q, model: m}
load:
  - {name: steady, arrivals: {even: {rate: 20/s}}, for: 4s}
canary: {prompt: say blue, every: 300ms, expect: {stable: true}}
objectives:
  - {metric: canary/wrong, max: 0%%}
`, srv.URL))
	got := assayIn(t, dir, "run", "plan.yaml")
	r, _ := readResult(t, runsIn(t, dir)[0])
	if f := r.Find("canary/wrong"); f == nil || f.Quantity.Value < 0.2 || !strings.Contains(f.Evidence[0], "answer is not the one that was given at first") {
		t.Errorf("canary/wrong %+v", f)
	}
	if len(r.Episodes) != 1 || r.Episodes[0].Cause != "wrong_content" || r.Episodes[0].Lost != 4 {
		t.Errorf("episodes %+v", r.Episodes)
	}
	if f := r.Find("availability/natural", "by", "time"); f == nil || !(f.Quantity.Value < 0.9) {
		t.Errorf("availability by time %+v", f)
	}
	if f := r.Find("goodput"); f == nil || f.Quantity.N != 80 {
		t.Errorf("goodput %+v: the load was served", f)
	}
	if got.code == assay.ExitGo || !strings.Contains(got.out, "CANARY") {
		t.Errorf("exit %d\n%s", got.code, got.out)
	}
}

// served is a stand-in for a cluster with one Deployment, and for the model that it serves.
type served struct {
	mu       sync.Mutex
	replicas int
	notes    map[string]any
	run      any       // its label
	up       time.Time // since when it is, or will be, ready
	zeros    int
}

func (s *served) api(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const deployments = "/apis/apps/v1/namespaces/models/deployments"
	if r.URL.Path == deployments {
		items := []any{}
		if r.URL.Query().Get("labelSelector") == fmt.Sprint("assay.dev/run=", s.run) {
			items = append(items, map[string]any{"metadata": map[string]any{"name": "llm"}})
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items})
		return
	}
	if r.URL.Path != deployments+"/llm" {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPatch && r.URL.Query().Get("dryRun") == "" {
		var p struct {
			Metadata struct{ Annotations, Labels map[string]any }
			Spec     struct{ Replicas int }
		}
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &p) != nil {
			http.Error(w, "{}", http.StatusBadRequest)
			return
		}
		if s.replicas = p.Spec.Replicas; s.replicas == 0 {
			s.zeros++
		}
		s.up, s.run = time.Now().Add(150*time.Millisecond), p.Metadata.Labels["assay.dev/run"]
		for k, v := range p.Metadata.Annotations {
			if s.notes[k] = v; v == nil {
				delete(s.notes, k)
			}
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]any{"annotations": s.notes, "labels": map[string]any{"assay.dev/run": s.run}}, "spec": map[string]any{"replicas": s.replicas},
		"status": map[string]any{"replicas": s.replicas, "readyReplicas": s.replicas}})
}

func (s *served) model(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	ready := s.replicas > 0 && time.Now().After(s.up)
	s.mu.Unlock()
	if !ready {
		http.Error(w, "no instance", http.StatusServiceUnavailable)
		return
	}
	answer(w, "a", "b")
}

func (s *served) state() (replicas, notes, zeros int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas, len(s.notes), s.zeros
}

// A Deployment is made cold and put back, however the run ends.
func TestColdStartsOfADeployment(t *testing.T) {
	t.Parallel()
	s := &served{replicas: 3, notes: map[string]any{}}
	api, model := httptest.NewServer(http.HandlerFunc(s.api)), httptest.NewServer(http.HandlerFunc(s.model))
	defer api.Close()
	defer model.Close()
	plan := func(t *testing.T, force int, wake bool) string {
		dir := t.TempDir()
		write(t, dir, "kubeconfig", fmt.Sprintf("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: t}}]\n", api.URL))
		write(t, dir, "plan.yaml", fmt.Sprintf(`apiVersion: assay/v1
name: cold
target:
  kind: openai
  url: %q
  deadline: 1m
  cold: {kubernetes: {kubeconfig: kubeconfig, namespace: models, deployment: llm, wake: %t}}
load:
  - {name: cold, cold: {force: %d}}
objectives:
  - {metric: cold/wait/worst, max: 30s}
`, model.URL, wake, force))
		return dir
	}
	back := func(t *testing.T) {
		t.Helper()
		if replicas, notes, zeros := s.state(); replicas != 3 || notes != 0 || zeros == 0 {
			t.Errorf("%d replicas, %d notes, %d times at zero; want it as it was", replicas, notes, zeros)
		}
	}
	t.Run("to the end", func(t *testing.T) {
		dir := plan(t, 3, true)
		got := assayIn(t, dir, "run", "plan.yaml")
		if got.code != assay.ExitGo || !strings.Contains(got.err, "cold starts are forced by making deployment models/llm cold") {
			t.Fatalf("exit %d\n%s\n%s", got.code, got.err, got.out)
		}
		r, _ := readResult(t, runsIn(t, dir)[0])
		if f := r.Find("cold/forced", "forced", "true"); f == nil || f.Quantity.Value != 3 {
			t.Errorf("cold/forced %+v", f)
		}
		// It was refused at first and served when it was up: from the first attempt on.
		if f := r.Find("cold/wait/p50", "forced", "true"); f == nil || !(f.Quantity.Value >= 0.15) || !strings.Contains(got.out, "3 forced starts; first token") {
			t.Errorf("cold/wait %+v\n%s", f, got.out)
		}
		if _, _, zeros := s.state(); zeros != 3 {
			t.Errorf("%d times at zero", zeros)
		}
		back(t)
	})
	atZero := func() bool { replicas, _, _ := s.state(); return replicas == 0 }
	t.Run("interrupted", func(t *testing.T) {
		dir := plan(t, 3, false) // nothing wakes it: the run hangs at zero
		cmd, errs := start(t, dir, "run", "plan.yaml")
		until(t, "zero", 20*time.Second, atZero)
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != assay.ExitInterrupted {
			t.Errorf("exit %d\n%s", code, errs)
		}
		back(t)
	})
	t.Run("killed and healed", func(t *testing.T) {
		dir := plan(t, 3, false)
		cmd, _ := start(t, dir, "run", "plan.yaml")
		until(t, "zero", 20*time.Second, atZero)
		cmd.Process.Kill()
		cmd.Wait()
		if replicas, notes, _ := s.state(); replicas != 0 || notes != 1 {
			t.Fatalf("%d replicas, %d notes", replicas, notes)
		}
		if got := assayIn(t, dir, "heal"); got.code != 0 || !strings.Contains(got.out, "reverted: deployment models/llm is as it was before the run") {
			t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
		}
		back(t)
	})
	t.Run("killed and swept", func(t *testing.T) { // its directory is lost: the Deployment tells whose it is
		dir := plan(t, 3, false)
		cmd, _ := start(t, dir, "run", "plan.yaml")
		until(t, "zero", 20*time.Second, atZero)
		cmd.Process.Kill()
		cmd.Wait()
		id := manifestOf(t, runsIn(t, dir)[0]).ID
		for run, want := range map[string]string{"0123456789abcdef": "nothing of it is there", id: "reverted: deployment models/llm has its replicas again"} {
			if got := assayIn(t, dir, "heal", "--sweep", run, "--kubeconfig", "kubeconfig", "--namespace", "models"); got.code != 0 || got.out != "run "+run+": "+want+"\n" {
				t.Errorf("%s: exit %d\n%s%s", run, got.code, got.out, got.err)
			}
		}
		back(t)
	})
	t.Run("refused", func(t *testing.T) {
		dir := plan(t, 3, true)
		api.Close()
		if got := assayIn(t, dir, "run", "plan.yaml"); got.code != assay.ExitPreflight || !strings.Contains(got.err, "target.cold: look at deployment models/llm") || len(runsIn(t, dir)) != 0 {
			t.Errorf("exit %d, %s", got.code, got.err)
		}
	})
}

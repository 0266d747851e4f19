package chill

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/kube"
)

// cluster is a stand-in for an API server with one Deployment and its controller: it merges patches as RFC 7386 has it, honours dry runs, and its
// status follows the spec one pod a look.
type cluster struct {
	t          *testing.T
	mu         sync.Mutex
	replicas   int
	notes      map[string]any
	labels     map[string]any
	generation int64
	running    int
	pods       []string // UIDs in service
	leaving    []string // UIDs being deleted
	nextPod    int
	deleted    bool
	quick      bool // new pods are ready at once
	deny       string
	log        []string
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dry := r.URL.Query().Get("dryRun") == "All"
	fail := func(status int, text string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "reason": http.StatusText(status), "message": text})
	}
	if r.Header.Get("Authorization") != "Bearer let-me-in" {
		fail(http.StatusUnauthorized, "Unauthorized")
		return
	}
	if c.deny == r.Method {
		fail(http.StatusForbidden, "no "+r.Method+" for you")
		return
	}
	const deployments, pods = "/apis/apps/v1/namespaces/models/deployments/llm", "/api/v1/namespaces/models/pods"
	switch {
	case r.URL.Path == deployments && r.Method == http.MethodPatch:
		if r.Header.Get("Content-Type") != "application/merge-patch+json" {
			fail(http.StatusUnsupportedMediaType, "what is this")
			return
		}
		var p struct {
			Metadata struct{ Annotations, Labels map[string]any }
			Spec     struct{ Replicas *int }
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &p); err != nil {
			fail(http.StatusBadRequest, err.Error())
			return
		}
		if !dry {
			merge(c.notes, p.Metadata.Annotations)
			if c.labels == nil {
				c.labels = map[string]any{}
			}
			merge(c.labels, p.Metadata.Labels)
			if p.Spec.Replicas != nil {
				c.replicas = *p.Spec.Replicas
			}
			c.generation++
			c.log = append(c.log, fmt.Sprintf("replicas %d notes %v", c.replicas, c.notes))
		}
		fallthrough
	case r.URL.Path == deployments && r.Method == http.MethodGet:
		observed := c.generation
		if r.Method == http.MethodGet && c.running != c.replicas { // the controller works between two looks
			observed--
			if c.running > c.replicas {
				c.running--
			} else {
				c.running++
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]any{"generation": c.generation, "annotations": c.notes, "labels": c.labels},
			"spec": map[string]any{"replicas": c.replicas}, "status": map[string]any{"replicas": c.running, "readyReplicas": c.running, "observedGeneration": observed}})
	case r.URL.Path+"/llm" == deployments && r.Method == http.MethodGet:
		items := []any{}
		if name, value, _ := strings.Cut(r.URL.Query().Get("labelSelector"), "="); c.labels[name] == value {
			items = append(items, map[string]any{"metadata": map[string]any{"name": "llm"}})
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items})
	case r.URL.Path == pods && r.URL.Query().Get("labelSelector") == "app=llm" && r.Method == http.MethodDelete:
		if dry {
			break
		}
		c.leaving, c.pods = append(c.leaving, c.pods[1:]...), c.pods[:1] // the first is slow to leave
		c.deleted = true
		c.log = append(c.log, "pods deleted")
	case r.URL.Path == pods && r.URL.Query().Get("labelSelector") == "app=llm" && r.Method == http.MethodGet:
		var items []any
		pod := func(uid string, ready bool, deleted any) {
			items = append(items, map[string]any{"metadata": map[string]any{"name": "llm-" + uid, "uid": uid, "deletionTimestamp": deleted},
				"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": map[bool]string{true: "True", false: "False"}[ready]}}}})
		}
		for _, uid := range c.pods {
			pod(uid, true, nil)
		}
		for _, uid := range c.leaving {
			pod(uid, true, "2026-01-01T00:00:00Z")
		}
		if c.deleted { // seen once more, then on its way too; its successor begins
			c.leaving, c.pods = append(c.leaving, c.pods...), nil
			c.nextPod++
			pod(fmt.Sprintf("new-%d", c.nextPod), c.quick, nil)
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items})
	default:
		fail(http.StatusNotFound, fmt.Sprintf("%s %s not found", r.Method, r.URL.Path))
	}
}

// merge changes what a merge patch has, and takes away what it has null for.
func merge(m, patch map[string]any) {
	for k, v := range patch {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
}

// serve starts the stand-in and returns a client for it, through a kubeconfig as kubectl writes one.
func (c *cluster) serve(t *testing.T) *kube.Client {
	srv := httptest.NewTLSServer(c)
	t.Cleanup(srv.Close)
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts: [{name: here, context: {cluster: c, user: u, namespace: models}}]\n"+
		"clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]\nusers: [{name: u, user: {token: let-me-in}}]\n", srv.URL, ca)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	api, err := kube.Find(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if api.Namespace != "models" {
		t.Errorf("namespace %q", api.Namespace)
	}
	return api
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDeploymentToZeroAndBack(t *testing.T) {
	ctx := patience(t)
	c := &cluster{t: t, replicas: 3, running: 3, notes: map[string]any{"team": "a"}}
	k := &Kubernetes{API: c.serve(t), Namespace: "models", Deployment: "llm", Wake: true, Poll: time.Millisecond}
	if err := k.Check(ctx); err != nil || len(c.log) != 0 {
		t.Fatalf("check: %v, changed %v", err, c.log)
	}
	for range 2 {
		if err := k.Chill(ctx); err != nil {
			t.Fatal(err)
		}
		if c.running != 0 { // given back right after it was seen at zero
			t.Errorf("%d pods run", c.running)
		}
	}
	if err := k.Undo(ctx); err != nil {
		t.Fatal(err)
	}
	zero, back := "replicas 0 notes map[assay.dev/replicas:3 team:a]", "replicas 3 notes map[team:a]"
	if d := cmp.Diff([]string{zero, back, zero, back}, c.log); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Without Wake the platform wakes it, and Undo puts back what it had at first, however often that happened.
func TestDeploymentThatItsPlatformWakes(t *testing.T) {
	ctx := patience(t)
	c := &cluster{t: t, replicas: 4, running: 4, notes: map[string]any{}}
	k := &Kubernetes{API: c.serve(t), Namespace: "models", Deployment: "llm", Poll: time.Millisecond}
	for range 3 {
		if err := k.Chill(ctx); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.replicas, c.generation = 1, c.generation+1 // an activator does this
		c.mu.Unlock()
	}
	if err := k.Undo(ctx); err != nil {
		t.Fatal(err)
	}
	if err := k.Undo(ctx); err != nil || c.replicas != 4 || len(c.notes) != 0 || len(c.log) != 4 {
		t.Errorf("%v: replicas %d, notes %v, %v", err, c.replicas, c.notes, c.log)
	}
}

// What a killed run left is found by its annotation.
func TestRecoverADeployment(t *testing.T) {
	ctx := patience(t)
	c := &cluster{t: t, replicas: 5, running: 5, notes: map[string]any{}}
	api := c.serve(t)
	fresh := func() *Kubernetes {
		return &Kubernetes{API: api, Namespace: "models", Deployment: "llm", Poll: time.Millisecond}
	}
	if done, err := fresh().Recover(ctx); done || err != nil {
		t.Errorf("nothing was left: %v, %v", done, err)
	}
	if err := fresh().Chill(ctx); err != nil { // and then it dies
		t.Fatal(err)
	}
	if c.replicas != 0 {
		t.Fatalf("%d replicas", c.replicas)
	}
	if done, err := fresh().Recover(ctx); !done || err != nil || c.replicas != 5 || len(c.notes) != 0 {
		t.Errorf("%v, %v: replicas %d, notes %v", done, err, c.replicas, c.notes)
	}
	// The next run's own end puts it back too.
	if err := fresh().Chill(ctx); err != nil {
		t.Fatal(err)
	}
	next := fresh()
	if err := next.Check(ctx); err != nil {
		t.Fatal(err)
	}
	if err := next.Undo(ctx); err != nil || c.replicas != 5 {
		t.Errorf("%v: replicas %d", err, c.replicas)
	}
}

// While it is scaled the Deployment says whose it is: the run's own heal and sweep put it back, another's do not.
func TestWhoseDeployment(t *testing.T) {
	ctx := patience(t)
	c := &cluster{t: t, replicas: 5, running: 5, notes: map[string]any{}}
	api := c.serve(t)
	of := func(run string) *Kubernetes {
		return &Kubernetes{API: api, Namespace: "models", Deployment: "llm", Run: run, Poll: time.Millisecond}
	}
	if err := of("a").Chill(ctx); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{kube.RunLabel: "a"}, c.labels); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
	if done, err := of("b").Recover(ctx); done || err != nil || c.replicas != 0 {
		t.Errorf("another run's: %v, %v: replicas %d", done, err, c.replicas)
	}
	if done, err := Sweep(ctx, api, "models", "b"); len(done) > 0 || err != nil || c.replicas != 0 {
		t.Errorf("swept of another run: %v, %v: replicas %d", done, err, c.replicas)
	}
	if done, err := Sweep(ctx, api, "models", "a"); !slices.Equal(done, []string{"deployment models/llm"}) || err != nil || c.replicas != 5 || len(c.labels)+len(c.notes) > 0 {
		t.Errorf("swept: %v, %v: replicas %d, %v %v", done, err, c.replicas, c.labels, c.notes)
	}
	if done, err := Sweep(ctx, api, "models", "a"); len(done) > 0 || err != nil {
		t.Errorf("swept again: %v, %v", done, err)
	}
	// The next run takes over what a killed one left, and its own end puts it back.
	next := of("b")
	if err := errors.Join(of("a").Chill(ctx), next.Check(ctx), next.Chill(ctx)); err != nil || c.labels[kube.RunLabel] != "b" {
		t.Errorf("taken over: %v, %v", err, c.labels)
	}
	if err := next.Undo(ctx); err != nil || c.replicas != 5 || len(c.labels) > 0 {
		t.Errorf("%v: replicas %d, %v", err, c.replicas, c.labels)
	}
}

func TestPods(t *testing.T) {
	ctx := patience(t)
	c := &cluster{t: t, pods: []string{"a", "b"}, notes: map[string]any{}}
	k := &Kubernetes{API: c.serve(t), Namespace: "models", Pods: "app=llm", Poll: time.Millisecond}
	if err := k.Check(ctx); err != nil || len(c.log) != 0 {
		t.Fatalf("check: %v, changed %v", err, c.log)
	}
	if err := k.Chill(ctx); err != nil {
		t.Fatal(err)
	}
	if len(c.pods) != 0 || !slices.Equal(c.log, []string{"pods deleted"}) || k.Undo(ctx) != nil {
		t.Errorf("%v in service, %v", c.pods, c.log)
	}
	c.pods, c.quick, c.deleted = []string{"x", "y"}, true, false
	if err := k.Chill(ctx); err == nil || !strings.Contains(err.Error(), "was ready before the others were seen to be gone") {
		t.Errorf("a new pod that is ready at once: %v", err)
	}
}

func TestRefusedByTheCluster(t *testing.T) {
	ctx := patience(t)
	c := &cluster{t: t, replicas: 0, notes: map[string]any{}, pods: []string{"a"}}
	api := c.serve(t)
	deny := func(k *Kubernetes, method, want string) {
		t.Helper()
		c.mu.Lock()
		c.deny = method
		c.mu.Unlock()
		if err := k.Check(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	d := &Kubernetes{API: api, Namespace: "models", Deployment: "llm", Poll: time.Millisecond}
	deny(&Kubernetes{API: api, Namespace: "models", Deployment: "llm", Wake: true}, "", "has 0 replicas: nothing would wake it again")
	deny(d, http.MethodPatch, "try to scale deployment models/llm: PATCH /apis/apps/v1/namespaces/models/deployments/llm?dryRun=All: status 403: no PATCH for you")
	deny(&Kubernetes{API: api, Namespace: "models", Deployment: "other"}, "", "status 404")
	deny(&Kubernetes{API: api, Namespace: "models", Pods: "app=llm"}, http.MethodDelete, "try to delete pods app=llm in models: DELETE")
	stuck, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := poll(stuck, time.Millisecond, func() (bool, error) { return false, nil })
	if err == nil || err.Error() != "it took too long" {
		t.Errorf("got %v", err)
	}
	if _, err := kube.Find(filepath.Join(t.TempDir(), "none"), ""); err == nil {
		t.Error("a kubeconfig that is not there was read")
	}
}

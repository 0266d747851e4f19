package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/kube"
)

const services = "/apis/serving.knative.dev/v1/namespaces/models/services"

// knative makes Knative's kind of service, once, with a subresource for the status as the real one has.
var knative = sync.OnceValues(func() (http.Handler, error) {
	backend, err := api()
	if err != nil {
		return nil, err
	}
	s := httptest.NewServer(backend)
	defer s.Close()
	c := &kube.Client{Server: s.URL, HTTP: &http.Client{}}
	var crd any
	if err := json.Unmarshal([]byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"services.serving.knative.dev"},"spec":{
	  "group":"serving.knative.dev","scope":"Namespaced","names":{"plural":"services","singular":"service","kind":"Service","listKind":"ServiceList"},
	  "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
	    "spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}`), &crd); err != nil {
		return nil, err
	}
	if err := c.Create(background, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd, nil); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = c.Get(background, services, nil); err == nil || time.Now().After(deadline) {
			return backend, err
		}
	}
})

// serverless is a cluster with one Knative service on the real API server. Its pods and Jobs are ours: the server knows custom resources only.
type serverless struct {
	*kube.Client
	config, path string
	mu           sync.Mutex
	job          string   // name of the Job that runs
	command      []string // of the last Job
	conflicts    int      // patches that the server refused
}

func newServerless(t *testing.T, name string) *serverless {
	backend, err := knative()
	if err != nil {
		t.Fatal(err)
	}
	s := &serverless{path: services + "/" + name, config: filepath.Join(t.TempDir(), "kubeconfig")}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front(backend, w, r) }))
	s.Client = &kube.Client{Server: front.URL, HTTP: &http.Client{}}
	text := fmt.Sprintf("current-context: here\ncontexts: [{name: here, context: {cluster: c, namespace: models}}]\nclusters: [{name: c, cluster: {server: %q}}]\n", front.URL)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var service any
	if err := json.Unmarshal([]byte(`{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"`+name+`"},"spec":{"template":{"spec":{"containers":[
	  {"name":"server","image":"registry/llm:1","env":[{"name":"WEIGHTS","value":"s3://hush-hush"}]}]}}}}`), &service); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(background, services, service, nil); err != nil {
		t.Fatal(err)
	}
	// A controller that has taken up each change at once, and writes all the time: each write is another version of the object.
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		took := time.Duration(0)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(max(10*time.Millisecond, 3*took)): // or nobody else would ever come between on a busy machine
				begin := time.Now()
				var o struct{ Metadata struct{ Generation int } }
				if s.Get(background, s.path, &o) == nil {
					_ = s.Patch(background, s.path+"/status", map[string]any{"status": map[string]any{"observedGeneration": o.Metadata.Generation, "looks": n}}, nil)
				}
				took = time.Since(begin)
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		front.Close()
	})
	return s
}

func (s *serverless) front(backend http.Handler, w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/apis/serving"):
		seen := &statusWriter{ResponseWriter: w}
		backend.ServeHTTP(seen, r)
		if r.Method == http.MethodPatch && seen.status == http.StatusUnprocessableEntity {
			s.mu.Lock()
			s.conflicts++
			s.mu.Unlock()
		}
	case strings.HasSuffix(r.URL.Path, "/pods"):
		pod := `{"metadata":{"name":"p","uid":"p"},"status":{"containerStatuses":[{"state":{"running":{}}}]}}`
		if !strings.HasPrefix(r.URL.Query().Get("labelSelector"), "job-name=") {
			pod = "" // the service is at zero
		}
		fmt.Fprintf(w, `{"items":[%s]}`, pod)
	case r.Method == http.MethodPost:
		var job struct {
			Metadata struct{ Name string }
			Spec     struct {
				Template struct {
					Spec struct{ Containers []struct{ Command []string } }
				}
			}
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &job); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if r.URL.Query().Get("dryRun") == "" {
			s.mu.Lock()
			s.job, s.command = job.Metadata.Name, job.Spec.Template.Spec.Containers[0].Command
			s.mu.Unlock()
		}
		w.Write(body)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.job == "" || !strings.HasSuffix(r.URL.Path, "/"+s.job) {
			http.NotFound(w, r)
			return
		}
		if r.Method == http.MethodDelete {
			s.job = ""
		}
		w.Write([]byte("{}"))
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// state is what people see of the service.
func (s *serverless) state(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	if err := s.Get(background, s.path, &o); err != nil {
		t.Fatal(err)
	}
	meta := o["metadata"].(map[string]any)
	return map[string]any{"annotations": meta["annotations"], "labels": meta["labels"], "spec": o["spec"]}
}

// run holds one fault, calls held while it is in force, and returns what was journaled. Its undo is tried for as long as revert.
func (s *serverless) run(t *testing.T, step chaos.Step, revert time.Duration, held func()) (*drilltest.Journal, *chaos.Runner) {
	t.Helper()
	client, err := kube.Load(s.config, "")
	if err != nil {
		t.Fatal(err)
	}
	d := &chaos.Kubernetes{API: client, Namespace: "models", Workload: "ksvc/" + s.path[len(services)+1:], Pods: "app=llm", RunID: "r", Patience: 15 * time.Second, Poll: 5 * time.Millisecond,
		Expiry: &chaos.Expiry{Image: "i", ServiceAccount: "a"}}
	j, err := drilltest.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	step.By, step.Instances, step.For = chaos.ByKubernetes, 1, 20*time.Second
	r := &chaos.Runner{Steps: []chaos.Step{step}, Driver: chaos.Drivers{chaos.ByKubernetes: d}, Guard: noGuard{}, Clock: runner(nil, noGuard{}, j).Clock, Seed: 1, Verify: 20 * time.Second, Revert: revert,
		Sync: func(e *assay.Event) error { return j.Write(e) }, Begin: runner(nil, noGuard{}, j).Begin}
	j.On = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified {
			held()
			r.Abort("seen")
		}
	}
	if err := r.Run(background, j.Write); err != nil {
		t.Fatal(err)
	}
	return j, r
}

var life = []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVerified, assay.EventFaultReverted, assay.EventFaultClear}

// Changes are made and taken back on a real API server while a controller writes to the same object all the time, and what somebody else adds stays.
func TestPlatformFaults(t *testing.T) {
	t.Parallel()
	three := 3
	for name, tc := range map[string]struct {
		step chaos.Step
		path []string
		want any
	}{
		"scale":       {chaos.Step{Fault: "scale", Change: &chaos.Change{Workload: "ksvc", Replicas: &three}}, []string{"template", "metadata", "annotations", "autoscaling.knative.dev/max-scale"}, "3"},
		"concurrency": {chaos.Step{Fault: "concurrency", Change: &chaos.Change{Workload: "ksvc", Concurrency: &three}}, []string{"template", "spec", "containerConcurrency"}, 3.0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServerless(t, "life-"+name)
			before := s.state(t)
			j, r := s.run(t, tc.step, 20*time.Second, func() {
				at := s.state(t)["spec"]
				for _, k := range tc.path {
					at = at.(map[string]any)[k]
				}
				if !cmp.Equal(at, tc.want) {
					t.Errorf("%v is %v, want %v", tc.path, at, tc.want)
				}
				if err := s.Patch(background, s.path, map[string]any{"metadata": map[string]any{"labels": map[string]any{"by": "somebody"}}}, nil); err != nil {
					t.Error(err)
				}
			})
			if d := cmp.Diff(life, j.Kinds()); d != "" || len(r.Remaining()) > 0 {
				t.Fatalf("events (-want +got):\n%s\n%v\n%v", d, r.Remaining(), j.Events())
			}
			before["labels"] = map[string]any{"by": "somebody"}
			after := s.state(t)
			if m, ok := after["spec"].(map[string]any)["template"].(map[string]any)["metadata"].(map[string]any); ok { // made for the annotation; empty it says nothing
				if a, _ := m["annotations"].(map[string]any); len(m) == 1 && len(a) == 0 {
					delete(after["spec"].(map[string]any)["template"].(map[string]any), "metadata")
				}
			}
			if d := cmp.Diff(before, after); d != "" || s.job != "" {
				t.Errorf("job %q, (-want +got)\n%s", s.job, d)
			}
			t.Logf("the server refused %d patches since the object had changed", s.conflicts)
		})
	}
}

// What the Job in the cluster does takes the fault away, and is refused once that is done or somebody else has changed the object.
func TestPlatformExpiry(t *testing.T) {
	t.Parallel()
	s := newServerless(t, "expiry")
	before := s.state(t)
	var patch []any
	expire := func() error { return s.Edit(background, s.path, patch, nil) }
	j, r := s.run(t, chaos.Step{Fault: "access", Change: &chaos.Change{Workload: "ksvc", Variable: "WEIGHTS", Container: "server"}}, 20*time.Second, func() {
		n := len(s.command)
		if got := strings.Join(s.command[3:n-1], " "); got != "expiry kubectl -n models patch services.serving.knative.dev/expiry --type=json -p" || strings.Contains(fmt.Sprint(s.command), "hush") {
			t.Errorf("command %s", s.command)
		}
		if err := json.Unmarshal([]byte(s.command[n-1]), &patch); err != nil {
			t.Fatal(err)
		}
		if err := expire(); err != nil {
			t.Errorf("the job's patch: %v", err)
		}
		var refused *kube.Error
		if err := expire(); !errors.As(err, &refused) || refused.Status != http.StatusUnprocessableEntity {
			t.Errorf("the job's patch, once more: %v", err)
		}
	})
	if d := cmp.Diff(life, j.Kinds()); d != "" || len(r.Remaining()) > 0 {
		t.Errorf("events (-want +got):\n%s\n%v\n%v", d, r.Remaining(), j.Events())
	}
	if d := cmp.Diff(before, s.state(t)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// What somebody else sets in the place of ours stays.
func TestPlatformConflict(t *testing.T) {
	t.Parallel()
	s := newServerless(t, "conflict")
	one, name := 1, "autoscaling.knative.dev/max-scale"
	j, r := s.run(t, chaos.Step{Fault: "scale", Change: &chaos.Change{Workload: "ksvc", Replicas: &one}}, time.Second, func() {
		patch := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: "9"}}}}}
		if err := s.Patch(background, s.path, patch, nil); err != nil {
			t.Error(err)
		}
	})
	want := "/spec/template/metadata/annotations/autoscaling.knative.dev~1max-scale is \"9\" now, was not there before the fault and \"1\" in it"
	if got := r.Remaining(); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Fatalf("remaining %v\n%v", got, j.Events())
	}
	if got := s.state(t)["spec"].(map[string]any)["template"].(map[string]any)["metadata"].(map[string]any)["annotations"]; !cmp.Equal(got, any(map[string]any{name: "9"})) {
		t.Errorf("annotations %v", got)
	}
}

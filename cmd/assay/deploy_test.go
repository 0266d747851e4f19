package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/assay-dev/assay/internal/chill"
	"github.com/assay-dev/assay/internal/kube"
)

// What users copy from deploy is checked here: that it is what the API server takes, that its plan is valid, that its flags exist, and that
// its rights are those that the code asks for.

const deploy = "../../deploy/"

// manifests decodes all objects of deploy/kubernetes, strictly.
func manifests(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	paths, err := filepath.Glob(deploy + "kubernetes/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(text), "\n---\n") {
			var head struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			object, ok := map[string]any{"ServiceAccount": &corev1.ServiceAccount{}, "ConfigMap": &corev1.ConfigMap{}, "PersistentVolumeClaim": &corev1.PersistentVolumeClaim{}, "Job": &batchv1.Job{},
				"Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{}, "ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{}}[head.Kind]
			if !ok {
				t.Fatalf("%s: kind %q", path, head.Kind)
			}
			if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			out[head.Kind+"/"+head.Metadata.Name] = object
		}
	}
	return out
}

// flagsOf fails for what a command line names that the command does not have.
func flagsOf(t *testing.T, where string, args []string) {
	t.Helper()
	cmd, rest, err := command(stdio{out: io.Discard, err: io.Discard}).Find(args)
	if err != nil || cmd.Name() != args[0] {
		t.Errorf("%s: no command %q: %v", where, args[0], err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: assay %s: %v", where, strings.Join(args, " "), err)
	}
}

func TestDeployManifests(t *testing.T) {
	all := manifests(t)
	job, plan := all["Job/assay"].(*batchv1.Job), all["ConfigMap/assay-plan"].(*corev1.ConfigMap)
	pod := job.Spec.Template.Spec
	if all["ServiceAccount/"+pod.ServiceAccountName] == nil {
		t.Errorf("the Job runs as %q, which is not there", pod.ServiceAccountName)
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil && all["ConfigMap/"+v.ConfigMap.Name] == nil || v.PersistentVolumeClaim != nil && all["PersistentVolumeClaim/"+v.PersistentVolumeClaim.ClaimName] == nil {
			t.Errorf("volume %s is of an object that is not there", v.Name)
		}
	}
	flagsOf(t, "job.yaml", pod.Containers[0].Args)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", plan.Data["plan.yaml"])
	if got := assayIn(t, dir, "validate", "plan.yaml"); got.code != 0 || strings.Contains(got.out, "CANNOT") {
		t.Errorf("validate: exit %d\n%s%s", got.code, got.out, got.err)
	}
	text, err := os.ReadFile(deploy + "kubernetes/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if v := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(mod); v == nil || !bytes.Contains(text, append([]byte("FROM golang:"), v[1]...)) {
		t.Errorf("the Dockerfile does not build with the Go of go.mod, %s", v)
	}
}

// A rules is an API server's view of who may do what: it answers by the rights of the manifests, and keeps what it had to deny.
type rules struct {
	grants []rbacv1.PolicyRule

	mu     sync.Mutex
	asked  int
	denied []string
}

func (s *rules) may(verb, group, resource, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	for _, g := range s.grants {
		if slices.Contains(g.Verbs, verb) && slices.Contains(g.APIGroups, group) && slices.Contains(g.Resources, resource) && (len(g.ResourceNames) == 0 || slices.Contains(g.ResourceNames, name)) {
			return true
		}
	}
	s.denied = append(s.denied, strings.TrimSuffix(verb+" "+resource+"."+group, "."))
	return false
}

func (s *rules) refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.denied) > 0
}

func (s *rules) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		var review struct {
			Spec struct {
				ResourceAttributes struct{ Verb, Group, Resource, Name string }
			}
		}
		_ = json.NewDecoder(r.Body).Decode(&review)
		a := review.Spec.ResourceAttributes
		fmt.Fprintf(w, `{"status":{"allowed":%t}}`, s.may(a.Verb, a.Group, a.Resource, a.Name))
		return
	case r.URL.Path == "/version":
		io.WriteString(w, `{}`)
		return
	case r.URL.Path == "/apis/chaos-mesh.org/v1alpha1":
		io.WriteString(w, `{"resources":[{"name":"podchaos","kind":"PodChaos"},{"name":"networkchaos","kind":"NetworkChaos"}]}`)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	if parts[0] == "apis" {
		group, parts = parts[1], parts[1:]
	}
	parts = parts[2:] // api/v1 or group/version
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource, name := parts[0], ""
	if len(parts) > 1 {
		name = parts[1]
	}
	verb := map[string]string{http.MethodGet: "list", http.MethodDelete: "deletecollection", http.MethodPost: "create"}[r.Method]
	if name != "" {
		verb = map[string]string{http.MethodGet: "get", http.MethodDelete: "delete"}[r.Method]
	}
	if r.URL.Query().Get("watch") != "" {
		verb = "watch"
	}
	switch {
	case !s.may(verb, group, resource, name):
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"kind":"Status","reason":"Forbidden"}`)
	case resource == "namespaces":
		io.WriteString(w, `{"metadata":{"annotations":{"chaos-mesh.org/inject":"enabled"}}}`)
	case resource == "pods":
		io.WriteString(w, `{"items":[{"metadata":{"name":"p","uid":"u"},"status":{"podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"True"}]}}]}`)
	default:
		io.WriteString(w, `{"items":[]}`)
	}
}

// The rights of rbac.yaml are all that the code asks for when it looks whether the plan can be run.
func TestDeployRights(t *testing.T) {
	all := manifests(t)
	granted := slices.Concat(all["Role/assay"].(*rbacv1.Role).Rules, all["ClusterRole/assay-models"].(*rbacv1.ClusterRole).Rules)
	plan := all["ConfigMap/assay-plan"].(*corev1.ConfigMap).Data["plan.yaml"]
	examine := func(grants []rbacv1.PolicyRule) *rules {
		cluster := &rules{grants: grants}
		server := httptest.NewServer(cluster)
		defer server.Close()
		dir := t.TempDir()
		write(t, dir, "kubeconfig", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: '%s'}}]\n"+
			"users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u, namespace: models}}]\n", server.URL))
		write(t, dir, "plan.yaml", strings.NewReplacer("namespace: models,", "kubeconfig: kubeconfig, namespace: models,", "http://llama.models.svc.cluster.local", server.URL).Replace(plan))
		got := assayIn(t, dir, "doctor", "plan.yaml")
		if !strings.Contains(got.out, "collect.kubernetes") {
			t.Errorf("doctor did not look at the cluster\n%s%s", got.out, got.err)
		}
		api, err := kube.Find(filepath.Join(dir, "kubeconfig"), "")
		if err != nil {
			t.Fatal(err)
		}
		c := &chill.Kubernetes{API: api, Namespace: "models", Pods: "a=b", Run: "r"}
		if err := c.Check(t.Context()); err != nil && !cluster.refused() {
			t.Error(err)
		}
		return cluster
	}
	if cluster := examine(granted); len(cluster.denied) > 0 || cluster.asked < 20 {
		t.Errorf("of %d rights these are not granted: %q", cluster.asked, cluster.denied)
	}
	without := examine(slices.DeleteFunc(slices.Clone(granted), func(g rbacv1.PolicyRule) bool { return slices.Contains(g.APIGroups, "chaos-mesh.org") }))
	if !slices.Contains(without.denied, "create podchaos.chaos-mesh.org") {
		t.Errorf("without the rights on Chaos Mesh only %q were missed", without.denied)
	}
}

// The gate of CI is YAML, and the assay that it calls has the flags that it gives.
func TestDeployCI(t *testing.T) {
	text, err := os.ReadFile(deploy + "ci/github-actions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Uses, Run string }
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, job := range workflow.Jobs {
		for _, step := range job.Steps {
			for _, call := range regexp.MustCompile(`dist/assay (run [^;\n]*)`).FindAllStringSubmatch(step.Run, -1) {
				calls++
				flagsOf(t, "github-actions.yaml", strings.Fields(call[1]))
			}
		}
	}
	if calls == 0 {
		t.Error("it calls no assay")
	}
}

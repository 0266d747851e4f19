package kubernetes

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/klog/v2"

	"github.com/assay-dev/assay/internal/apitest"
	"github.com/assay-dev/assay/internal/kube"
)

func TestMain(m *testing.M) {
	logs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(logs)
	_ = logs.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL"})
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// ours is the group that stands for the core and for apps: a server of custom resources has no groups of that name.
const ours = "assay.test"

// A real API server lists and watches; only the kinds of the core stand under another group there, and the machines in a namespace.
func TestWatchARealServer(t *testing.T) {
	var kinds []*apiext.CustomResourceDefinition
	for i := range resources {
		r := &resources[i]
		group := r.group
		if !strings.Contains(group, ".") {
			group = ours
		}
		kinds = append(kinds, apitest.Kind(group, r.version, r.kind, r.plural))
	}
	way, stop, err := apitest.Start(kinds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		switch {
		case p == "/api/v1/nodes":
			p = "/apis/" + ours + "/v1/namespaces/machines/nodes"
		case strings.HasPrefix(p, "/api/"):
			p = "/apis/" + ours + strings.TrimPrefix(p, "/api")
		default:
			p = strings.NewReplacer("/apis/apps/", "/apis/"+ours+"/", "/apis/autoscaling/", "/apis/"+ours+"/").Replace(p)
		}
		r.URL.Path = p
		way.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close) // after the watch has ended
	api := &kube.Client{Server: front.URL, HTTP: front.Client()}
	version := func(kind string) string {
		for _, k := range kinds {
			if k.Spec.Names.Kind == kind {
				return k.Spec.Group + "/" + k.Spec.Versions[0].Name
			}
		}
		return ""
	}
	at := func(kind, namespace string) string {
		for i := range resources {
			if r := resources[i]; r.kind == kind {
				r.cluster = false
				return r.path(namespace)
			}
		}
		return ""
	}
	create := func(kind, namespace string, o map[string]any) {
		t.Helper()
		o["kind"], o["apiVersion"] = kind, version(kind)
		meta := o["metadata"].(map[string]any)
		meta["namespace"] = namespace
		if err := api.Create(t.Context(), at(kind, namespace), o, nil); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	got := watch(t, api, began)
	var none time.Time
	create("Deployment", "models", replicas(1))
	create("Pod", "models", life("web-1", began, none, none, none))
	got.until(t, "instance.created", "web-1")
	patch := func(kind, name string, o map[string]any) {
		t.Helper()
		if err := api.Patch(t.Context(), at(kind, "models")+"/"+name, map[string]any{"status": o["status"], "spec": o["spec"]}, nil); err != nil {
			t.Fatal(err)
		}
	}
	patch("Pod", "web-1", life("web-1", began, began.Add(2*time.Second), none, none))
	got.until(t, "instance.ready", "web-1")
	patch("Pod", "web-1", life("web-1", began, began.Add(9*time.Second), began.Add(4*time.Second), none))
	got.until(t, "instance.exited", "web-1", "oom")
	create("PodAutoscaler", "models", map[string]any{"metadata": map[string]any{"name": "rev-1", "labels": map[string]any{"app": "web"}}, "status": map[string]any{"desiredScale": 3}})
	got.until(t, "scale", "desired:4", "workload:rev-1/rev-1")
	patch("Deployment", "web", replicas(0))
	got.until(t, "scale", "desired:3")
	if err := api.Delete(t.Context(), at("Pod", "models")+"/web-1"); err != nil {
		t.Fatal(err)
	}
	got.until(t, "instance.exited", "web-1", "scale_in")
}

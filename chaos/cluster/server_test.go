package cluster

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"go.etcd.io/etcd/server/v3/embed"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	servertesting "k8s.io/apiextensions-apiserver/pkg/cmd/server/testing"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/assay-dev/assay/internal/mesh"
)

// api is the API server of all tests, started by the first that needs it and ended with the process.
var api = sync.OnceValues(startAPI)

// stops ends what the server is made of, last first.
var stops []func()

// startAPI starts etcd and the server of custom resources, creates Chaos Mesh's kinds and returns the way in.
func startAPI() (http.Handler, error) {
	dir, err := os.MkdirTemp("", "assay-api")
	if err != nil {
		return nil, err
	}
	stops = append(stops, func() { os.RemoveAll(dir) })
	store, err := startEtcd(filepath.Join(dir, "etcd"))
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	none := filepath.Join(dir, "kubeconfig") // never used, but read
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.1.2.3:1'}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\nusers: [{name: u, user: {}}]\n"
	if err := os.WriteFile(none, []byte(text), 0o600); err != nil {
		return nil, err
	}
	server, err := servertesting.StartTestServer(quiet{}, nil, []string{"--etcd-prefix", "assay", "--etcd-servers", store, "--authentication-skip-lookup",
		"--authentication-kubeconfig", none, "--authorization-kubeconfig", none, "--kubeconfig", none, "--enable-priority-and-fairness=false",
		"--disable-admission-plugins", "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy"}, nil)
	if err != nil {
		return nil, fmt.Errorf("API server: %w", err)
	}
	stops = append(stops, server.TearDownFn)
	if err := createKinds(server.ClientConfig); err != nil {
		return nil, err
	}
	to, err := url.Parse(server.ClientConfig.Host)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(server.ClientConfig)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Authorization") // the test's own is another
	}}, nil
}

func startEtcd(dir string) (string, error) {
	c := embed.NewConfig()
	c.Dir, c.LogLevel, c.UnsafeNoFsync = dir, "fatal", true
	free := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c.ListenClientUrls, c.ListenPeerUrls = []url.URL{free}, []url.URL{free}
	e, err := embed.StartEtcd(c)
	if err != nil {
		return "", err
	}
	stops = append(stops, e.Close)
	select {
	case <-e.Server.ReadyNotify():
		return "http://" + e.Clients[0].Addr().String(), nil
	case <-time.After(30 * time.Second):
		return "", fmt.Errorf("not ready within 30s")
	}
}

// createKinds makes the kinds from the names of the Go types, each with an open schema and, as the real ones of experiments, without a subresource for
// the status. BlockChaos is that of an older Chaos Mesh, which does not know jitter and drops it.
func createKinds(config *rest.Config) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	open := true
	kinds := append(mesh.Kinds(), v1alpha1.KindWorkflowNode)
	for _, kind := range kinds {
		schema := &apiext.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open}
		if kind == "BlockChaos" {
			loose := apiext.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open}
			text := apiext.JSONSchemaProps{Type: "string"}
			schema = &apiext.JSONSchemaProps{Type: "object", Properties: map[string]apiext.JSONSchemaProps{"status": loose, "spec": {Type: "object", Properties: map[string]apiext.JSONSchemaProps{
				"action": text, "mode": text, "duration": text, "volumeName": text, "selector": loose,
				"delay": {Type: "object", Properties: map[string]apiext.JSONSchemaProps{"latency": text}}}}}}
		}
		plural := mesh.Plural(kind)
		_, err := crds.Create(background, &apiext.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + ".chaos-mesh.org"},
			Spec: apiext.CustomResourceDefinitionSpec{Group: "chaos-mesh.org", Scope: apiext.NamespaceScoped,
				Names:    apiext.CustomResourceDefinitionNames{Plural: plural, Singular: strings.ToLower(kind), Kind: kind, ListKind: kind + "List"},
				Versions: []apiext.CustomResourceDefinitionVersion{{Name: "v1alpha1", Served: true, Storage: true, Schema: &apiext.CustomResourceValidation{OpenAPIV3Schema: schema}}}}}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create the kind %s: %w", kind, err)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		list, err := crds.List(background, metav1.ListOptions{})
		if err != nil {
			return err
		}
		ready := 0
		for _, c := range list.Items {
			for _, x := range c.Status.Conditions {
				if x.Type == apiext.Established && x.Status == apiext.ConditionTrue {
					ready++
				}
			}
		}
		if ready == len(kinds) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d kinds are established", ready, len(kinds))
		}
	}
}

// quiet is the logger of the server's start.
type quiet struct{}

func (quiet) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (quiet) Logf(string, ...any)               {}

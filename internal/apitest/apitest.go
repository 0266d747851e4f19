// Package apitest runs a real API server of Kubernetes within a test: etcd and the server of custom resources. It has no pods of its own: what a test
// wants to be there it writes.
package apitest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	servertesting "k8s.io/apiextensions-apiserver/pkg/cmd/server/testing"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// established is how long the kinds may take until they are served.
const established = 30 * time.Second

// Start starts a server with the kinds. Stop ends it; the handler is the way in, for a server of the test's.
func Start(kinds []*apiext.CustomResourceDefinition) (way http.Handler, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range slices.Backward(stops) {
			s()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	dir, err := os.MkdirTemp("", "assay-api")
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { os.RemoveAll(dir) })
	etcd, store, err := startEtcd(filepath.Join(dir, "etcd"))
	if etcd != nil {
		stops = append(stops, etcd.Close)
	}
	if err != nil {
		return nil, stop, fmt.Errorf("etcd: %w", err)
	}
	none := filepath.Join(dir, "kubeconfig") // never used, but read
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.1.2.3:1'}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\nusers: [{name: u, user: {}}]\n"
	if err := os.WriteFile(none, []byte(text), 0o600); err != nil {
		return nil, stop, err
	}
	server, err := servertesting.StartTestServer(quiet{}, nil, []string{"--etcd-prefix", "assay", "--etcd-servers", store, "--authentication-skip-lookup",
		"--authentication-kubeconfig", none, "--authorization-kubeconfig", none, "--kubeconfig", none, "--enable-priority-and-fairness=false",
		"--disable-admission-plugins", "NamespaceLifecycle,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ValidatingAdmissionPolicy,MutatingAdmissionPolicy"}, nil)
	if err != nil {
		return nil, stop, fmt.Errorf("API server: %w", err)
	}
	stops = append(stops, server.TearDownFn)
	if err := createKinds(server.ClientConfig, kinds); err != nil {
		return nil, stop, err
	}
	to, err := url.Parse(server.ClientConfig.Host)
	if err != nil {
		return nil, stop, err
	}
	transport, err := rest.TransportFor(server.ClientConfig)
	if err != nil {
		return nil, stop, err
	}
	return &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Authorization") // the test's own is another
	}}, stop, nil
}

func startEtcd(dir string) (*embed.Etcd, string, error) {
	c := embed.NewConfig()
	c.Dir, c.LogLevel, c.UnsafeNoFsync = dir, "fatal", true
	free := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c.ListenClientUrls, c.ListenPeerUrls = []url.URL{free}, []url.URL{free}
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, "", err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, "http://" + e.Clients[0].Addr().String(), nil
	case <-time.After(established):
		return e, "", fmt.Errorf("not ready within %v", established)
	}
}

// Kind is the definition of a kind in a namespace whose objects may hold anything.
func Kind(group, version, kind, plural string) *apiext.CustomResourceDefinition {
	open := true
	return KindOf(group, version, kind, plural, &apiext.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open})
}

// KindOf is the definition of a kind with a schema, and no subresource for the status.
func KindOf(group, version, kind, plural string, schema *apiext.JSONSchemaProps) *apiext.CustomResourceDefinition {
	return &apiext.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group},
		Spec: apiext.CustomResourceDefinitionSpec{Group: group, Scope: apiext.NamespaceScoped,
			Names:    apiext.CustomResourceDefinitionNames{Plural: plural, Singular: strings.ToLower(kind), Kind: kind, ListKind: kind + "List"},
			Versions: []apiext.CustomResourceDefinitionVersion{{Name: version, Served: true, Storage: true, Schema: &apiext.CustomResourceValidation{OpenAPIV3Schema: schema}}}}}
}

func createKinds(config *rest.Config, kinds []*apiext.CustomResourceDefinition) error {
	ctx := context.Background()
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, k := range kinds {
		if _, err := crds.Create(ctx, k, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create the kind %s: %w", k.Name, err)
		}
	}
	for deadline := time.Now().Add(established); ; time.Sleep(20 * time.Millisecond) {
		list, err := crds.List(ctx, metav1.ListOptions{})
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

package cluster

import (
	"net/http"
	"sync"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/assay-dev/assay/internal/apitest"
	"github.com/assay-dev/assay/internal/mesh"
)

// api is the API server of all tests, started by the first that needs it and ended with the process.
var api = sync.OnceValues(startAPI)

// stops ends what the server is made of, last first.
var stops []func()

// startAPI starts an API server with Chaos Mesh's kinds and returns the way in.
func startAPI() (http.Handler, error) {
	way, stop, err := apitest.Start(kinds())
	stops = append(stops, stop)
	return way, err
}

// kinds are made from the names of the Go types, each with an open schema and, as the real ones of experiments, without a subresource for
// the status. BlockChaos is that of an older Chaos Mesh, which does not know jitter and drops it.
func kinds() (out []*apiext.CustomResourceDefinition) {
	open := true
	for _, kind := range append(mesh.Kinds(), v1alpha1.KindWorkflowNode) {
		k := apitest.Kind("chaos-mesh.org", "v1alpha1", kind, mesh.Plural(kind))
		if kind == "BlockChaos" {
			loose := apiext.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open}
			text := apiext.JSONSchemaProps{Type: "string"}
			k = apitest.KindOf("chaos-mesh.org", "v1alpha1", kind, mesh.Plural(kind), &apiext.JSONSchemaProps{Type: "object", Properties: map[string]apiext.JSONSchemaProps{"status": loose, "spec": {Type: "object", Properties: map[string]apiext.JSONSchemaProps{
				"action": text, "mode": text, "duration": text, "volumeName": text, "selector": loose,
				"delay": {Type: "object", Properties: map[string]apiext.JSONSchemaProps{"latency": text}}}}}})
		}
		out = append(out, k)
	}
	return out
}

package meshtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/mesh"
)

// A store holds objects by path, as an API server does as far as deletion, finalizers and merge patches go.
type store struct {
	mu      sync.Mutex
	objects map[string]map[string]any
	made    int
}

func newStore() *store { return &store{objects: map[string]map[string]any{}} }

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	parts := strings.Split(strings.Trim(path, "/"), "/")
	o := s.objects[path]
	var body map[string]any
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		}
	}
	switch {
	case path == "/apis/"+mesh.Group:
		answer(w, Discovery())
	case len(parts) == 6 && r.Method == http.MethodPost:
		meta, _ := body["metadata"].(map[string]any)
		at := path + "/" + fmt.Sprint(meta["name"])
		if s.objects[at] != nil {
			refuse(w, http.StatusConflict, "AlreadyExists")
			return
		}
		s.made++
		meta["uid"], meta["creationTimestamp"] = fmt.Sprintf("object-%d", s.made), now()
		s.objects[at] = body
		answer(w, body)
	case len(parts) == 6 && r.Method == http.MethodGet:
		items := []any{}
		for at, o := range maps.All(s.objects) {
			if strings.HasPrefix(at, path+"/") && labelled(o, r.URL.Query().Get("labelSelector")) {
				items = append(items, o)
			}
		}
		answer(w, map[string]any{"kind": "List", "items": items})
	case o == nil:
		refuse(w, http.StatusNotFound, "NotFound")
	case r.Method == http.MethodGet:
		answer(w, o)
	case r.Method == http.MethodPatch:
		merge(o, body)
		s.sweep(path)
		answer(w, o)
	case r.Method == http.MethodDelete:
		meta := o["metadata"].(map[string]any)
		if meta["deletionTimestamp"] == nil {
			meta["deletionTimestamp"] = time.Now().UTC().Format(time.RFC3339)
		}
		s.sweep(path)
		answer(w, o)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

// labelled reports whether an object has a label, or a label with a value: name, or name=value.
func labelled(o map[string]any, selector string) bool {
	meta, _ := o["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	name, value, exact := strings.Cut(selector, "=")
	got, there := labels[name]
	return selector == "" || there && (!exact || got == value)
}

// sweep takes an object away that was deleted and is held by nobody.
func (s *store) sweep(path string) {
	meta := s.objects[path]["metadata"].(map[string]any)
	if list, _ := meta["finalizers"].([]any); meta["deletionTimestamp"] != nil && len(list) == 0 {
		delete(s.objects, path)
	}
}

// merge applies a merge patch (RFC 7386).
func merge(o, patch map[string]any) {
	for k, v := range patch {
		p, ok := v.(map[string]any)
		switch {
		case v == nil:
			delete(o, k)
		case !ok:
			o[k] = v
		default:
			sub, ok := o[k].(map[string]any)
			if !ok {
				sub = map[string]any{}
				o[k] = sub
			}
			merge(sub, p)
		}
	}
}

// Discovery is the list of the kinds that are served.
func Discovery() map[string]any {
	var list []any
	for _, k := range append(mesh.Kinds(), v1alpha1.KindWorkflowNode) {
		list = append(list, map[string]any{"name": mesh.Plural(k), "kind": k, "namespaced": true, "verbs": []string{"create", "delete", "get", "list", "patch"}})
	}
	return map[string]any{"kind": "APIResourceList", "groupVersion": mesh.Group, "resources": list}
}

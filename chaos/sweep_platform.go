package chaos

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/assay-dev/assay/internal/kube"
)

// sweptKinds are the kinds of objects that faults by kubernetes change or make. The Jobs that would end such faults come first.
var sweptKinds = []struct{ group, version, plural string }{
	{"batch", "v1", "jobs"}, {"apps", "v1", "deployments"}, {"serving.knative.dev", "v1", "services"}, {"serving.kserve.io", "v1beta1", "inferenceservices"},
	{"autoscaling", "v2", "horizontalpodautoscalers"}, {"", "v1", "resourcequotas"}, {"networking.k8s.io", "v1", "networkpolicies"},
}

const expiryPrefix = "assay-expiry-" // begins the names of the Jobs

// platform finds the objects that bear a mark of the run, those that it made, and the Jobs that would end its faults. missed says what we may not look
// for; known tells that we may look for something.
func (s Sweep) platform(ctx context.Context, api *kube.Client) (found []leftover, missed []string, known bool, err error) {
	jobs := map[string]string{} // paths, by the marks that are in their names
	for _, k := range sweptKinds {
		collection, kind := "/apis/"+k.group+"/"+k.version, k.plural+"."+k.group
		if k.group == "" {
			collection, kind = "/api/"+k.version, k.plural
		}
		collection += "/namespaces/" + url.PathEscape(s.Namespace) + "/" + k.plural
		items, err := listThere(ctx, api, collection)
		switch {
		case kube.NotFound(err):
			continue
		case refused(err):
			missed = append(missed, fmt.Sprintf("%s in %s, if the run has changed any: %v", kind, s.Namespace, err))
			continue
		case err != nil:
			return nil, nil, known, err
		}
		known = true
		for _, o := range items {
			name := at(o, "/metadata/name")
			made := at(o, pointer("metadata", "labels", kube.RunLabel)) == s.Run && at(o, pointer("metadata", "labels", "app.kubernetes.io/managed-by")) == "assay"
			if mark, ok := strings.CutPrefix(name, expiryPrefix); ok && made && k.plural == "jobs" {
				jobs[mark] = collection + "/" + name
				continue
			}
			add := func(mark string, u objectUndo) {
				u.Namespace, u.Object, u.Path, u.Job = s.Namespace, kind+"/"+name, collection+"/"+url.PathEscape(name), jobs[mark]
				delete(jobs, mark)
				found = append(found, s.leftover(u))
			}
			for mark, note := range notesOf(o) {
				if note.Run == s.Run {
					add(strings.TrimPrefix(mark, notePrefix), objectUndo{UID: at(o, "/metadata/uid"), Mark: mark, Fields: note.Fields})
				}
			}
			if mark, ok := strings.CutPrefix(name, "assay-"); ok && made {
				add(mark, objectUndo{})
			}
		}
	}
	for mark, path := range jobs {
		found = append(found, s.leftover(objectUndo{Namespace: s.Namespace, Object: "jobs.batch/" + expiryPrefix + mark, Path: path}))
	}
	return found, missed, known, nil
}

func (s Sweep) leftover(u objectUndo) leftover {
	return leftover{u.Object + " in " + s.Namespace, Undo{ID: "sweep", Kind: UndoObject, Kubeconfig: s.Kubeconfig, Context: s.Context, Object: &u}}
}

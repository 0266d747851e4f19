package kubernetes

import (
	"context"
	"fmt"

	"github.com/assay-dev/assay/internal/kube"
)

// A Look is what became of looking at one kind of objects.
type Look struct {
	Plural  string
	Without string // what will not be known where it cannot be read
	Absent  bool   // the cluster has no such kind
	Denied  bool   // we may not list or watch it
	Found   int    // objects; pods: those that are selected
	Err     error  // it could not be asked
}

// Examine says of each kind what a Watch would see of it. An error means that the cluster cannot be asked.
func (w *Watch) Examine(ctx context.Context) (looks []Look, namespace string, err error) {
	api, s, err := w.prepare()
	if err != nil {
		return nil, "", err
	}
	var version struct{}
	if err := api.Get(ctx, "/version", &version); err != nil && kube.Status(err) == 0 {
		return nil, "", err
	}
	for i := range resources {
		r := &resources[i]
		l := Look{Plural: r.plural, Without: r.without}
		var list struct {
			Items []Object `json:"items"`
		}
		err := api.Get(ctx, r.path(s.Namespace)+"?limit=500", &list)
		switch {
		case kube.NotFound(err):
			l.Absent = true
		case kube.Forbidden(err):
			l.Denied = true
		case err != nil:
			l.Err = err
		default:
			for k := range list.Items {
				if r.kind != "Pod" || s.pod(&list.Items[k].Metadata) {
					l.Found++
				}
			}
			l.Denied, l.Err = denied(ctx, api, r, s.Namespace)
		}
		looks = append(looks, l)
	}
	return looks, s.Namespace, nil
}

// denied asks whether a kind may be watched; that it may be listed was seen.
func denied(ctx context.Context, api *kube.Client, r *resource, namespace string) (bool, error) {
	a := map[string]string{"verb": "watch", "group": r.group, "resource": r.plural}
	if !r.cluster {
		a["namespace"] = namespace
	}
	var review struct {
		Status struct{ Allowed bool }
	}
	err := api.Create(ctx, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", map[string]any{"apiVersion": "authorization.k8s.io/v1",
		"kind": "SelfSubjectAccessReview", "spec": map[string]any{"resourceAttributes": a}}, &review)
	if kube.NotFound(err) { // a server without reviews lets us, or says so when we try
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for the right to watch %s: %w", r.plural, err)
	}
	return !review.Status.Allowed, nil
}

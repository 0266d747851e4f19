package chaos

import (
	"context"
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
)

// A right is something to be allowed to do in the namespace.
type right struct{ verb, group, plural, name string }

func (r right) String() string {
	text := r.verb + " " + r.plural
	if r.group != "" {
		text += "." + r.group
	}
	if r.name != "" {
		text += " " + r.name
	}
	return text
}

// Check returns an error if the steps cannot be done: an object is not there, or is such that nothing would change, or we, or the service account of the
// expiry, lack a right. It changes nothing. Its notes are what could not be checked.
func (d *Kubernetes) Check(ctx context.Context, steps []Step) (notes []string, err error) {
	needs := append([]right{{"list", "", "pods", ""}}, d.expiryRights()...)
	for i := range steps {
		s := &steps[i]
		how, ok := deeds()[s.Fault]
		if s.by() != ByKubernetes || !ok {
			continue
		}
		needs = append(needs, how.rights(d, s)...)
	}
	asked, missing := map[right]bool{}, []string{}
	for _, r := range needs {
		if asked[r] {
			continue
		}
		asked[r] = true
		ok, err := d.may(ctx, "", r)
		if err != nil {
			return nil, fmt.Errorf("ask for our rights in namespace %s: %w", d.Namespace, err)
		}
		if !ok {
			missing = append(missing, r.String())
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("in namespace %s we may not %s", d.Namespace, strings.Join(missing, ", "))
	}
	for i := range steps {
		if s := &steps[i]; s.by() == ByKubernetes && !deeds()[s.Fault].bounded { // there may be no pods yet to make cold
			if _, err := d.Plan(ctx, s, Victim{ID: assay.WholeTarget}); err != nil {
				return nil, err
			}
		}
	}
	if d.Expiry == nil {
		return nil, nil
	}
	err = d.API.Get(ctx, d.core("serviceaccounts/"+d.Expiry.ServiceAccount), nil)
	if kube.NotFound(err) {
		return nil, fmt.Errorf("the service account %s of the expiry is not in namespace %s", d.Expiry.ServiceAccount, d.Namespace)
	}
	note, err := d.checkAccount(ctx, needs)
	if note != "" {
		notes = append(notes, note)
	}
	return notes, err
}

// may asks the cluster whether we, or the user, may do something in the namespace.
func (d *Kubernetes) may(ctx context.Context, user string, r right) (bool, error) {
	spec := map[string]any{"resourceAttributes": map[string]any{"namespace": d.Namespace, "verb": r.verb, "group": r.group, "resource": r.plural, "name": r.name}}
	kind, path := "SelfSubjectAccessReview", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	review := map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
	if user != "" {
		path = "/apis/authorization.k8s.io/v1/namespaces/" + d.Namespace + "/localsubjectaccessreviews"
		review["kind"], review["metadata"], spec["user"] = "LocalSubjectAccessReview", map[string]any{"namespace": d.Namespace}, user
	}
	var answer any
	if err := d.API.Create(ctx, path, review, &answer); err != nil {
		return false, err
	}
	allowed, _ := lookup(answer, "/status/allowed")
	return allowed == true, nil
}

package chaos

import (
	"context"
	"fmt"
	"strconv"
)

// planAccess denies the workload's new pods its configuration or its weights, in one of three ways. No value of a variable or a secret is read for it,
// kept or changed:
//
//   - a variable is hidden by giving it another name;
//   - a secret, or what refers to it in variables and volumes, is not found, since the reference leads to a name that does not exist;
//   - networks, that of the weights' store for example, are not reached, by a policy of ours on the pods.
func planAccess(ctx context.Context, d *Kubernetes, s *Step) (*Action, error) {
	c := s.change()
	if len(c.Egress) > 0 {
		return planEgress(ctx, d, s)
	}
	t, _, k, err := d.readWorkload(ctx)
	if err != nil {
		return nil, err
	}
	var fields []field
	if c.Variable != "" {
		fields, err = k.hide(t.object, c.Container, c.Variable)
	} else {
		fields, err = k.misdirect(t.object, c.Secret)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	a, err := d.planFields(s, t, fields...)
	if err != nil {
		return nil, err
	}
	d.measureTemplate(a, t, k)
	return a, nil
}

// hidden begins the name that a hidden variable has, and denied ends the one of a secret that does not exist.
const (
	hidden = "ASSAY_HIDDEN_"
	denied = "-assay-denied"
)

// hide returns the change that hides a variable from a container.
func (k *workloadKind) hide(object any, container, variable string) ([]field, error) {
	at0, err := k.container(object, container)
	if err != nil {
		return nil, err
	}
	for i, e := range list(object, at0+"/env") {
		if at(e, "/name") == variable {
			return []field{changed(object, at0+"/env/"+strconv.Itoa(i)+"/name", hidden+variable)}, nil
		}
	}
	return nil, fmt.Errorf("the container has no variable %s of its own", variable)
}

// misdirect returns the changes that lead all references to a secret into nothing.
func (k *workloadKind) misdirect(object any, secret string) ([]field, error) {
	var fields []field
	look := func(at0, list0, name string) {
		for i := range list(object, at0+list0) {
			if p := at0 + list0 + "/" + strconv.Itoa(i) + name; at(object, p) == secret {
				fields = append(fields, changed(object, p, secret+denied))
			}
		}
	}
	containers := []string{k.model}
	for _, l := range []string{"/initContainers", "/containers"} {
		for i := range list(object, k.spec+l) {
			containers = append(containers, k.spec+l+"/"+strconv.Itoa(i))
		}
	}
	for _, c := range containers {
		if c != "" {
			look(c, "/env", "/valueFrom/secretKeyRef/name")
			look(c, "/envFrom", "/secretRef/name")
		}
	}
	look(k.spec, "/volumes", "/secret/secretName")
	if fields == nil {
		return nil, fmt.Errorf("nothing in it refers to the secret %s", secret)
	}
	return fields, nil
}

func accessRights(d *Kubernetes, s *Step) []right {
	if len(s.change().Egress) == 0 {
		return workloadRights(d, s)
	}
	const group, plural = "networking.k8s.io", "networkpolicies"
	return []right{{"create", group, plural, ""}, {"get", group, plural, ""}, {"delete", group, plural, ""}}
}

package chaos

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
)

// planPodQuota puts a quota of pods on the namespace: those there are go on, and no new one is made beyond it. Pods that must end by a time, as the one
// of our expiry, do not count.
func planPodQuota(_ context.Context, d *Kubernetes, s *Step) (*Action, error) {
	n := value(s.change().Pods)
	a := d.planOurs(s, "resourcequotas", d.core("resourcequotas"), map[string]any{"apiVersion": "v1", "kind": "ResourceQuota",
		"spec": map[string]any{"hard": map[string]any{"pods": strconv.Itoa(n)}, "scopes": []string{"NotTerminating"}}})
	path := a.Undo.Object.Path
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			var quota any
			if err := d.API.Get(ctx, path, &quota); err != nil {
				return err
			}
			hard, used := at(quota, "/status/hard/pods"), at(quota, "/status/used/pods")
			if hard != strconv.Itoa(n) || used == "" {
				return fmt.Errorf("the quota is not yet counted")
			}
			have, _ := strconv.Atoi(used)
			if have < n {
				effect, a.Basis = fmt.Sprintf("Kubernetes counts %d pods of %d: the quota was not put to the test", have, n), assay.EffectUntested
				return nil
			}
			// A pod that is only tried goes through the same admission.
			err := d.API.Create(ctx, d.core("pods")+"?dryRun=All", tryPod, nil)
			switch {
			case err == nil:
				return fmt.Errorf("a new pod would be taken")
			case kube.Forbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
				effect, a.Basis = fmt.Sprintf("a new pod is refused: %d of %d are there", have, n), assay.EffectMeasured
				return nil
			case kube.Forbidden(err): // we may not make pods, not even try to
				effect, a.Basis = fmt.Sprintf("Kubernetes says that %d of %d pods are there; not measured by us", have, n), assay.EffectTold
				return nil
			}
			return err
		})
		return effect, err
	}
	return a, nil
}

// tryPod is a pod that is never made.
var tryPod = map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"generateName": "assay-try-"},
	"spec": map[string]any{"containers": []any{map[string]any{"name": "none", "image": noImage}}}}

func quotaRights(*Kubernetes, *Step) []right {
	return []right{{"create", "", "resourcequotas", ""}, {"get", "", "resourcequotas", ""}, {"delete", "", "resourcequotas", ""}}
}

// planEgress puts a NetworkPolicy on the pods that lets them reach all but some networks.
func planEgress(_ context.Context, d *Kubernetes, s *Step) (*Action, error) {
	labels, err := equalities(d.Pods)
	if err != nil {
		return nil, err
	}
	var four, six []any
	for _, network := range s.change().Egress {
		if strings.Contains(network, ":") {
			six = append(six, network)
		} else {
			four = append(four, network)
		}
	}
	block := func(all string, but []any) any {
		b := map[string]any{"cidr": all}
		if but != nil {
			b["except"] = but
		}
		return map[string]any{"ipBlock": b}
	}
	collection := "/apis/networking.k8s.io/v1/namespaces/" + url.PathEscape(d.Namespace) + "/networkpolicies"
	a := d.planOurs(s, "networkpolicies.networking.k8s.io", collection, map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"spec": map[string]any{"podSelector": map[string]any{"matchLabels": labels}, "policyTypes": []string{"Egress"},
			"egress": []any{map[string]any{"to": []any{block("0.0.0.0/0", four), block("::/0", six)}}}}})
	path := a.Undo.Object.Path
	a.Effect = func(ctx context.Context) (string, error) {
		err := d.watch(ctx, func() error {
			var policy any
			return d.API.Get(ctx, path, &policy)
		})
		a.Basis = assay.EffectUntested // not every network plugin enforces policies
		return "Kubernetes says that the policy is there; whether the cluster's network enforces it was not measured by us", err
	}
	return a, nil
}

// equalities returns the labels that a selector of the form a=b,c=d demands.
func equalities(selector string) (map[string]any, error) {
	out := map[string]any{}
	for _, term := range strings.Split(selector, ",") {
		k, v, ok := strings.Cut(strings.ReplaceAll(term, "==", "="), "=")
		if k, v = strings.TrimSpace(k), strings.TrimSpace(v); !ok || k == "" || strings.ContainsAny(k, "!() ") {
			return nil, fmt.Errorf("the selector of pods %q is not of the form a=b,c=d, which a NetworkPolicy needs", selector)
		} else {
			out[k] = v
		}
	}
	return out, nil
}

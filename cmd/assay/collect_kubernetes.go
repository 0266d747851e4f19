package main

import (
	"context"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/kubernetes"
	"github.com/assay-dev/assay/dashboards"
)

// watchKubernetes adds what watches the pods of the target's cluster, if the plan asks for that.
func (s *session) watchKubernetes(out map[string]assay.Source) {
	if w := s.kubernetesWatch(); w != nil {
		out["collect.kubernetes"] = w
	}
}

func (s *session) kubernetesWatch() *kubernetes.Watch {
	k := s.plan.KubernetesWatch()
	if k == nil {
		return nil
	}
	return &kubernetes.Watch{Kubeconfig: k.Kubeconfig, Context: k.Context, Namespace: k.Namespace, Selector: k.Selector, Container: k.Container, Clock: s.clock}
}

// examineKubernetes says what a run would see of the cluster, and what it would not, and why.
func examineKubernetes(ctx context.Context, p *patient) {
	w := p.kubernetesWatch()
	if w == nil {
		return
	}
	const less = "without it the run goes on and knows less"
	var looks []kubernetes.Look
	var namespace string
	err := soon(ctx, func(ctx context.Context) (err error) {
		looks, namespace, err = w.Examine(ctx)
		return err
	})
	if err != nil {
		p.add(doubt, less, "collect.kubernetes: %v", err)
		return
	}
	var seen, absent []string
	for _, l := range looks {
		switch {
		case l.Absent:
			absent = append(absent, l.Plural)
		case l.Denied:
			p.add(doubt, "grant get, list and watch of "+l.Plural+" to whom the run is", "collect.kubernetes: %s may not be read: %s will not be known", l.Plural, l.Without)
		case l.Err != nil:
			p.add(doubt, less, "collect.kubernetes: %s: %v", l.Plural, l.Err)
		case l.Plural == "pods" && l.Found == 0:
			p.add(doubt, "check namespace and selector, unless the target is scaled to zero", "collect.kubernetes: no pod is selected in namespace %s", namespace)
		case l.Plural == "pods":
			p.ok("collect.kubernetes: %s selected in namespace %s", dashboards.Things(l.Found, "pods"), namespace)
		default:
			seen = append(seen, l.Plural)
		}
	}
	if len(seen) > 0 {
		p.ok("collect.kubernetes: may watch %s", strings.Join(seen, ", "))
	}
	if len(absent) > 0 {
		p.ok("collect.kubernetes: the cluster has no %s: nothing of them will be known", strings.Join(absent, ", "))
	}
}

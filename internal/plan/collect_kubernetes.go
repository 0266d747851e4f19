package plan

import (
	"cmp"

	"k8s.io/apimachinery/pkg/labels"
)

// KubernetesCollect says which pods of a cluster are watched. What is empty is as target.deployment.kubernetes has it.
type KubernetesCollect struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig,omitempty" jsonschema:"description=Kubeconfig file; relative to the plan. Default that of target.deployment.kubernetes; else the pod's service account or KUBECONFIG or ~/.kube/config."`
	Context    string `yaml:"context" json:"context,omitempty" jsonschema:"description=Context of the kubeconfig. Default that of target.deployment.kubernetes; else its current one."`
	Namespace  string `yaml:"namespace" json:"namespace,omitempty" jsonschema:"description=Namespace of the pods. Default that of target.deployment.kubernetes; else that of the context; else default."`
	Selector   string `yaml:"selector" json:"selector,omitempty" jsonschema:"description=Label selector of the pods that are instances. Default the pods of target.deployment.kubernetes; else all of the namespace."`
	Container  string `yaml:"container" json:"container,omitempty" jsonschema:"description=Container that serves the model. Default the one that the pod names; else kserve-container or user-container; else the first that is no sidecar."`
}

// KubernetesWatch returns what is to be watched of a cluster, with its defaults and the kubeconfig's path; nil: nothing.
func (p *Plan) KubernetesWatch() *KubernetesCollect {
	c := p.Collect.Kubernetes
	if c == nil {
		return nil
	}
	k := *c
	if d := p.Target.Deployment; d != nil && d.Kubernetes != nil {
		own := k.Kubeconfig + k.Context
		if own == "" {
			k.Kubeconfig, k.Context = d.Kubernetes.Kubeconfig, d.Kubernetes.Context
		}
		k.Namespace, k.Selector = cmp.Or(k.Namespace, d.Kubernetes.Namespace), cmp.Or(k.Selector, d.Kubernetes.Pods)
	}
	if k.Kubeconfig != "" {
		k.Kubeconfig = p.Path(k.Kubeconfig)
	}
	return &k
}

// collectKubernetes checks the selector.
func (c *checker) collectKubernetes(k *KubernetesCollect) {
	if k == nil || k.Selector == "" {
		return
	}
	if _, err := labels.Parse(k.Selector); err != nil {
		c.bad("collect.kubernetes.selector", "%q is no label selector: %v; want labels that the pods have; for example app=vllm", k.Selector, err)
	}
}

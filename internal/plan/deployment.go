package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Deployment says what stands behind the target, as far as faults may touch it. The sandbox is known without asking; of any other
// target nothing is touched that is not named here.
type Deployment struct {
	Process    *ProcessDeployment    `yaml:"process" json:"process,omitempty" jsonschema:"description=A server process on this machine that you run: faults on the process and on the machine."`
	Kubernetes *KubernetesDeployment `yaml:"kubernetes" json:"kubernetes,omitempty" jsonschema:"description=Pods in a cluster: faults through Chaos Mesh and through objects of the platform."`
	Lambda     *LambdaDeployment     `yaml:"lambda" json:"lambda,omitempty" jsonschema:"description=A function of AWS Lambda: faults through its control API."`
}

// KubernetesDeployment names the pods that serve the target.
type KubernetesDeployment struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig,omitempty" jsonschema:"description=Kubeconfig file; relative to the plan. Default: the pod's service account; else KUBECONFIG or ~/.kube/config."`
	Context    string `yaml:"context" json:"context,omitempty" jsonschema:"description=Context of the kubeconfig. Default its current one."`
	Namespace  string `yaml:"namespace" json:"namespace,omitempty" jsonschema:"description=Namespace of the pods. Default that of the context; else default."`
	Pods       string `yaml:"pods" json:"pods" jsonschema:"description=Label selector of the pods that serve the target; for example app=vllm. Nothing else is hurt."`
	OptIn      bool   `yaml:"optIn" json:"optIn,omitempty" jsonschema:"description=Hurt nothing unless the namespace is annotated chaos-mesh.org/inject: enabled."`

	Workload string            `yaml:"workload" json:"workload,omitempty" jsonschema:"description=What makes the pods: deployment/NAME or ksvc/NAME or inferenceservice/NAME. For faults by kubernetes."`
	HPA      string            `yaml:"hpa" json:"hpa,omitempty" jsonschema:"description=HorizontalPodAutoscaler of the Deployment; scale caps it instead."`
	Expiry   *KubernetesExpiry `yaml:"expiry" json:"expiry,omitempty" jsonschema:"description=How the cluster itself ends a fault by kubernetes that we cannot end: a Job of ours that runs before the fault begins."`
}

// The drivers, as the table of faults names them.
const (
	byLocal      = "local"
	byChaosMesh  = "chaosmesh"
	byKubernetes = "kubernetes"
	byLambda     = "lambda"
	byWire       = "wire"
	byToolkit    = "toolkit"
)

// drivers returns the drivers that the target offers.
func (p *Plan) drivers() []string {
	t := &p.Target
	if t.Kind == "sandbox" {
		return []string{byLocal, byToolkit}
	}
	var out []string
	if t.process() != nil {
		out = append(out, byLocal)
	}
	if d := t.Deployment; d != nil && d.Kubernetes != nil {
		out = append(out, byChaosMesh, byKubernetes)
	}
	if d := t.Deployment; d != nil && d.Lambda != nil {
		out = append(out, byLambda)
	}
	if t.wire() {
		out = append(out, byWire)
	}
	return append(out, byToolkit)
}

// driver returns the driver of a fault: the one it names, or the first that knows its kind and that the target offers.
func (p *Plan) driver(f *Fault, k *FaultKind) (string, error) {
	offered := p.Target.spare(p.drivers(), k)
	if f.By != "" {
		switch {
		case !slices.Contains(k.By, f.By):
			return "", fmt.Errorf("%s is not done by %s but by %s", f.Fault, f.By, strings.Join(k.By, ", "))
		case !slices.Contains(offered, f.By):
			return "", fmt.Errorf("%s by %s: %s", f.Fault, f.By, p.unoffered(f.By))
		}
		return f.By, nil
	}
	var errs []string
	for _, by := range k.By {
		if slices.Contains(offered, by) {
			return by, nil
		}
		errs = append(errs, "by "+by+": "+p.unoffered(by))
	}
	return "", errors.New("nothing here can do " + f.Fault + " to the target; " + strings.Join(errs, "; "))
}

// unoffered says why the target does not offer a driver.
func (p *Plan) unoffered(by string) string {
	switch by {
	case byLocal:
		return p.Target.unofferedLocal()
	case byWire:
		return fmt.Sprintf("a proxy for HTTP/1.1 between the load and the target cannot be passed by kind %s", p.Target.Kind)
	}
	return "target.deployment does not say " + map[string]string{byChaosMesh: "kubernetes", byKubernetes: "kubernetes", byLambda: "lambda"}[by]
}

// deployment checks what the plan says of the deployment.
func (c *checker) deployment(t *Target) {
	const at = "target.deployment"
	d := t.Deployment
	switch {
	case d == nil:
		return
	case t.Kind == "sandbox":
		c.bad(at, "the sandbox is known without it; leave it out")
	case d.Kubernetes == nil && d.Process == nil && d.Lambda == nil:
		c.bad(at, "says nothing; give kubernetes or lambda or process")
	}
	c.process(t)
	c.platform(d)
	if k := d.Kubernetes; k != nil {
		c.pods(at+".kubernetes", k.Pods)
	}
}

// pods demands a selector that leaves something out: an empty one is every pod of the namespace.
func (c *checker) pods(at, selector string) {
	const example = "; want labels that the pods to hurt have; for example app=vllm,tier in (gpu,cpu)"
	if selector == "" {
		c.bad(at, "needs pods: the label selector of what may be hurt; for example app=vllm")
		return
	}
	terms, err := labels.ParseToRequirements(selector)
	switch {
	case err != nil:
		c.bad(at+".pods", "%q is no label selector: %v%s", selector, err, example)
	case len(terms) == 0:
		c.bad(at+".pods", "%q selects every pod of the namespace%s", selector, example)
	}
	for _, t := range terms {
		if op := t.Operator(); op == selection.GreaterThan || op == selection.LessThan {
			c.bad(at+".pods", "%q compares numbers, which Chaos Mesh cannot%s", t.String(), example)
		}
	}
}

package plan

import (
	"time"

	"github.com/assay-dev/assay"
)

// Cold makes cold starts on purpose, one after another.
type Cold struct {
	Force  int      `yaml:"force" json:"force" jsonschema:"minimum=1,description=How many cold starts."`
	Every  Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=Least time from one to the next. Default: as fast as it goes."`
	Settle Duration `yaml:"settle" json:"settle,omitempty" jsonschema:"description=Time between the deployment being cold and the request."`
}

// lasts returns how long the phase takes at most if it does not say so.
func (c *Cold) lasts() time.Duration {
	return time.Duration(min(max(c.Force, 1), maxForce)) * (max(c.Every.D(), time.Minute) + c.Settle.D())
}

// maxForce is the most cold starts one phase may force.
const maxForce = 100_000

// ColdBy says how a target is made cold; exactly one is given.
type ColdBy struct {
	Kubernetes *KubernetesCold `yaml:"kubernetes" json:"kubernetes,omitempty" jsonschema:"description=Scale a Deployment to zero or delete pods."`
	Lambda     *LambdaCold     `yaml:"lambda" json:"lambda,omitempty" jsonschema:"description=Touch the configuration of a Lambda function: its execution environments are not used again."`
}

// KubernetesCold names what is made cold in a cluster: a deployment or pods.
type KubernetesCold struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig,omitempty" jsonschema:"description=Kubeconfig file; relative to the plan. Default: the pod's service account; else KUBECONFIG or ~/.kube/config."`
	Context    string `yaml:"context" json:"context,omitempty" jsonschema:"description=Context of the kubeconfig. Default its current one."`
	Namespace  string `yaml:"namespace" json:"namespace,omitempty" jsonschema:"description=Namespace. Default: default."`
	Deployment string `yaml:"deployment" json:"deployment,omitempty" jsonschema:"description=Deployment that is scaled to zero."`
	Wake       *bool  `yaml:"wake" json:"wake,omitempty" jsonschema:"description=For deployment: give it its replicas back when it is cold. false leaves that to the platform's own activator. Default true."`
	Pods       string `yaml:"pods" json:"pods,omitempty" jsonschema:"description=Label selector of the pods that are deleted; for example serving.knative.dev/service=NAME."`
}

// LambdaCold names a Lambda function.
type LambdaCold struct {
	Function string `yaml:"function" json:"function" jsonschema:"description=Name or ARN of the function."`
	Region   string `yaml:"region" json:"region,omitempty" jsonschema:"description=Region. Default: as the environment says."`
	Endpoint string `yaml:"endpoint" json:"endpoint,omitempty" jsonschema:"description=URL of the service's endpoint. Default: that of the region."`
}

// cold checks a phase that forces cold starts and returns how many requests it plans.
func (c *checker) cold(at string, l *Load, p *Plan) float64 {
	k := l.Cold
	if k.Force < 1 || k.Force > maxForce {
		c.bad(at+".cold.force", "%d is out of range; 1 to %d", k.Force, maxForce)
	}
	if l.For.D() > maxFor {
		c.bad(at+".for", "is %v; at most %v", l.For.D(), maxFor)
	}
	if l.Role != assay.RoleCold {
		c.bad(at+".role", "%s does not go with cold; leave role out", l.Role)
	}
	if l.Session != nil {
		c.bad(at+".session", "does not go with cold: each cold start is one request")
	}
	switch s := p.Target.Sandbox; {
	case p.Target.Kind != "sandbox" && p.Target.Cold == nil:
		c.bad(at+".cold", "nothing makes the target cold; say how in target.cold: kubernetes or lambda")
	case p.Target.Kind == "sandbox" && s.MinScale != nil && *s.MinScale > 0:
		c.bad(at+".cold", "the sandbox keeps %d instances and is never cold; leave target.sandbox.minScale at 0", *s.MinScale)
	}
	return float64(k.Force)
}

// coldBy checks how the target is made cold.
func (c *checker) coldBy(t *Target) {
	b := t.Cold
	if b == nil {
		return
	}
	const at = "target.cold"
	switch {
	case t.Kind == "sandbox":
		c.bad(at, "the sandbox needs no way to be made cold; leave it out")
	case (b.Kubernetes == nil) == (b.Lambda == nil):
		c.bad(at, "needs exactly one of kubernetes and lambda")
	}
	if k := b.Kubernetes; k != nil {
		if (k.Deployment == "") == (k.Pods == "") {
			c.bad(at+".kubernetes", "needs exactly one of deployment and pods")
		}
		if k.Wake != nil && k.Deployment == "" {
			c.bad(at+".kubernetes.wake", "belongs to deployment; pods come back of themselves")
		}
	}
	if l := b.Lambda; l != nil {
		if l.Function == "" {
			c.bad(at+".lambda", "names no function")
		}
		if l.Endpoint != "" {
			c.url(at+".lambda.endpoint", l.Endpoint)
		}
	}
}

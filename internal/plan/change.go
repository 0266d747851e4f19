package plan

import "strings"

// Change is what a fault by kubernetes or lambda changes. What its kind demands is checked where the kinds are known.
type Change struct {
	Replicas    *int              `yaml:"replicas" json:"replicas,omitempty" jsonschema:"minimum=0,description=For scale: how many replicas the workload may have; 0 only of a Deployment."`
	Annotations map[string]string `yaml:"annotations" json:"annotations,omitempty" jsonschema:"description=For annotate: annotations that are set."`
	Labels      map[string]string `yaml:"labels" json:"labels,omitempty" jsonschema:"description=For annotate: labels that are set."`
	On          string            `yaml:"on" json:"on,omitempty" jsonschema:"enum=pods,enum=workload,description=For annotate: what they are set on; pods makes new pods. Default pods."`
	Image       string            `yaml:"image" json:"image,omitempty" jsonschema:"description=For image: what is rolled out. Default one that nobody can pull."`
	Container   string            `yaml:"container" json:"container,omitempty" jsonschema:"description=For image and access: the container. Default the first. For kill by chaosmesh: only this one."`
	Pods        *int              `yaml:"pods" json:"pods,omitempty" jsonschema:"minimum=0,description=For quota: how many pods the namespace may have. Default 0: no new one."`
	Variable    string            `yaml:"variable" json:"variable,omitempty" jsonschema:"description=For access: the variable that is hidden from new instances."`
	Secret      string            `yaml:"secret" json:"secret,omitempty" jsonschema:"description=For access by kubernetes: the secret that new pods do not find."`
	Egress      []string          `yaml:"egress" json:"egress,omitempty" jsonschema:"description=For access by kubernetes: networks that the pods cannot reach; for example 10.20.0.0/16."`
	Concurrency *int              `yaml:"concurrency" json:"concurrency,omitempty" jsonschema:"minimum=0,description=For concurrency: how many requests at once; of one instance by kubernetes or of the function by lambda."`
}

// LambdaDeployment names the function that serves the target.
type LambdaDeployment struct {
	Function  string        `yaml:"function" json:"function" jsonschema:"description=Name or ARN of the function. Nothing else is changed."`
	Qualifier string        `yaml:"qualifier" json:"qualifier,omitempty" jsonschema:"description=Version or alias that the load calls. Default the unpublished version; only its environment can be changed."`
	Region    string        `yaml:"region" json:"region,omitempty" jsonschema:"description=Region. Default: as the environment says."`
	Endpoint  string        `yaml:"endpoint" json:"endpoint,omitempty" jsonschema:"description=URL of the Lambda API. Default: that of the region."`
	Expiry    *LambdaExpiry `yaml:"expiry" json:"expiry,omitempty" jsonschema:"description=How AWS itself ends a limit of concurrency that we cannot end: a one-time schedule of EventBridge Scheduler."`
}

// LambdaExpiry says how AWS ends a fault.
type LambdaExpiry struct {
	Role     string `yaml:"role" json:"role" jsonschema:"description=ARN of the role that the schedule acts as; it may put and delete the function's concurrency."`
	Endpoint string `yaml:"endpoint" json:"endpoint,omitempty" jsonschema:"description=URL of EventBridge Scheduler. Default: that of the region."`
}

// KubernetesExpiry says how the cluster ends a fault.
type KubernetesExpiry struct {
	Image          string `yaml:"image" json:"image" jsonschema:"description=Image with sh and date and sleep and kubectl; it runs as user 65532."`
	ServiceAccount string `yaml:"serviceAccount" json:"serviceAccount" jsonschema:"description=Service account in the namespace that may patch the workload and delete the quotas and network policies of the plan's faults."`
}

// platform checks what the plan says of the workload or function that faults by kubernetes and lambda change.
func (c *checker) platform(d *Deployment) {
	const at = "target.deployment"
	if k := d.Kubernetes; k != nil {
		kind, name, _ := strings.Cut(k.Workload, "/")
		switch {
		case k.Workload == "":
		case name == "" || strings.Contains(name, "/"):
			c.bad(at+".kubernetes.workload", "%q is no workload; want deployment/NAME or ksvc/NAME or inferenceservice/NAME", k.Workload)
		default:
			c.oneOf(at+".kubernetes.workload", kind, "deployment", "ksvc", "inferenceservice")
		}
		if k.HPA != "" && kind != "deployment" {
			c.bad(at+".kubernetes.hpa", "belongs to a workload deployment/NAME")
		}
		if e := k.Expiry; e != nil && (e.Image == "" || e.ServiceAccount == "") {
			c.bad(at+".kubernetes.expiry", "needs image and serviceAccount")
		}
	}
	if l := d.Lambda; l != nil {
		if l.Function == "" {
			c.bad(at+".lambda", "names no function")
		}
		if l.Endpoint != "" {
			c.url(at+".lambda.endpoint", l.Endpoint)
		}
		if e := l.Expiry; e != nil {
			if !strings.HasPrefix(e.Role, "arn:") {
				c.bad(at+".lambda.expiry.role", "%q is no ARN of a role; for example arn:aws:iam::123456789012:role/assay-expiry", e.Role)
			}
			if e.Endpoint != "" {
				c.url(at+".lambda.expiry.endpoint", e.Endpoint)
			}
		}
	}
}

// changes checks a fault by kubernetes against what the target says of its deployment.
func (c *checker) changes(at string, p *Plan, f *Fault, k *FaultKind) {
	d := p.Target.Deployment
	if f.By != byKubernetes || d == nil || d.Kubernetes == nil {
		return
	}
	onPods := f.Fault == "cold" || f.Fault == "quota" || len(f.Egress) > 0
	switch {
	case k.NeedsEnd && d.Kubernetes.Expiry == nil:
		c.bad(at+".fault", "%s by kubernetes holds until somebody undoes it: target.deployment.kubernetes.expiry must say how the cluster does if we cannot: {image: …, serviceAccount: …}", f.Fault)
	case d.Kubernetes.Workload == "" && !onPods:
		c.bad(at+".fault", "%s changes a workload: target.deployment.kubernetes.workload must name it; for example deployment/llm", f.Fault)
	case f.Fault == "quota" && d.Kubernetes.Namespace == "":
		c.bad(at+".fault", "quota hits all workloads of the namespace: target.deployment.kubernetes.namespace must name it")
	}
}

package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/lambda"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// checkLimit is how long the check of what faults will change may take before the run.
const checkLimit = 30 * time.Second

// change returns what a fault by kubernetes or lambda changes. Of a fault by others it holds the settings that are none of theirs, so that they are
// refused; nil where there are none.
func change(p *plan.Plan, f *plan.Fault) *chaos.Change {
	c := &chaos.Change{Replicas: f.Replicas, Annotations: f.Annotations, Labels: f.Labels, On: f.On, Image: f.Image, Container: f.Container, Pods: f.Change.Pods,
		Variable: f.Variable, Secret: f.Secret, Egress: f.Egress, Concurrency: f.Concurrency}
	if f.By == chaos.ByMesh {
		c.Container = "" // one of its own
	}
	d := p.Target.Deployment
	switch {
	case d == nil || f.By != chaos.ByKubernetes && f.By != chaos.ByLambda:
		if reflect.ValueOf(*c).IsZero() {
			return nil
		}
	case f.By == chaos.ByLambda && d.Lambda != nil:
		l := d.Lambda
		c.Where = "lambda function " + l.Function
		if l.Region != "" {
			c.Where += " in " + l.Region
		}
		c.Ender = "nothing in AWS"
		if l.Expiry != nil && (f.Fault == "concurrency" || f.Fault == "throttle") {
			c.Ends, c.Ender = (&chaos.Lambda{}).After(f.For.D()), "a schedule of EventBridge Scheduler"
		}
	case f.By == chaos.ByKubernetes && d.Kubernetes != nil:
		k := d.Kubernetes
		c.Workload = kindOf(k.Workload)
		in := "namespace " + k.Namespace
		if k.Namespace == "" {
			in = "the namespace of the context"
		}
		if k.Context != "" {
			in += " " + k.Context
		}
		switch {
		case f.Fault == "quota":
			c.Where = in
		case f.Fault == "cold" || len(f.Egress) > 0:
			c.Where = "pods " + k.Pods + " in " + in
		case f.Fault == "scale" && k.HPA != "":
			c.Where = k.Workload + ", by its autoscaler " + k.HPA + ", in " + in
		default:
			c.Where = k.Workload + " in " + in
		}
		if k.Expiry != nil {
			c.Ends, c.Ender = expiry(k).After(f.For.D()), "a job of ours in the cluster"
		}
	}
	return c
}

func kindOf(workload string) string {
	kind, _, _ := strings.Cut(workload, "/")
	return kind
}

func expiry(k *plan.KubernetesDeployment) *chaos.Expiry {
	return &chaos.Expiry{Image: k.Expiry.Image, ServiceAccount: k.Expiry.ServiceAccount}
}

// checked makes a driver and has it check what the plan's faults by it will do, before the run.
func (s *session) checked(ctx context.Context, d interface {
	chaos.Driver
	Check(ctx context.Context, steps []chaos.Step) ([]string, error)
}) (chaos.Driver, error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	notes, err := d.Check(ctx, steps(s.plan))
	for _, note := range notes {
		fmt.Fprintln(s.io.err, note)
	}
	return d, err
}

// kubernetes returns the driver of faults by objects in a cluster.
func (s *session) kubernetes(ctx context.Context) (chaos.Driver, error) {
	k := s.plan.Target.Deployment.Kubernetes
	path := k.Kubeconfig
	if path != "" {
		path = s.plan.Path(path)
	}
	api, err := kube.Find(path, k.Context)
	if err != nil {
		return nil, fmt.Errorf("target.deployment.kubernetes: %w", err)
	}
	d := &chaos.Kubernetes{API: api, Namespace: or(k.Namespace, or(api.Namespace, "default")), Workload: k.Workload, HPA: k.HPA, Pods: k.Pods, RunID: s.manifest.ID}
	if k.Expiry != nil {
		d.Expiry = expiry(k)
	}
	return s.checked(ctx, d)
}

// lambda returns the driver of faults by the control API of AWS Lambda. Whether a function is throttled is seen by a request as the load makes them.
func (s *session) lambda(ctx context.Context) (chaos.Driver, error) {
	l := s.plan.Target.Deployment.Lambda
	api := &lambda.Client{Function: l.Function, Region: l.Region, Endpoint: l.Endpoint}
	if api.Region == "" {
		var err error
		if api.Region, err = (credential.AWS{}).Where(ctx); err != nil {
			return nil, fmt.Errorf("target.deployment.lambda.region: %w", err)
		}
	}
	d := &chaos.Lambda{API: api, Qualifier: l.Qualifier, Refused: s.refused}
	if l.Expiry != nil {
		d.Role, api.Schedule = l.Expiry.Role, l.Expiry.Endpoint
	}
	return s.checked(ctx, d)
}

// refused makes one request as the load does, and reports whether the target refused it for its limit.
func (s *session) refused(ctx context.Context) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, s.plan.Target.Deadline.D())
	defer cancel()
	var r assay.Request
	call := assay.Call{Model: s.manifest.Target.Model, Prompt: "1", MaxTokens: 1, Stream: *s.plan.Target.Stream, Headers: [][2]string{{loadgen.RunHeader, s.manifest.ID}}}
	s.client.Do(ctx, &call, &r)
	said := r.Outcome.String()
	if r.Status != 0 {
		said += fmt.Sprintf(", status %d", r.Status)
	}
	return r.Outcome == assay.Throttled, said
}

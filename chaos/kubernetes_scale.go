package chaos

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
)

// planScale caps how many replicas a workload may have: the replicas of a Deployment, or the limits of its HorizontalPodAutoscaler; Knative's
// max-scale; KServe's maxReplicas. A least number above the cap is lowered with it.
func planScale(ctx context.Context, d *Kubernetes, s *Step) (*Action, error) {
	w, kind, k, err := d.readWorkload(ctx)
	if err != nil {
		return nil, err
	}
	t, n := w, value(s.change().Replicas)
	var fields []field
	switch kind {
	case onDeployment:
		if t, fields, err = d.capDeployment(ctx, t, n); err != nil {
			return nil, err
		}
	case onKnative:
		text := strconv.Itoa(n)
		fields = append(fields, changed(t.object, k.meta+pointer("annotations", "autoscaling.knative.dev/max-scale"), text))
		least := k.meta + pointer("annotations", "autoscaling.knative.dev/min-scale")
		if have, err := strconv.Atoi(at(t.object, least)); err == nil && have > n {
			fields = append(fields, changed(t.object, least, text))
		}
	case onKServe:
		fields = append(fields, changed(t.object, k.spec+"/maxReplicas", n))
		if number(t.object, k.spec+"/minReplicas") > int64(n) {
			fields = append(fields, changed(t.object, k.spec+"/minReplicas", n))
		}
	}
	a, err := d.planFields(s, t, fields...)
	if err != nil {
		return nil, err
	}
	before, err := d.pods(ctx)
	if err != nil {
		return nil, err
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			pods, err := d.pods(ctx)
			if err != nil {
				return err
			}
			if len(pods) > n {
				return fmt.Errorf("%d pods, want at most %d", len(pods), n)
			}
			if effect = fmt.Sprintf("%s where there were %d", count(len(pods), "pod"), len(before)); len(before) <= n {
				effect += ": no more than the cap, which was not put to the test"
				a.Basis = assay.EffectUntested
				return d.takenUp(ctx, w)
			}
			return nil
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error {
		return d.watch(ctx, func() error { return d.takenUp(ctx, w) })
	}
	return a, nil
}

// capDeployment returns what caps a Deployment: itself, or the autoscaler that would undo that.
func (d *Kubernetes) capDeployment(ctx context.Context, t *target, n int) (*target, []field, error) {
	_, name, _, _ := d.workload()
	if d.HPA == "" {
		if by, err := d.scaledBy(ctx, name); err != nil {
			return nil, nil, err
		} else if by != "" && n > 0 {
			return nil, nil, fmt.Errorf("the HorizontalPodAutoscaler %s would undo it: name it as hpa", by)
		}
	}
	if d.HPA == "" || n == 0 { // at zero replicas an autoscaler rests
		return t, []field{changed(t.object, "/spec/replicas", n)}, nil
	}
	h, err := d.read(ctx, "autoscaling", "v2", "horizontalpodautoscalers", d.HPA)
	if err != nil {
		return nil, nil, err
	}
	if at(h.object, "/spec/scaleTargetRef/kind") != "Deployment" || at(h.object, "/spec/scaleTargetRef/name") != name {
		return nil, nil, fmt.Errorf("%s does not scale %s", h.name, t.name)
	}
	fields := []field{changed(h.object, "/spec/maxReplicas", n)}
	if number(h.object, "/spec/minReplicas") > int64(n) {
		fields = append(fields, changed(h.object, "/spec/minReplicas", n))
	}
	return h, fields, nil
}

// scaledBy returns the name of an autoscaler that scales the Deployment; "" where there is none, or we may not look.
func (d *Kubernetes) scaledBy(ctx context.Context, deployment string) (string, error) {
	var all any
	err := d.API.Get(ctx, "/apis/autoscaling/v2/namespaces/"+url.PathEscape(d.Namespace)+"/horizontalpodautoscalers", &all)
	if kube.Forbidden(err) || kube.NotFound(err) {
		return "", nil
	}
	for _, h := range list(all, "/items") {
		if at(h, "/spec/scaleTargetRef/kind") == "Deployment" && at(h, "/spec/scaleTargetRef/name") == deployment {
			return at(h, "/metadata/name"), nil
		}
	}
	return "", err
}

func scaleRights(d *Kubernetes, s *Step) []right {
	rights := workloadRights(d, s)
	if d.HPA != "" {
		rights = append(rights, right{"get", "autoscaling", "horizontalpodautoscalers", d.HPA}, right{"patch", "autoscaling", "horizontalpodautoscalers", d.HPA})
	}
	return rights
}

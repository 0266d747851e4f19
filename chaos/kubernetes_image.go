package chaos

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// planImage rolls out an image that cannot be pulled. The pods there are go on as far as the workload's strategy keeps them.
func planImage(ctx context.Context, d *Kubernetes, s *Step) (*Action, error) {
	t, kind, k, err := d.readWorkload(ctx)
	if err != nil {
		return nil, err
	}
	c := s.change()
	at0, err := k.container(t.object, c.Container)
	if err != nil {
		return nil, err
	}
	image := cmp.Or(c.Image, noImage)
	a, err := d.planFields(s, t, changed(t.object, at0+"/image", image))
	if err != nil {
		return nil, err
	}
	stuck := func(ctx context.Context) (name, why string, err error) {
		pods, err := d.pods(ctx)
		for _, p := range pods {
			for _, c := range list(p.object, "/spec/containers") {
				if at(c, "/image") == image {
					name, why = p.name(), cmp.Or(p.waits(), why)
				}
			}
		}
		return name, why, err
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			name, why, err := stuck(ctx)
			switch {
			case err != nil:
				return err
			case strings.Contains(why, "Image"): // ErrImagePull, ImagePullBackOff, InvalidImageName
				effect = fmt.Sprintf("pod %s waits: %s", name, why)
				return nil
			case kind != onDeployment: // Knative asks for the image itself before it makes a pod
				if said := d.complaint(ctx, t); said != "" {
					effect, a.Basis = fmt.Sprintf("the platform says of %s: %s; not measured by us", t.name, said), assay.EffectTold
					return nil
				}
			}
			return fmt.Errorf("no pod waits for the image %s", image)
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error {
		return d.watch(ctx, func() error {
			if err := d.takenUp(ctx, t); err != nil {
				return err
			}
			name, _, err := stuck(ctx)
			if err == nil && name != "" {
				err = fmt.Errorf("pod %s still wants the image %s", name, image)
			}
			return err
		})
	}
	return a, nil
}

// complaint returns what a condition of the object says that is false, "" if none is.
func (d *Kubernetes) complaint(ctx context.Context, t *target) string {
	var object any
	if d.API.Get(ctx, t.path, &object) != nil || number(object, "/status/observedGeneration") < number(object, "/metadata/generation") {
		return ""
	}
	for _, c := range list(object, "/status/conditions") {
		if at(c, "/status") == "False" {
			text := at(c, "/message")
			return fmt.Sprintf("%s: %s", at(c, "/reason"), text[:min(len(text), 200)])
		}
	}
	return ""
}

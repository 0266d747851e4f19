package chaos

import (
	"context"
	"maps"
	"slices"
)

// planAnnotate sets annotations and labels on the template of the workload's pods, which makes new ones, or on the workload itself.
func planAnnotate(ctx context.Context, d *Kubernetes, s *Step) (*Action, error) {
	t, _, k, err := d.readWorkload(ctx)
	if err != nil {
		return nil, err
	}
	c, meta := s.change(), k.meta
	if c.On == onWorkload {
		meta = "/metadata"
	}
	var fields []field
	for _, kind := range []struct {
		name string
		set  map[string]string
	}{{"annotations", c.Annotations}, {"labels", c.Labels}} {
		for _, name := range slices.Sorted(maps.Keys(kind.set)) {
			fields = append(fields, changed(t.object, meta+pointer(kind.name, name), kind.set[name]))
		}
	}
	a, err := d.planFields(s, t, fields...)
	if err != nil {
		return nil, err
	}
	if c.On == onWorkload {
		k.inPod = false // whether and how the platform passes it on is its own affair
	}
	d.measureTemplate(a, t, k)
	return a, nil
}

// planConcurrency limits the requests that one instance takes at once.
func planConcurrency(ctx context.Context, d *Kubernetes, s *Step) (*Action, error) {
	t, _, k, err := d.readWorkload(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.planFields(s, t, changed(t.object, k.spec+"/containerConcurrency", value(s.change().Concurrency)))
	if err != nil {
		return nil, err
	}
	k.inPod = false // it is a setting of the proxy beside the model
	d.measureTemplate(a, t, k)
	return a, nil
}

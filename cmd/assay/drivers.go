package main

import (
	"context"

	"github.com/assay-dev/assay/chaos"
)

// drivers returns the drivers that the plan's faults name, each connected to what it hurts.
func (s *session) drivers(ctx context.Context) (chaos.Drivers, error) {
	out := chaos.Drivers{}
	for _, f := range s.plan.Chaos {
		if _, there := out[f.By]; there {
			continue
		}
		d, err := s.driver(ctx, f.By)
		if err != nil {
			return nil, err
		}
		out[f.By] = d
	}
	return out, nil
}

// driver returns one driver by name.
func (s *session) driver(ctx context.Context, by string) (chaos.Driver, error) {
	switch by {
	case chaos.ByWire:
		return s.wire.driver(s.manifest.ID)
	case chaos.ByMesh:
		return s.mesh(ctx)
	case chaos.ByKubernetes:
		return s.kubernetes(ctx)
	case chaos.ByLambda:
		return s.lambda(ctx)
	case chaos.ByToolkit:
		return s.toolkit()
	}
	if d := s.plan.Target.Deployment; d != nil && d.Process != nil {
		return s.server(ctx)
	}
	self, err := chaos.ProcessOf(s.platform.PID)
	if err != nil {
		return nil, err
	}
	return s.onThisMachine(&chaos.AdminPlatform{URL: s.platform.AdminURL, Self: self})
}

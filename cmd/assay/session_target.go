package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/sandbox"
)

// startLimit is how long the sandbox may take to serve; making a large weights file takes seconds.
const startLimit = time.Minute

// listen opens what listens, so that a port in use is found before anything else is started.
func (s *session) listen() error {
	if err := errors.Join(s.listenOTLP(), s.listenRemoteWrite()); err != nil {
		return err
	}
	var err error
	s.metrics, err = serveMetrics(s.opt.metrics, s.window.Handler())
	return err
}

// listenOTLP opens the intake of traces, if the target has anyone who sends them.
func (s *session) listenOTLP() error {
	o := s.plan.Collect.OTLP
	if o == nil && s.plan.Target.Kind != "sandbox" {
		return nil
	}
	s.otlp = &collectors.OTLP{Clock: s.clock, GRPC: collectors.Off, Grace: collectorGrace}
	if o != nil {
		s.otlp.LateWait, s.otlp.Hurry = lateWait, s.hurry
		s.otlp.HTTP, s.otlp.GRPC = or(o.HTTP, "127.0.0.1:4318"), or(o.GRPC, "127.0.0.1:4317")
		var err error
		if s.otlp.Token, err = readToken("collect.otlp.token", plan.Auth{Env: o.Token.Env, File: s.plan.Path(o.Token.File)}); err != nil {
			return err
		}
	}
	return s.otlp.Listen()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (s *session) startSandbox(ctx context.Context, exe string) error {
	c, err := deployment(s.plan)
	if err != nil {
		return err
	}
	c.OTLPEndpoint = "http://" + s.otlp.HTTPAddr()
	if err := s.ownWeights(&c); err != nil {
		return err
	}
	c.LogDir = filepath.Join(s.dir, "logs")
	if s.opt.truth != "" {
		c.TruthDir = s.opt.truth
	}
	for _, d := range []string{c.LogDir, c.TruthDir, c.WeightsDir} {
		if d == "" {
			continue
		}
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make the sandbox's directory: %w", err)
		}
	}
	logs, err := os.Create(filepath.Join(c.LogDir, "platform.log"))
	if err != nil {
		return fmt.Errorf("make the sandbox's log: %w", err)
	}
	defer logs.Close() // the child has its own
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s.platform, err = sandbox.Start(starting, sandbox.StartOptions{Config: c, Exe: exe, Stderr: logs, Own: func(pid int, start uint64) error {
		p, err := chaos.ProcessOf(pid)
		if err != nil {
			return err
		}
		return s.guardian.Own(ctx, p)
	}})
	if err != nil {
		return err
	}
	return s.store.SetManifest(func(m *assay.Manifest) { m.Probe = int64(c.ProbePeriod); m.Target.Model = c.Name() })
}

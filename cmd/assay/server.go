package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// processServer returns the process on this machine that the plan names, or nil.
func processServer(p *plan.Plan) *chaos.Server {
	d := p.Target.Deployment
	if d == nil || d.Process == nil {
		return nil
	}
	if d.Process.PIDFile == "" {
		return &chaos.Server{Listen: d.Process.Listen}
	}
	s := &chaos.Server{PIDFile: p.Path(d.Process.PIDFile)}
	if u, err := url.Parse(p.Target.URL); err == nil {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		s.Addr = net.JoinHostPort(u.Hostname(), port)
	}
	return s
}

// server returns the driver of the faults on that process; it refuses one that must not be hurt.
func (s *session) server(ctx context.Context) (chaos.Driver, error) {
	server := processServer(s.plan)
	p, command, err := server.Victim(ctx)
	if err != nil {
		return nil, fmt.Errorf("target.deployment.process: %w", err)
	}
	fmt.Fprintf(s.io.err, "may be hurt: pid %d, %s\n", p.PID, command)
	return s.onThisMachine(server)
}

// ofServer says in a line for the preview what the faults on that process mean.
func ofServer(p *plan.Plan) []string {
	d := p.Target.Deployment
	if d == nil || d.Process == nil || !slices.ContainsFunc(p.Chaos, func(f plan.Fault) bool { return f.By == chaos.ByLocal }) {
		return nil
	}
	at := "that listens on " + d.Process.Listen
	if d.Process.PIDFile != "" {
		at = "of " + d.Process.PIDFile
	}
	return []string{"the one instance is the process " + at + ", also if it leads a session that has no terminal, as services do; assay starts nothing: when it has ended, it comes back only if something of yours starts it again"}
}

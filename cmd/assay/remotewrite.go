package main

import (
	"context"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/plan"
)

// listenRemoteWrite opens the receiver of remote writes, if the plan has one.
func (s *session) listenRemoteWrite() error {
	r := s.plan.Collect.RemoteWrite
	if r == nil {
		return nil
	}
	s.writes = &collectors.RemoteWrite{Listen: or(r.Listen, plan.DefaultRemoteWrite), Clock: s.clock}
	var err error
	if s.writes.Token, err = readToken("collect.remoteWrite.token", plan.Auth{Env: r.Token.Env, File: s.plan.Path(r.Token.File)}); err != nil {
		return err
	}
	return s.writes.Open()
}

// remoteWrites adds the receiver of remote writes.
func (s *session) remoteWrites(out map[string]assay.Source) {
	if s.writes != nil {
		out["collect.remoteWrite"] = s.writes
	}
}

// examineRemoteWrite opens the receiver and closes it again.
func examineRemoteWrite(_ context.Context, p *patient) {
	r := p.plan.Collect.RemoteWrite
	if r == nil {
		return
	}
	token, err := readToken("collect.remoteWrite.token", plan.Auth{Env: r.Token.Env, File: p.plan.Path(r.Token.File)})
	if err == nil {
		w := &collectors.RemoteWrite{Listen: or(r.Listen, plan.DefaultRemoteWrite), Token: token}
		if err = w.Open(); err == nil {
			w.Close()
		}
	}
	p.try(err, wrong, "end what listens there, or give collect.remoteWrite another address", "collect.remoteWrite: %s is free; senders write to /api/v1/write there", or(r.Listen, plan.DefaultRemoteWrite))
}

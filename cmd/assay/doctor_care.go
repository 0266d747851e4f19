package main

import (
	"context"
	"errors"

	"github.com/assay-dev/assay/internal/plan"
)

// examineStop looks whether a stop was asked for already, and for the tokens of those who may ask and of those who are told. It listens nowhere and tells nobody.
func examineStop(_ context.Context, p *patient) {
	if s := p.plan.Stop; s != nil {
		err := p.stopAhead()
		if s.HTTP != nil {
			_, missing := readToken("stop.http.token", plan.Auth{Env: s.HTTP.Token.Env, File: p.plan.Path(s.HTTP.Token.File)})
			err = errors.Join(err, missing)
		}
		p.try(err, wrong, "", "the run can be stopped as the plan says")
	}
	if n := len(p.plan.Notify); n > 0 {
		p.try(p.makeHooks(), wrong, "", "%d webhooks have their tokens; nothing was posted", n)
	}
}

// examineAlerts asks what fires. It silences nothing.
func examineAlerts(ctx context.Context, p *patient) {
	if a := p.plan.Alerts; a != nil {
		p.try(p.alertsAhead(ctx), wrong, "", "%d alerts are known and none of them fires", len(a.Expect))
	}
}

package main

import "context"

// examineAlerts asks what fires. It silences nothing.
func examineAlerts(ctx context.Context, p *patient) {
	if a := p.plan.Alerts; a != nil {
		p.try(p.alertsAhead(ctx), wrong, "", "%d alerts are known and none of them fires", len(a.Expect))
	}
}

package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/alertmanager"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/promapi"
	"github.com/assay-dev/assay/internal/suggest"
)

// An alarm is the alerts that a drill is meant to raise, and who is asked about them.
type alarm struct {
	plan *plan.Alerts
	prom *promapi.Client      // nil: Alertmanager is asked what fires
	am   *alertmanager.Client // nil without alerts.alertmanager
	undo *chaos.Undo          // of the silence; nil for none

	silence alertmanager.Silence // as it stands
}

// matchers are the conditions that the alerts meet.
func (a *alarm) matchers() []alertmanager.Matcher {
	var names []string
	for _, n := range a.plan.Expect {
		names = append(names, regexp.QuoteMeta(n))
	}
	out := []alertmanager.Matcher{{Name: "alertname", Value: strings.Join(names, "|"), IsRegex: true, IsEqual: true}}
	for _, label := range slices.Sorted(maps.Keys(a.plan.Matchers)) {
		out = append(out, alertmanager.Matcher{Name: label, Value: a.plan.Matchers[label], IsEqual: true})
	}
	return out
}

// selector writes the matchers as PromQL and Alertmanager do.
func selector(matchers []alertmanager.Matcher) string {
	var out []string
	for _, m := range matchers {
		out = append(out, m.String())
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// firing returns which of the alerts fire now, silenced or not.
func (a *alarm) firing(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	out := map[string]bool{}
	if a.prom == nil {
		list, err := a.am.Firing(ctx, a.matchers()...)
		for _, x := range list {
			out[x.Labels["alertname"]] = true
		}
		return out, err
	}
	list, err := a.prom.Query(ctx, "ALERTS"+selector(append(a.matchers(), alertmanager.Matcher{Name: "alertstate", Value: "firing", IsEqual: true})))
	for _, x := range list {
		out[x.Labels["alertname"]] = true
	}
	return out, err
}

// alertsAhead asks about the alerts of the plan before anything is made: the run is refused when nobody can tell, when Prometheus has no such rule, and
// while one of them fires already.
func (s *session) alertsAhead(ctx context.Context) error {
	p := s.plan.Alerts
	if p == nil {
		return nil
	}
	a := &alarm{plan: p}
	var token func(context.Context) (string, error)
	if p.Token != nil {
		c, err := s.prometheus(p.Prometheus, "alerts.token", p.Token)
		if err != nil {
			return err
		}
		token = c.Token
	}
	if p.Prometheus != "" {
		a.prom = &promapi.Client{URL: p.Prometheus, RunID: s.manifest.ID, Token: token}
		quick, cancel := context.WithTimeout(ctx, lookLimit)
		rules, err := a.prom.AlertRules(quick)
		cancel()
		for i, name := range p.Expect {
			if err == nil && len(rules) > 0 && !slices.Contains(rules, name) { // some that speak PromQL keep their rules elsewhere
				return fmt.Errorf("alerts.expect[%d]: %s has no alerting rule %s; %s", i, p.Prometheus, name, suggest.Meant(name, rules))
			}
		}
	}
	if p.Alertmanager != "" {
		a.am = &alertmanager.Client{URL: p.Alertmanager, RunID: s.manifest.ID, Token: token}
		quick, cancel := context.WithTimeout(ctx, lookLimit)
		_, err := a.am.Silences(quick)
		cancel()
		if err != nil {
			return fmt.Errorf("alerts.alertmanager: %w", err)
		}
	}
	now, err := a.firing(ctx)
	if err != nil {
		return fmt.Errorf("alerts: nobody can tell what fires: %w", err)
	}
	if len(now) > 0 {
		return fmt.Errorf("an incident is on: %s fires already; the run is refused until that is over", strings.Join(slices.Sorted(maps.Keys(now)), ", "))
	}
	s.alarm = a
	return nil
}

// listenForAlerts watches what fires until ctx is done, and says of each alert when it first did, or that it did not.
func (s *session) listenForAlerts(ctx context.Context) {
	a := s.alarm
	say := func(at int64, name, state, text string, attrs ...string) {
		e := &assay.Event{Time: at, Kind: assay.EventAlert, Source: "alerts", Text: text, Attrs: map[string]string{"alert": name, "state": state}}
		for i := 0; i < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		s.emit(e)
	}
	for _, name := range a.plan.Expect {
		say(s.clock.Now(), name, "watched", name+" is watched")
	}
	fired := map[string]bool{}
	last := s.clock.Now() // when it was last known what fires
	var failed error
	var now map[string]bool
	look := func(ctx context.Context) {
		asked := s.clock.Now()
		got, err := a.firing(ctx)
		if err != nil {
			failed = err
			return
		}
		for _, name := range a.plan.Expect {
			if got[name] && !fired[name] {
				fired[name] = true
				say(asked, name, "firing", name+" fires", "gap_ns", strconv.FormatInt(asked-last, 10))
			}
		}
		last, now, failed = asked, got, nil
	}
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			look(ctx)
		case <-ctx.Done():
		}
	}
	failed = nil // what was interrupted is asked again
	look(context.WithoutCancel(ctx))
	for _, name := range a.plan.Expect {
		switch {
		case fired[name] && now[name] && a.undo != nil:
			say(s.clock.Now(), name, "still", name+" fires as its silence ends: it is sent from here")
		case !fired[name] && failed != nil:
			say(last, name, "quiet", fmt.Sprintf("%s did not fire as far as was seen: %v", name, failed), "error", failed.Error())
		case !fired[name]:
			say(last, name, "quiet", name+" did not fire")
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// canary returns the canary of the plan, or nil. It gets a client of its own, which alone knows what the answer must hold.
func (s *session) canary(e loadgen.Endpoint) (*loadgen.Canary, error) {
	c := s.plan.Canary
	if c == nil {
		return nil, nil
	}
	x := c.Expect
	e.Expect = &loadgen.Expect{Contains: x.Contains, Regexp: x.Regexp, SHA256: x.SHA256, Schema: json.RawMessage(x.Schema), Stable: x.Stable, MinTokens: x.MinTokens, MaxTokens: x.MaxTokens, Model: x.Model, Version: x.Version}
	if x.Stable {
		e.Expect.Learn = s.learnt()
	}
	p := *s.plan
	if c.Payload != "" {
		var own plan.Payloads
		if p.Target.Payloads != nil {
			own = *p.Target.Payloads
		}
		own.Files = []string{c.Payload}
		p.Target.Payloads = &own
	}
	own, err := client(&p, e)
	if err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	s.canaries = own
	return &loadgen.Canary{Client: own, Prompt: c.Prompt, Every: c.Every.D(), Output: c.Output, Class: c.Class}, nil
}

// learnt returns what is told of the canary's first good answer: its digest is taken unless a fault came first.
func (s *session) learnt() func(digest string) bool {
	var told atomic.Bool
	return func(digest string) bool {
		e := &assay.Event{Time: s.clock.Now(), Kind: assay.EventAnnotation, Source: "canary", Attrs: map[string]string{"sha256": digest},
			Text: "canary: later answers must be the one given now; to demand it of other runs too: sha256: " + digest}
		hurt := s.hurt.Load()
		if hurt {
			e.Kind, e.Text = assay.EventWarning, "no good answer came before the first fault: later ones are not held against any"
		}
		if told.CompareAndSwap(false, true) {
			s.emit(e)
		}
		return !hurt
	}
}

// canaryPeriod returns the time from one canary to the next, in ns; 0 without one.
func (s *session) canaryPeriod() int64 {
	if s.plan.Canary == nil {
		return 0
	}
	return int64(s.plan.Canary.Every.D())
}

package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

const (
	askTries = 3                // a target may refuse now and then: that is for the run to find out
	askWait  = 10 * time.Second // longer than this, the target may be starting: that is too
	askWords = 8                // of the prompt
)

// ask sends one small request of the kind that the load will send, so that a wrong model or path, a credential that is not taken and a name or certificate that leads nowhere are found
// before any load. A refusal is asked again, and only what is refused each time refuses the run. How the target fails or is slow otherwise is what the run measures.
func (s *session) ask(ctx context.Context, model string) error {
	wait := askWait
	if d := s.plan.Target.Deadline.D(); d > 0 {
		wait = min(wait, d)
	}
	answer, err := s.asks()
	if err != nil {
		return err
	}
	var r assay.Request
	for range askTries {
		now := s.clock.Now()
		r = assay.Request{ID: 1, Due: now, TokensAsked: int32(answer)}
		one, cancel := context.WithTimeout(ctx, wait)
		s.client.Do(one, &assay.Call{Model: model, Prompt: askPrompt(), MaxTokens: answer, Stream: *s.plan.Target.Stream, Seed: s.plan.Seed}, &r)
		cancel()
		switch r.Outcome {
		case assay.ClientError, assay.Credential, assay.Refused, assay.Unresolved:
		default:
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s; no load was sent", refusal(targetName(s.plan), &r))
}

// asks returns how many tokens the load asks for, on average over its last phase.
func (s *session) asks() (int, error) {
	sched, err := loadgen.NewSchedule(s.phases, s.plan.Seed)
	if err != nil {
		return 0, err
	}
	needs := sched.Needs()
	return max(1, int(math.Round(needs[len(needs)-1].Answer))), nil
}

// askPrompt is short, and of plain words.
func askPrompt() string {
	const word = "hello "
	b := make([]byte, 0, askWords*len(word))
	for range askWords {
		b = append(b, word...)
	}
	return string(b[:len(b)-1])
}

// refusal says what a target answered that takes no request, and what to look at.
func refusal(target string, r *assay.Request) string {
	switch r.Outcome {
	case assay.Credential:
		return fmt.Sprintf("ask the target %s: it refuses our credential, or wants one: %s; name the variable that holds a token with --token-env", target, r.Error)
	case assay.ClientError:
		return fmt.Sprintf("ask the target %s: it refuses the request itself: %s; look at --url, --model and what else is asked of it", target, r.Error)
	}
	return fmt.Sprintf("reach the target %s: %s", target, r.Error)
}

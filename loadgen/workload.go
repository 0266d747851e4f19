package loadgen

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// A Share is one class of a phase's mix: a tenant, a priority, a kind of use.
type Share struct {
	Class   string      // written on the requests
	Weight  float64     // relative to the other weights
	Headers [][2]string `json:",omitempty"` // sent with its requests, for example a tenant's name; no secrets
	Prompt  Lengths     `json:",omitempty"` // nil: the phase's
	Output  Lengths     `json:",omitempty"`
}

// Prefix makes a share of the prompts begin with the same tokens, as those with one system prompt do, so
// that caches of prefixes see it. Each prompt with a prefix has one of Groups, drawn evenly or, with Skew, by
// Zipf's law. The length of a prompt counts its prefix; the last token is always its own. The words of a prefix depend
// on the seed and the group only: all phases of a run share them.
type Prefix struct {
	Share  float64 // of the prompts, 0 to 1
	Groups int
	Tokens int
	Skew   float64 // exponent of Zipf's law, more than 1; 0: all groups alike
}

// Session makes each arrival the first turn of a conversation. The next turn is due when the answer to the one before
// has ended and the user has thought; it has no schedule and says so. A session ends with its last turn, with the
// first that does not succeed, or with its phase. The prompt of each turn begins with that of the turn before and as many words as its answer
// was asked to have, then comes the message: records never hold answers, so made-up words stand for them. A cache of
// prefixes therefore finds the prompts again but not the answers.
type Session struct {
	Turns   Lengths // how many; at least 1
	Think   Think
	Message Lengths `json:",omitempty"` // length of a later message; nil: the phase's prompt
}

// Think is a random time: fixed at CV 0, exponential at CV 1, else with a gamma distribution.
type Think struct {
	Mean time.Duration
	CV   float64 // coefficient of variation
}

func (t Think) draw(rng *rand.Rand) time.Duration {
	if t.CV == 0 || t.Mean == 0 {
		return t.Mean
	}
	return time.Duration(min(float64(t.Mean)*trace.GammaGap(1/(t.CV*t.CV))(rng), math.MaxInt64/4))
}

func (t Think) check() error {
	if t.Mean < 0 {
		return fmt.Errorf("a think time of %v: want 0s or more", t.Mean)
	}
	if !(t.CV == 0 || t.CV >= 0.01 && t.CV <= 20) {
		return fmt.Errorf("a think time with cv %g: want 0, or between 0.01 and 20", t.CV)
	}
	return nil
}

// lengths returns the distributions that hold for a class of the mix.
func (p *Phase) lengths(class int32) (prompt, output Lengths) {
	prompt, output = p.Prompt, p.Output
	if class > 0 {
		if s := &p.Mix[class-1]; s.Prompt != nil {
			prompt = s.Prompt
		}
		if s := &p.Mix[class-1]; s.Output != nil {
			output = s.Output
		}
	}
	return prompt, output
}

// class returns what to write on a request.
func (p *Phase) class(r *planned) string {
	switch {
	case r.class > 0:
		return p.Mix[r.class-1].Class
	case r.label != "":
		return r.label
	}
	return p.Class
}

// A talk draws the later turns of one session.
type talk struct {
	rng             *rand.Rand
	think           Think
	message, output Lengths
}

// talk returns the later turns of the session with the given number in its phase.
func (p *Phase) talk(seed, session uint64, class int32) *talk {
	prompt, output := p.lengths(class)
	if p.Session.Message != nil {
		prompt = p.Session.Message
	}
	base := stream(seed, p.Name, "session").Uint64()
	return &talk{rand.New(rand.NewPCG(base, session)), p.Session.Think, prompt, output}
}

// next returns the length of the next message and of its answer, and the think time before it.
func (t *talk) next() (message, output int32, think time.Duration) {
	return length(t.message, t.rng), length(t.output, t.rng), t.think.draw(t.rng)
}

// checkWorkload checks what is sent, apart from when.
func (p *Phase) checkWorkload() error {
	total := 0.0
	for _, s := range p.Mix {
		switch {
		case s.Class == "":
			return errors.New("mix: a class without a name")
		case !(s.Weight >= 0) || math.IsInf(s.Weight, 0):
			return fmt.Errorf("mix: class %q has weight %g: want 0 or more", s.Class, s.Weight)
		}
		for what, l := range map[string]Lengths{"prompt": s.Prompt, "output": s.Output} {
			if err := checkLengths(l); err != nil {
				return fmt.Errorf("mix: class %q: %s: %w", s.Class, what, err)
			}
		}
		total += s.Weight
	}
	if p.Mix != nil && !(total > 0) {
		return errors.New("mix: the weights add up to 0")
	}
	for what, l := range map[string]Lengths{"prompt": p.Prompt, "output": p.Output} {
		if err := checkLengths(l); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if x := p.Prefix; x != nil {
		switch {
		case !(x.Share >= 0 && x.Share <= 1):
			return fmt.Errorf("prefix: a share of %g: want between 0 and 1", x.Share)
		case x.Groups < 1 || x.Groups > 1<<20:
			return fmt.Errorf("prefix: %d groups: want 1 to %d", x.Groups, 1<<20)
		case x.Tokens < 1:
			return fmt.Errorf("prefix: %d tokens: want at least 1", x.Tokens)
		case x.Skew != 0 && !(x.Skew > 1 && x.Skew <= 10):
			return fmt.Errorf("prefix: skew %g: want 0, or more than 1 and at most 10", x.Skew)
		}
	}
	if s := p.Session; s != nil {
		if s.Turns == nil {
			return errors.New("session: it has no turns: want for example 5")
		}
		for what, l := range map[string]Lengths{"turns": s.Turns, "message": s.Message} {
			if err := checkLengths(l); err != nil {
				return fmt.Errorf("session: %s: %w", what, err)
			}
		}
		if err := s.Think.check(); err != nil {
			return fmt.Errorf("session: %w", err)
		}
		if p.Search != nil {
			return errors.New("session: a search has single requests only, since it decides a rate by those due in a step")
		}
		if _, ok := p.Arrivals.(requester); ok {
			return errors.New("session: a replayed trace has requests of its own")
		}
	}
	if p.Users != nil {
		if err := p.Users.check(p); err != nil {
			return err
		}
	}
	if p.Texts != nil {
		if len(p.Texts.list) == 0 {
			return errors.New("texts: there are none")
		}
		if p.Prefix != nil || p.Session != nil {
			return errors.New("texts: prompts from a file have neither prefix nor session added")
		}
	}
	return nil
}

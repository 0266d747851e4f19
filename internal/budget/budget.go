// Package budget keeps what a run may spend: requests, tokens, instances, accelerator time and money. A [Meter] is asked before each request,
// is shown the life of instances, and says at any time what is spent.
//
// # Hard, not late
//
// A request reserves what it may use at most, its prompt and the answer it asks for, before it is sent; when it has ended, the
// reservation gives way to what it used, as the target told. So tokens and the part of the money that
// hangs on them stop the load before they are overdrawn, whatever is in flight. What cannot be known before (a prompt that grows by the
// target's template, an answer without a limit, the time a request takes where memory is paid for) is reserved as the largest seen so far: it
// may be overdrawn by the first requests in flight, and by no more. A load that another program makes is booked when its requests are told of.
//
// Time is spent whether or not anything is sent. Instances and accelerators count from the event that one was created, or started, to its
// exit: that is what a platform holds and charges, not only while it is ready. Where no such event was ever seen, nothing of it is measured,
// and [Spent] says so.
package budget

import (
	"fmt"
	"sync"
	"time"

	"github.com/assay-dev/assay"
)

// Limits are what may be spent; 0 is no limit.
type Limits struct {
	Tokens      int64         // prompts and answers together
	Instances   int           // at once
	Accelerator time.Duration // accelerators times the time that they are held
	Money       float64       // in the currency of the prices
}

// Prices say what things cost. Zero is free.
type Prices struct {
	Currency          string
	Request           float64
	PromptToken       float64
	AnswerToken       float64
	InstanceSecond    float64
	AcceleratorSecond float64
	GBSecond          float64 // of the time that requests take, times MemoryGB: how functions are charged
	MemoryGB          float64
	Accelerators      float64 // of one instance
}

// timed reports whether money is spent by instances that are held.
func (p *Prices) timed() bool { return p.InstanceSecond > 0 || p.AcceleratorSecond > 0 }

// held returns what one second of one instance costs.
func (p *Prices) held() float64 { return p.InstanceSecond + p.Accelerators*p.AcceleratorSecond }

// A Meter counts what is spent. Its methods may be called at once from many goroutines and do not block.
type Meter struct {
	limits Limits
	prices Prices
	now    func() int64

	mu       sync.Mutex
	requests int64
	prompt   int64                                          // tokens used
	answer   int64                                          // likewise
	seconds  float64                                        // that requests took
	reserved struct{ requests, prompt, answer, open int64 } // as planned; open: requests without a limit on the answer
	excess   int64                                          // most by which a prompt was longer than planned
	longest  int64                                          // answer, where no limit was asked for
	slowest  float64                                        // seconds that a request took
	told     bool                                           // an event of an instance was seen
	since    map[string]int64
	held     int64 // ns of instances that are gone
	peak     int
}

// New returns a meter; now is run time in ns. Accelerators of an instance are at least what the prices say, and 1 if they say nothing.
func New(l Limits, p Prices, now func() int64) *Meter {
	if p.Accelerators == 0 {
		p.Accelerators = 1
	}
	return &Meter{limits: l, prices: p, now: now, since: map[string]int64{}}
}

// Pay reserves a request of so many prompt tokens and an answer of at most so many, 0 for no limit. An error says what is spent.
func (m *Meter) Pay(prompt, answer int32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, a := int64(prompt)+m.excess, int64(answer)
	if a == 0 {
		a = m.longest
	}
	if l := m.limits.Tokens; l > 0 {
		if used := m.prompt + m.answer + m.promised(); used+p+a > l {
			return fmt.Errorf("the tokens of the budget, %d, are spent: %d were used or are on their way, and the next request may use %d", l, used, p+a)
		}
	}
	if l := m.limits.Money; l > 0 {
		spent := m.sent() + m.timeCost(m.now())
		if next := m.cost(1, p, a, m.slowest); spent+next > l {
			return fmt.Errorf("the money of the budget, %g %s, is spent: %.4g was used or is on its way, and the next request may cost %.4g", l, m.prices.Currency, spent, next)
		}
	}
	m.reserve(1, prompt, answer)
	return nil
}

func (m *Meter) reserve(sign int64, prompt, answer int32) {
	r := &m.reserved
	r.requests, r.prompt, r.answer = r.requests+sign, r.prompt+sign*int64(prompt), r.answer+sign*int64(answer)
	if answer == 0 {
		r.open += sign
	}
}

// promised returns the tokens that the requests in flight may use.
func (m *Meter) promised() int64 {
	return m.promisedPrompts() + m.promisedAnswers()
}

func (m *Meter) promisedPrompts() int64 { return m.reserved.prompt + m.reserved.requests*m.excess }
func (m *Meter) promisedAnswers() int64 { return m.reserved.answer + m.reserved.open*m.longest }

// Settle gives back the reservation of the same numbers and books what r used.
func (m *Meter) Settle(prompt, answer int32, r *assay.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reserve(-1, prompt, answer)
	m.book(r, int64(prompt))
}

// Book books what r used without a reservation. An error says what is spent by it.
func (m *Meter) Book(r *assay.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.book(r, int64(r.TokensIn))
	if used := m.prompt + m.answer; m.limits.Tokens > 0 && used >= m.limits.Tokens {
		return fmt.Errorf("the tokens of the budget, %d, are spent", m.limits.Tokens)
	}
	if m.limits.Money > 0 && m.sent()+m.timeCost(m.now()) >= m.limits.Money {
		return fmt.Errorf("the money of the budget, %g %s, is spent", m.limits.Money, m.prices.Currency)
	}
	return nil
}

func (m *Meter) book(r *assay.Request, planned int64) {
	if r.Sent == 0 {
		return // it never left
	}
	m.requests++
	m.prompt += int64(r.TokensIn)
	m.answer += int64(r.TokensOut)
	took := max(0, float64(r.End-r.Sent)/1e9)
	m.seconds += took
	m.excess = max(m.excess, int64(r.TokensIn)-planned)
	m.longest, m.slowest = max(m.longest, int64(r.TokensOut)), max(m.slowest, took)
}

// Observe sees the life of instances.
func (m *Meter) Observe(e *assay.Event) {
	if e.Instance == "" {
		return
	}
	switch e.Kind {
	case assay.EventInstanceCreated, assay.EventInstanceStarted, assay.EventInstanceReady:
		m.mu.Lock()
		defer m.mu.Unlock()
		m.told = true
		if _, ok := m.since[e.Instance]; !ok {
			m.since[e.Instance] = e.Time
			m.peak = max(m.peak, len(m.since))
		}
	case assay.EventInstanceExited:
		m.mu.Lock()
		defer m.mu.Unlock()
		m.told = true
		if at, ok := m.since[e.Instance]; ok {
			m.held += max(0, e.Time-at)
			delete(m.since, e.Instance)
		}
	}
}

// Over returns an error that says what is spent at the instant now by what time spends, or nil.
func (m *Meter) Over(now int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &m.limits
	if n := len(m.since); l.Instances > 0 && n > l.Instances {
		return fmt.Errorf("the platform runs %d instances, and the budget allows %d", n, l.Instances)
	}
	if used := m.accelerator(now); l.Accelerator > 0 && used >= l.Accelerator.Seconds() {
		return fmt.Errorf("the accelerator time of the budget, %v, is spent", l.Accelerator)
	}
	if l.Money > 0 && m.sent()+m.timeCost(now) > l.Money {
		return fmt.Errorf("the money of the budget, %g %s, is spent", l.Money, m.prices.Currency)
	}
	return nil
}

// holding returns the seconds for which instances have been held until now.
func (m *Meter) holding(now int64) float64 {
	ns := m.held
	for _, at := range m.since {
		ns += max(0, now-at)
	}
	return float64(ns) / 1e9
}

func (m *Meter) accelerator(now int64) float64 { return m.holding(now) * m.prices.Accelerators }

func (m *Meter) timeCost(now int64) float64 { return m.holding(now) * m.prices.held() }

// cost returns what requests and tokens cost.
func (m *Meter) cost(requests, prompt, answer int64, seconds float64) float64 {
	p := &m.prices
	return float64(requests)*p.Request + float64(prompt)*p.PromptToken + float64(answer)*p.AnswerToken + seconds*p.GBSecond*p.MemoryGB
}

// sent returns what requests have cost and may still cost.
func (m *Meter) sent() float64 {
	n := m.reserved.requests
	return m.cost(m.requests+n, m.prompt+m.promisedPrompts(), m.answer+m.promisedAnswers(), m.seconds+float64(n)*m.slowest)
}

// Spent returns what is spent at the instant now of each thing that has a limit. The requests in flight count with what they have reserved.
func (m *Meter) Spent(now int64) []assay.Spend {
	m.mu.Lock()
	defer m.mu.Unlock()
	const untold = "nothing told of the life of instances"
	var out []assay.Spend
	l := &m.limits
	if l.Tokens > 0 {
		out = append(out, assay.Spend{What: "tokens", Unit: assay.Tokens, Limit: float64(l.Tokens), Used: float64(m.prompt + m.answer + m.promised())})
	}
	timed := func(s assay.Spend, hangs bool) {
		if hangs && !m.told {
			s.Untold = untold
		}
		out = append(out, s)
	}
	if l.Instances > 0 {
		timed(assay.Spend{What: "instances", Unit: assay.Count, Limit: float64(l.Instances), Used: float64(m.peak)}, true)
	}
	if l.Accelerator > 0 {
		timed(assay.Spend{What: "accelerator", Unit: assay.Seconds, Limit: l.Accelerator.Seconds(), Used: m.accelerator(now)}, true)
	}
	if l.Money > 0 {
		timed(assay.Spend{What: "money", Unit: assay.Unit(m.prices.Currency), Limit: l.Money, Used: m.sent() + m.timeCost(now)}, m.prices.timed())
	}
	return out
}

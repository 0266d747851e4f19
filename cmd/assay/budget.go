package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/budget"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// prices returns what the plan's price file says; zero without one.
func prices(p *plan.Plan) (budget.Prices, error) {
	b := &p.Budget
	if b.Prices == "" {
		return budget.Prices{Accelerators: 1}, nil
	}
	f, err := plan.ReadPrices(p.Path(b.Prices))
	if err != nil {
		return budget.Prices{}, fmt.Errorf("budget.prices: %w", err)
	}
	if f.Currency != b.Money.Currency {
		return budget.Prices{}, fmt.Errorf("budget.money: is in %s, and the prices of %s are in %s", b.Money.Currency, b.Prices, f.Currency)
	}
	return budget.Prices{Currency: f.Currency, Request: f.PerRequest, PromptToken: f.Per1000PromptTokens / 1000, AnswerToken: f.Per1000AnswerTokens / 1000,
		InstanceSecond: f.PerInstanceSecond, AcceleratorSecond: f.PerAcceleratorSecond, GBSecond: f.PerGBSecond, MemoryGB: f.MemoryGB, Accelerators: f.InstanceAccelerators}, nil
}

// affordable refuses a plan whose target may run more instances than the budget allows.
func affordable(p *plan.Plan) error {
	if _, err := prices(p); err != nil {
		return err
	}
	if n := p.Budget.Instances; n > 0 && p.Target.Kind == "sandbox" {
		c, err := deployment(p)
		if err != nil {
			return err
		}
		if c.MaxScale > n {
			return fmt.Errorf("budget.instances: the sandbox runs up to %d instances, and the budget allows %d; set target.sandbox.maxScale to %d", c.MaxScale, n, n)
		}
	}
	return nil
}

// meter makes what keeps the budget beyond requests and time; nil where the plan limits nothing else.
func meter(p *plan.Plan, now func() int64) (*budget.Meter, error) {
	b := &p.Budget
	l := budget.Limits{Tokens: b.Tokens, Instances: b.Instances, Accelerator: b.Accelerator.D(), Money: b.Money.Amount}
	if l == (budget.Limits{}) {
		return nil, nil
	}
	c, err := prices(p)
	if err != nil {
		return nil, err
	}
	return budget.New(l, c, now), nil
}

// purse returns what pays for requests; nil where the plan limits neither tokens nor money.
func (s *session) purse() loadgen.Purse {
	if s.meter == nil {
		return nil
	}
	return s.meter
}

// overspent returns what the run may no longer spend, or nil.
func (s *session) overspent() error {
	if s.meter == nil {
		return nil
	}
	return s.meter.Over(s.clock.Now())
}

// spent returns what was used of each part of the budget that the plan limits.
func (s *session) spent() []assay.Spend {
	var out []assay.Spend
	b := &s.plan.Budget
	if b.Requests > 0 {
		out = append(out, assay.Spend{What: "requests", Unit: assay.Count, Limit: float64(b.Requests), Used: float64(s.load().Sent)})
	}
	if d := b.For.D(); d > 0 {
		used := s.loadEnded - s.loadBegan
		out = append(out, assay.Spend{What: "time", Unit: assay.Seconds, Limit: d.Seconds(), Used: float64(used) / 1e9})
	}
	if s.meter != nil {
		out = append(out, s.meter.Spent(s.loadEnded)...)
	}
	return out
}

// A costing is what a plan may spend of one thing.
type costing struct {
	What  string
	Unit  assay.Unit
	About float64   // as planned
	Most  assay.Num // worst case: searches that always hold, retries that all fail; +Inf where only the length of the run limits it
	Limit float64   // 0: none
	Note  string
}

// costings estimates what the plan spends.
func costings(p *plan.Plan) ([]costing, error) {
	ph, err := phases(p)
	if err != nil {
		return nil, err
	}
	sched, err := loadgen.NewSchedule(ph, p.Seed)
	if err != nil {
		return nil, err
	}
	price, err := prices(p)
	if err != nil {
		return nil, err
	}
	attempts := 1.0
	if r := p.Target.Retry; r != nil {
		attempts = float64(r.Attempts)
	}
	type sum struct{ requests, prompt, answer float64 }
	var about, most sum
	add := func(s *sum, n, prompt, answer float64) {
		if !p.Target.Tokens() {
			prompt, answer = 0, 0
		}
		if n > 0 {
			s.requests, s.prompt, s.answer = s.requests+n, s.prompt+n*prompt, s.answer+n*answer
		}
	}
	var whole, loud time.Duration
	for i, n := range sched.Needs() {
		add(&about, n.Requests, n.Prompt, n.Answer)
		add(&most, n.Most*attempts, n.Prompt, n.Answer)
		whole += n.For
		if ph[i].Arrivals != nil || ph[i].Closed != nil || ph[i].Search != nil || ph[i].Hold != nil {
			loud += n.For
		}
	}
	if c := p.Canary; c != nil {
		n := math.Ceil(loud.Seconds() / c.Every.D().Seconds())
		add(&about, n, float64(len(strings.Fields(c.Prompt))), float64(c.Output))
		add(&most, n, float64(len(strings.Fields(c.Prompt))), float64(c.Output))
	}
	b := &p.Budget
	out := []costing{
		{What: "requests", Unit: assay.Count, About: about.requests, Most: assay.Num(most.requests), Limit: float64(b.Requests)},
		{What: "time", Unit: assay.Seconds, About: whole.Seconds(), Most: assay.Num(whole.Seconds()), Limit: b.For.D().Seconds()},
	}
	if p.Target.Tokens() {
		out = append(out, costing{What: "tokens", Unit: assay.Tokens, About: about.prompt + about.answer, Most: assay.Num(most.prompt + most.answer), Limit: float64(b.Tokens)})
	}
	instances, known := instances(p)
	if b.Instances > 0 {
		out = append(out, costing{What: "instances", Unit: assay.Count, About: float64(instances), Most: assay.Num(instances), Limit: float64(b.Instances), Note: known})
	}
	held := float64(instances) * whole.Seconds()
	if b.Accelerator > 0 {
		out = append(out, costing{What: "accelerator", Unit: assay.Seconds, About: held * price.Accelerators, Most: assay.Num(held * price.Accelerators), Limit: b.Accelerator.D().Seconds(), Note: known})
	}
	if b.Money.Amount > 0 {
		cost := func(s sum) float64 {
			v := s.requests*price.Request + s.prompt*price.PromptToken + s.answer*price.AnswerToken
			return v + held*(price.InstanceSecond+price.Accelerators*price.AcceleratorSecond)
		}
		c := costing{What: "money", Unit: assay.Unit(price.Currency), About: cost(about), Most: assay.Num(cost(most)), Limit: b.Money.Amount}
		if price.InstanceSecond+price.AcceleratorSecond > 0 {
			c.Note = known
		}
		if price.GBSecond > 0 {
			c.Note = strings.TrimPrefix(c.Note+"; without the time that requests take, which only the run knows", "; ")
		}
		out = append(out, c)
	}
	return out, nil
}

// instances returns how many instances the target may run at once, as far as the plan knows, and where that comes from.
func instances(p *plan.Plan) (n int, known string) {
	if p.Target.Kind == "sandbox" {
		if c, err := deployment(p); err == nil {
			return c.MaxScale, "as if the sandbox ran all of its instances all the time"
		}
	}
	if p.Budget.Instances > 0 {
		return p.Budget.Instances, "as if the target ran all the instances that the budget allows all the time; measured only if something tells of the life of its instances"
	}
	return 0, "nothing tells how many instances the target runs"
}

// printCostings writes what the plan may spend.
func printCostings(w io.Writer, list []costing) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, c := range list {
		label := "            "
		if i == 0 {
			label = "  budget    "
		}
		text := "about " + dashboards.In(c.About, c.Unit)
		worst := float64(c.Most)
		switch {
		case math.IsInf(worst, 1):
			text = "decided in the run"
		case worst > c.About*1.001:
			text += ", at most " + dashboards.In(worst, c.Unit)
		}
		if c.Limit > 0 {
			text += " of " + dashboards.In(c.Limit, c.Unit)
			if worst > c.Limit {
				text += ": MAY STOP the run early"
			}
		}
		if c.Note != "" {
			text += " (" + c.Note + ")"
		}
		fmt.Fprintf(t, "%s%s\t%s\n", label, c.What, text)
	}
	t.Flush()
}

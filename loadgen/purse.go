package loadgen

import "github.com/assay-dev/assay"

// A Purse pays for requests: it is the budget as far as it depends on what is sent. Its methods are called from many goroutines at once and must not
// block.
type Purse interface {
	// Pay reserves what a request may use at most: its prompt and the answer asked for, 0 where no limit is. An error
	// says what is spent: the request is not sent and the load stops.
	Pay(prompt, answer int32) error
	// Settle gives a reservation back and books what the request used.
	Settle(prompt, answer int32, r *assay.Request)
	// Book books a request of an external load, which was sent before we knew of it. An error says what is spent: the load stops.
	Book(r *assay.Request) error
}

// spend takes a request from the budget. The loop of a phase, the slots of a closed one and the turns of sessions all do so at once.
func (g *Generator) spend(prompt, answer int32) bool {
	for {
		n := g.sent.Load()
		if g.cfg.MaxRequests > 0 && n >= int64(g.cfg.MaxRequests) {
			return false // the next to ask what is allowed stops the load
		}
		if g.sent.CompareAndSwap(n, n+1) {
			break
		}
	}
	if g.cfg.Purse == nil {
		return true
	}
	if err := g.cfg.Purse.Pay(max(0, prompt), max(0, answer)); err != nil {
		g.sent.Add(-1)
		g.stop("budget", err.Error())
		return false
	}
	return true
}

// settled books what a request used.
func (g *Generator) settled(r *assay.Request, prompt, answer int32) {
	if g.cfg.Purse != nil {
		g.cfg.Purse.Settle(max(0, prompt), max(0, answer), r)
	}
}

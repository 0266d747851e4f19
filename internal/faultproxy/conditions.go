package faultproxy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// The modes. Those of the second group strike streams.
const (
	None    = ""
	Status  = "status"      // answered with Status, and Retry-After if set; the upstream is not asked
	Latency = "latency"     // passed on Delay later
	Hang    = "hang"        // held until the fault is lifted
	Expired = "tls-expired" // not a matter of requests: the certificate has expired

	FIN     = "fin"     // the connection ends in order in the middle of the stream
	RST     = "rst"     // it is reset there
	Stall   = "stall"   // it falls silent there; the rest passes when the fault is lifted
	Slow    = "slow"    // each token comes Delay later than the one before
	Corrupt = "corrupt" // the JSON of one token is broken off
)

// RequestModes returns the modes that strike requests.
func RequestModes() []string { return []string{Status, Latency, Hang, Expired} }

// StreamModes returns the modes that strike streams.
func StreamModes() []string { return []string{FIN, RST, Stall, Slow, Corrupt} }

// Conditions say what happens to which requests. The zero value does nothing.
type Conditions struct {
	Mode       string        `json:"mode"`
	Status     int           `json:"status"`         // for status: 400 to 599
	RetryAfter time.Duration `json:"retry_after_ns"` // for status: whole seconds, as the header has them; 0 sends none
	Delay      time.Duration `json:"delay_ns"`       // for latency and slow
	Tokens     int           `json:"tokens"`         // for fin, rst, stall: tokens before the cut; corrupt: number of the broken one, from 1

	// Which requests are struck, counted from when the conditions were set. All that are set must agree; with none, all are.
	After       int64   `json:"after"`       // none of the first so many
	First       int64   `json:"first"`       // only so many, then none
	Every       int64   `json:"every"`       // each so many-th
	Probability float64 `json:"probability"` // each with this chance, by Seed and its number alone
	Seed        uint64  `json:"seed"`
}

// IsZero reports whether the conditions do nothing.
func (c Conditions) IsZero() bool { return c == Conditions{} }

// stream reports whether the mode strikes streams.
func (c *Conditions) stream() bool { return slices.Contains(StreamModes(), c.Mode) }

// Check returns an error that names the first field out of range.
func (c Conditions) Check() error {
	has := func(modes ...string) bool { return slices.Contains(modes, c.Mode) }
	switch {
	case c.Mode == None && !c.IsZero():
		return fmt.Errorf("mode: is missing; one of %q", append(RequestModes(), StreamModes()...))
	case c.Mode != None && !has(RequestModes()...) && !has(StreamModes()...):
		return fmt.Errorf("mode: %q is not one of %q", c.Mode, append(RequestModes(), StreamModes()...))
	case has(Status) && (c.Status < 400 || c.Status > 599):
		return fmt.Errorf("status: %d is out of range; want 400 to 599", c.Status)
	case !has(Status) && (c.Status != 0 || c.RetryAfter != 0):
		return fmt.Errorf("status, retry_after_ns: belong to mode status, not %q", c.Mode)
	case c.RetryAfter < 0 || c.RetryAfter%time.Second != 0:
		return fmt.Errorf("retry_after_ns: %v; want whole seconds", c.RetryAfter)
	case has(Latency, Slow) && c.Delay <= 0:
		return fmt.Errorf("delay_ns: %v delays nothing; want more than 0", c.Delay)
	case !has(Latency, Slow) && c.Delay != 0:
		return fmt.Errorf("delay_ns: belongs to modes latency and slow, not %q", c.Mode)
	case c.Tokens < 0, has(Corrupt) && c.Tokens == 0:
		return fmt.Errorf("tokens: %d is out of range; want 0 or more, and 1 or more for corrupt", c.Tokens)
	case !has(FIN, RST, Stall, Corrupt) && c.Tokens != 0:
		return fmt.Errorf("tokens: belongs to modes fin, rst, stall and corrupt, not %q", c.Mode)
	case c.After < 0:
		return fmt.Errorf("after: %d is out of range; want 0 or more", c.After)
	case c.First < 0:
		return fmt.Errorf("first: %d is out of range; want 0 or more", c.First)
	case c.Every < 0:
		return fmt.Errorf("every: %d is out of range; want 0 or more", c.Every)
	case !(c.Probability >= 0 && c.Probability <= 1):
		return fmt.Errorf("probability: %v%% is out of range; want 0%% to 100%%", 100*c.Probability)
	case has(Expired) && (c.After != 0 || c.First != 0 || c.Every != 0 || c.Probability != 0):
		return fmt.Errorf("after, first, every, probability: a certificate has expired for all requests or for none")
	}
	return nil
}

// strikes reports whether request n, from 1, is struck.
func (c *Conditions) strikes(n int64) bool {
	k := n - c.After
	return c.Mode != None && c.Mode != Expired && k > 0 && (c.First == 0 || k <= c.First) && (c.Every == 0 || k%c.Every == 0) &&
		(c.Probability == 0 || rand.New(rand.NewPCG(c.Seed, uint64(n))).Float64() < c.Probability)
}

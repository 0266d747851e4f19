package link

import (
	"fmt"
	"time"
)

// The cuts. A client of a stream tells them apart, and so do analyses.
const (
	CutNone      = ""
	CutReset     = "reset"     // live connections are reset (RST) and so is each new one, once accepted
	CutClose     = "close"     // live connections end in order (FIN) and so does each new one, once accepted
	CutBlackhole = "blackhole" // connections are accepted and held, nothing passes; what was held passes when the cut is lifted
	CutRefuse    = "refuse"    // nothing listens: a connect is refused; live connections go on
)

// Cuts returns the names of all cuts.
func Cuts() []string { return []string{CutReset, CutClose, CutBlackhole, CutRefuse} }

// Conditions are what a link does to the bytes that pass. The zero value does nothing.
type Conditions struct {
	Delay  time.Duration `json:"delay_ns"`  // added to each chunk in each direction, so a round trip takes twice as much longer
	Jitter time.Duration `json:"jitter_ns"` // the delay of a chunk varies evenly by this much to either side; order is kept
	Rate   int64         `json:"rate"`      // bytes per second and direction, shared by all connections; 0 is unlimited
	Linger time.Duration `json:"linger_ns"` // an orderly end is passed on this much later
	Cut    string        `json:"cut"`       // one of the Cut constants
}

// IsZero reports whether the conditions do nothing.
func (c Conditions) IsZero() bool { return c == Conditions{} }

// Check returns an error that names the first field out of range.
func (c Conditions) Check() error {
	switch {
	case c.Delay < 0:
		return fmt.Errorf("delay_ns: %d is negative", c.Delay)
	case c.Jitter < 0:
		return fmt.Errorf("jitter_ns: %d is negative", c.Jitter)
	case c.Linger < 0:
		return fmt.Errorf("linger_ns: %d is negative", c.Linger)
	case c.Rate < 0:
		return fmt.Errorf("rate: %d is negative", c.Rate)
	}
	switch c.Cut {
	case CutNone, CutReset, CutClose, CutBlackhole, CutRefuse:
		return nil
	}
	return fmt.Errorf("cut: %q is not one of %q", c.Cut, Cuts())
}

// over returns c laid on top of base: delays add up, the lower rate wins, and so does a cut of c.
func (c Conditions) over(base Conditions) Conditions {
	sum := Conditions{Delay: base.Delay + c.Delay, Jitter: base.Jitter + c.Jitter, Linger: base.Linger + c.Linger, Rate: base.Rate, Cut: base.Cut}
	if c.Rate > 0 && (base.Rate == 0 || c.Rate < base.Rate) {
		sum.Rate = c.Rate
	}
	if c.Cut != CutNone {
		sum.Cut = c.Cut
	}
	return sum
}

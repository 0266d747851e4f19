package stat

import "math"

// Budget returns the share of bad events that an objective, a share of good ones in (0, 1), leaves: 0.001 for 0.999 and not the
// 0.0010000000000000009 of binary fractions.
func Budget(objective float64) float64 { return math.Round((1-objective)*1e12) / 1e12 }

// BurnRate returns how many times faster than allowed a share of bad events uses up the budget of an objective: at 1 the
// budget lasts exactly its period (Google SRE Workbook, chapter 5).
func BurnRate(bad, objective float64) float64 { return bad / Budget(objective) }

// BudgetSpent returns the share of a period's budget that a burn rate spends within a window of the same unit.
func BudgetSpent(rate, window, period float64) float64 { return rate * window / period }

// BurnFactor returns the burn rate that spends a share of a period's budget within a window: 2 % of 30 days in one hour is 14.4.
func BurnFactor(share, window, period float64) float64 { return share * period / window }

// BurnCrosses returns how long after the begin of an outage that fails a share of all events, after none failed and at a steady rate of
// events, the burn rate over a window exceeds factor. It is infinite where it never does.
func BurnCrosses(share, objective, factor, window float64) float64 {
	t := factor * Budget(objective) * window / share
	if !(t <= window) {
		return math.Inf(1)
	}
	return t
}

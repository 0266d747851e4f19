// Package stat holds the statistics of the suite: intervals that are honest for small
// samples and for failures that come in clusters.
//
// Everything takes and returns plain numbers. A bound that does not exist is an
// infinity, an impossible question gives NaN, and every interval carries the
// confidence that it really attains where that differs from what was asked.
//
// The pieces:
//
//   - rate.go: how often things fail (MTBF, failure rate, how long to watch);
//   - proportion.go: shares of independent trials (Wilson, Clopper-Pearson);
//   - availability.go: the share of bad time or requests when failures cluster;
//   - heavytail.go, repairtable.go: how variable the lengths of episodes are, and what that does to a bound;
//   - quantile.go: quantiles by their Hyndman-Fan type and intervals from order statistics;
//   - batch.go: how much a correlated sample is worth (design effect by batch means);
//   - trend.go: whether a failure rate is constant;
//   - growth.go: how it changes, where it is not;
//   - survival.go, median.go: lifetimes of which some had not ended;
//   - repair.go: how long repairs take;
//   - strata.go: coverage of faults by class;
//   - mean.go: the mean of shares of any distribution;
//   - slope.go: whether a value drifts, and how fast;
//   - gate.go: whether a candidate is worse than a base, from runs (with normalscores.go, signedrank.go, gateorder.go, selfcheck.go);
//   - serial.go: whether values follow their order;
//   - rateratio.go: failures of two deployments;
//   - holm.go: many comparisons at once;
//   - sequence.go: bounds that hold at every look;
//   - usl.go: how throughput goes with concurrency;
//   - spacing.go: whether instants lie as they were planned;
//   - sketch.go: a bounded histogram for samples that do not fit into memory.
package stat

// An Interval is a range with the confidence that it covers the truth. An open side is infinite.
type Interval struct {
	Lo, Hi     float64
	Confidence float64
}

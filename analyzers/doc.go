// Package analyzers turns what a run recorded into findings.
//
// [Assess] computes the facts (package facts), begins a pass of each analyzer in [Kinds], feeds all passes in
// one scan of the requests and one of the traces, lets each add its findings and sections to the report, in
// the order of the table, and then judges the plan's objectives. The report is a function of
// the run directory alone: the same data gives the same bytes.
//
// # What speaks of what
//
// A finding whose basis is "measured" says what happened in this run, and its interval is
// the error of measurement: recovery times, the error ratio, load and goodput. One that is "estimated" speaks of the service,
// and its interval is statistical, of 95 % unless it attains more: MTBF, failure rate,
// availability, latency quantiles, recovery rate, fault tolerance.
//
//   - Failures are counted by the episode. MTBF and failure rate rest on the natural ledger alone, each with its own exposure; without
//     a failure there is a one-sided bound.
//   - Availability multiplies a bound on how often failures begin with one on how long they last. Without a failure it is not
//     estimable: nothing then bounds how long one lasts. The error ratio of the run is measured
//     all the same.
//   - Quantiles are of Hyndman-Fan type 7 with intervals from order statistics, whose sample size is cut to what
//     the correlation of consecutive requests leaves of it (twenty blocks).
//   - Latency without selectors is that of warm requests of the natural ledger in steady phases. Where nothing tells cold from warm, all are taken and
//     the finding says so. A request that was in flight in a fault's window belongs to that fault. A failed request has no latency; its share is stated.
//
// # What a fault cost
//
// Each fault has a verdict (pass, fail, void, unmeasured), a score of 0 to 1 ([Score]) and, where it failed, a sentence of advice: a setting of the
// serving that the evidence points to, which is no finding. Of the requests that it cost, at most a thousand are listed with their ids, traces and spans in
// result.json, which is derived: records are never written again. So `SELECT unnest(f.affected, recursive := true) FROM (SELECT
// unnest(faults) AS f FROM 'result.json')` joins them to the Parquet of requests by request and attempt and to that of spans by trace.
//
// A fault that failed makes the run a no-go like an objective that did, and so does a steady state that did not hold after it; one that did not hold
// before leaves the run undecided. Void and unmeasured faults decide nothing by themselves: a score does, for it counts them as nothing.
//
// # Adding an analyzer
//
// Write one file with a type that holds settings, its Describe and Begin, and a pass; add one line to [Kinds].
package analyzers

// Confidence of every interval, two-sided, and of every one-sided bound.
const Confidence = 0.95

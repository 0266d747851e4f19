// Package compare says whether runs of a candidate are worse than runs of a base, and where a history of runs changes its level.
//
// The unit is the run: each gives one value of each metric, and the requests inside it count for nothing more. [Runs] matches the
// metrics that both sides have, [Race] does the same for blocks of two runs that were loaded in turns, and [Trace] looks along one
// line of runs. All three are pure functions of reports that [analyzers.Assess] computed.
//
// # Verdicts
//
// A metric passes when the whole interval of its change lies within the margin, fails when it lies beyond, and is inconclusive
// otherwise, with the number of further runs that would decide it if the change stays what it is. The comparison passes when all gated
// metrics pass, which needs no correction for their number since each of them must; it fails when one of them, or of the watched,
// fails, and then the more metrics the more chances: a failure must also hold by Holm's procedure over all that may fail.
//
// Losses, failures and recoveries are watched: while they are not shown to be within their margins they hold up a pass, unless the runs of the candidate are free of them,
// and the answer then says what so few runs leave open. Nothing passes of which more runs of one side than of the other tell nothing.
//
// The base is compared with itself, its runs split by turns. A metric in which it differs from itself decides nothing.
//
// # Scales
//
// Times and rates are compared by their ratio, with a margin of 5 % unless told otherwise; recoveries by their difference, with a margin of 5 % of the base
// and half a second at least. Shares (errors, availability, goodput) are
// compared by their difference, with a margin of half a percentage point: 5 % of an availability would be a month without
// service. Losses sit in few runs, so that their means are compared, by dealing the runs to the sides anew. A recovery that did not end ranks behind all that did. Failures are counted as episodes
// over the time watched, and compared by the ratio of the two rates (conditional binomial, of as many as count one by one where runs differ by more than chance), and more of them must show over runs
// too; its margin is a factor of two, since a few failures show no less.
package compare

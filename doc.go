// Package assay is the vocabulary of the assay suite: the words that its parts
// use to speak to one another, and nothing else. It imports only the standard
// library.
//
// assay answers one question about a model served on a serverless platform: can
// users rely on it, and if not, what breaks it? Data flows one way,
//
//	Source → Record → Run → Finding → Report
//
// A [Source] (a collector, a load generator, a fault schedule) emits a [Record]
// for each thing it saw. The run directory (package internal/store) keeps the
// records raw. An [Analyzer] turns them into a [Finding], as often as wanted, and a
// [Report] carries the findings to people. Nothing downstream writes upstream.
//
// # Time
//
// Every instant is an int64 count of nanoseconds since the run's epoch, on the
// monotonic clock of the machine that ran it; the wall-clock time of the epoch
// stands in the run's [Manifest]. The zero value means "not seen". A run's epoch
// lies before its first record, so no instant of a live run is zero; a decoder
// that computes exactly zero records 1. Spans and events of an import may lie before the epoch
// and are then negative.
//
// # Numbers
//
// A [Quantity] is never bare: it has a unit and an interval with its confidence, n and
// method, or a reason why it cannot be given. Base units inside (seconds,
// ratios, counts per second); people's units only where people read.
package assay

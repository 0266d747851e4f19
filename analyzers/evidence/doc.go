// Package evidence adds up what many runs of one service show.
//
// A run is read once, as a [Run] that holds what the ledger needs of its manifest and its report and nothing else, so that memory grows with
// failures and drills and not with requests. [Pool] sorts runs by service and adds them up:
//
//   - exposure is a union: what several runs watched at once counts once, unit by unit;
//   - a failure that two runs saw at once is one;
//   - time that any run of the service spent in faults, overload or planned work is natural in none of them;
//   - a run that could not measure adds nothing, and is listed with the reason;
//   - the same run found twice counts once;
//   - a simulated target is a service of its own.
//
// The rate of failures is tested for a trend on the clock of the exposure, in the order of the calendar, before there is an MTBF.
package evidence

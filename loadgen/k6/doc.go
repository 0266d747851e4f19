// Package k6 joins assay and k6: a script for k6 calls a served model through assay's own
// clients, and what they saw becomes a run directory that `assay assess` reads.
//
// It is a Go module of its own. k6 is under the AGPL-3.0, and so is a binary that links it; nothing outside this
// directory does.
//
// # How the pieces meet
//
// Importing the package registers three extensions, which share one [Extension]: its clock, its run id and its count
// of requests.
//
//   - The JavaScript module k6/x/assay. A script makes a Client and has it do requests. Each call yields the
//     result that the script checks, samples of the metrics assay_* for k6's own summary, thresholds and outputs, and the
//     assay.Request. The last travels inside the sample container (see exchange), on k6's own channel, so that
//     there is no second way from a virtual user to an output.
//   - The output assay. It takes the records out of the containers, turns k6/http's own requests and dropped
//     iterations into records too, and puts them into a run directory, or onto a socket for a program that
//     follows the run.
//   - The executor assay-arrivals. A k6 scenario whose iterations begin at the instants of one of assay's arrival
//     processes, each with its settings (see processes). It is a [loadgen.Generator] whose client runs an iteration, so that
//     schedule, pacing and refusals are the same as without k6. Of a trace, planned() tells the script what each row
//     says. Processes with an execution segment each draw the whole schedule and play their part of it.
//
// A plan of assay runs a script as one of its phases: `assay run` starts assay-k6 as a child, which then streams its records, and names the
// target and the run in the environment. The runs that the processes of a distributed test leave become one with `assay merge`.
//
// # Memory
//
// k6 keeps each value of each Trend for its summary and for thresholds on it, about 0.4 kB for a request with k6/http. The module gives each
// of its Trends one value for a request, never one for a token, and keeps none itself. The records of the run are
// what figures are computed from, so long tests run with --summary-mode=disabled and with thresholds on Counters and Rates only: then
// memory does not grow with the number of requests. Objectives in a plan judge latencies at no such cost.
//
// # Choices
//
// Due is the instant at which the script made the call: the moment its virtual user was free to send. Work
// that the script does before, such as a sleep or the making of a prompt, is not time that the target took. The
// request says NoSchedule. With assay-arrivals the first call of each iteration is due when the iteration was
// due, on the schedule; further calls of the iteration are not scheduled.
//
// An iteration that an arrival-rate executor dropped for want of a virtual user is recorded as one request
// refused by our own cap. Without that, a script with too few virtual users would look like a fast target.
//
// Each virtual user has connections of its own, as with k6/http. The options hosts, dns, blacklistIPs, blockHostnames,
// insecureSkipTLSVerify, tlsAuth, tlsVersion, rps, noConnectionReuse and noVUConnectionReuse work as there.
//
// Requests made in setup and teardown belong to phases of that name with the role of a warm-up.
//
// A request that is still open when its scenario ends is unfinished and not a failure of the target. An iteration
// that is interrupted is k6's matter; the request in it is recorded in any case.
package k6

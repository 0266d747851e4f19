// Package importers makes records out of what other load generators wrote: results of JMeter, k6 and vegeta, and any CSV or JSON lines whose
// columns are named.
//
// # How the pieces meet
//
// [Settings] name the files of one run and their [Kind]. [Open] reads them once, from end to end, and refuses what is wrong with file and
// line before anything is made of it; it learns where the run begins and ends, its phases and how loaded the generator
// was. The [Import] it returns is an assay.Source whose Run reads them again and emits a Request for each. Memory is bounded
// by what one row may hold, not by the number of rows.
//
// # Rules
//
// The run's epoch is a millisecond before the first request. Rows need not be in order. Stamps without a date count
// from wherever their source began; the wall time of such a run is that of its file and only a guess.
//
// A stamp before the year 2000, after [Settings.Latest], or 31 days or more from that of the first row is refused: one wild
// row would otherwise stretch every chart and rate of the run. A last line that is torn, as a killed generator leaves it, is left out with a
// warning; a bad line anywhere else is an error.
//
// What the source does not tell stays unknown: a request has no plan unless a column gives one, so Due is when it was sent and NoSchedule is
// set; cold stays unknown; an answer that was not streamed has no first token; there are no spans.
//
// What ended with a status is judged by it, as our own clients do. A failure whose kind cannot be told counts as server_error, since leaving it out
// would flatter the target. Texts of errors are reduced to what cannot hold a prompt, an answer or an address.
//
// # JMeter
//
// The label of a sample is its class: labels come mixed in time, phases one after another. The class of a failed assertion is
// wrong_content, except where nothing but a duration assertion failed: that answer was good and slow, which is for a latency objective to
// judge. Rows of transaction controllers sum up the samples within and are left out; in XML, samples nested in a request (redirects,
// embedded resources) are part of it. Elapsed time includes the time to connect and, by JMeter's own rule, not the idle time.
//
// # k6 and vegeta
//
// The end-to-end time of a k6 request includes the wait for a connection and its making (http_req_blocked), which k6's own
// http_req_duration leaves out. Iterations that k6 dropped are requests refused by the generator's own cap.
// Scenarios and attacks are phases.
package importers

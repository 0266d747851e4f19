// Package live watches a run while it runs. Every record that is emitted passes
// through one [Window], which answers what guards, searches, progress lines and
// the run's own /metrics ask, so that all of them speak of the same thing.
//
//	emit → Window.Observe ─┬→ Window.State, Quantile, ErrorRatio   what holds now
//	                       ├→ Guards.Evaluate                      what must stop the run
//	                       ├→ Progress                             lines for people or programs
//	                       └→ Window.Handler                       Prometheus exposition
//
// The definitions are those of the analyzers: latency counts from when a request
// was due; a request has failed when its outcome says so, and the error ratio is
// failed over judged requests, so that what the target shed, what our own cap
// refused and what was still open do not count. Latencies are of requests that were
// served, cold and warm alike, since a live view answers what users feel now; probes of ours are left out. Quantiles
// are of Hyndman and Fan's type 7, as in the report.
//
// A request enters the window when its record is emitted, which is when it has
// ended; a window over d holds those that ended within d.
package live

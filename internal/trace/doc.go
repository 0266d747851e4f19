// Package trace reads recorded workloads: when requests came, and what is known of each.
//
// [Settings] name the files, their [Kind] and what to make of them; [Settings.Each] yields the requests in order of
// time. Everything streams: memory is bounded by what lies out of order, not by the length of the trace. The stages are
//
//	lines → rows of one format → order by time → window → zero lengths → spread, scale → order again
//
// A load generator replays what comes out; an importer keeps it as records.
//
// # Rules
//
// Lines end with LF or CRLF, the last may lack its end, a byte order mark is skipped, as are empty lines. Files whose name ends in
// .gz are unpacked. Rows may be out of order by 1024 rows, or 65536 where a row says when a request ended; beyond
// that the error says where. Time counts from the first request of the trace, so that a window [From, To) means
// the same whatever the stamps count from.
//
// A length of zero tokens cannot be asked of a server. Such rows are kept with one token, or dropped;
// [Stats] counts them in either case.
//
// A stamp of coarse grain stands for the step that begins with it. Requests with the same stamp are spread over the step: evenly,
// the first at its begin, or at random. By default those of BurstGPT (1 s) and of Azure Functions 2019 (1 min)
// are spread evenly and others not at all, since other traces do not say how coarse they are.
//
// TimeScale stretches time: at 0.1 ten hours are replayed in one, at ten times the rate. RateScale changes how many
// requests there are, at the same times. Below 1 each is kept with that probability, all
// requests of a session or none. Above 1 each gets copies, the fractional part by chance; a copy is late by a random time below Jitter, and
// its prefix blocks and its session are renamed, so that the copies share prefixes among themselves as the
// originals do and not with them.
package trace

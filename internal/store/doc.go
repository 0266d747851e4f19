// Package store is the run directory on disk: everything that was seen, raw.
//
//	run.json        the manifest, rewritten atomically
//	events.jsonl    events, one JSON object a line
//	guardian.jsonl  events written by another process, stamped in Unix time
//	requests/       records.log while running, part-00000.parquet … when sealed
//	spans/          the same, partitioned by a hash of the trace id
//	metrics/        a Prometheus TSDB
//	result.json, …  derived by others; deletable
//
// # Writing
//
// A [Writer] takes records from any number of goroutines. [Writer.Emit] encodes
// a request or span into the batch of one of a few shards, under that shard's
// lock and nothing else; a batch that is full, or half a second old, goes to
// the goroutine that owns the log, which writes it as one checksummed frame.
// Batches come from a fixed pool: when the disk cannot keep up, Emit returns
// [ErrFull] and the record is counted as unrecorded; it never waits. Samples
// take the same way into the TSDB, events into events.jsonl.
//
// The first failed write is sticky: [Writer.Failed] and [Writer.Err] tell, and
// requests, spans and samples are counted as unrecorded from then on, because a
// log with a hole would look like a quiet service. Events and the manifest go
// on: a reserve of a few MiB is held from the start and given up at that
// moment, so that a full disk can still record that faults were healed and how
// the run ended.
//
// [Writer.Seal] turns the logs into Parquet (requests sorted by due, spans by
// trace) by external sort, in bounded memory, and the head of the TSDB into
// blocks. Each directory becomes sealed by the appearance of its _sealed.json,
// which is renamed into place after all parts are on disk; before that the log
// counts, after it the parts do. So a crash while sealing loses nothing.
//
// # Reading
//
// [Open] never writes into the run. A run that was killed is read as far as its
// checksums reach, with a warning that names file and offset; its logs are
// sealed into, and the write-ahead log of its TSDB is replayed in, a temporary
// directory that [Run.Close] removes. So there is one way of reading, whatever
// end the run had. Scans decode row groups in parallel and hand them out in
// order; their blocks are borrowed and reused.
//
// # Versions
//
// A column or member that is new is optional and, in Parquet, the last: an older run reads as one that does not have it. The schema in _sealed.json then gets
// the next number, so that an older version of this package says that it cannot read the run instead of reading it wrongly.
// assay/requests/v2 has the column user, which v1 had not.
//
// # Choices
//
// Samples without a time of their own get that of their scrape. The series of a
// target are marked stale when a scrape no longer has them and when a scrape
// fails; all of them, up included, when the target is gone. Besides its samples each scrape yields the series up,
// scrape_duration_seconds and scrape_samples_scraped with the label target.
// Samples more than an hour in the future are refused and counted, since the TSDB would
// reject everything after them; so are requests, spans and events that lie there or before the year 2000, that end before they begin
// or whose attributes of time are no numbers. The instants of PromQL have a resolution of one
// millisecond, as the TSDB has.
//
// Spans exported twice stay in the files and are given once by [Run.Traces]. When several requests share a
// trace, each span goes to the request whose span it descends from, and to the
// first of them where that cannot be told.
package store

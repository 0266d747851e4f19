// Package input reads what others recorded: a file, or the answers of a store, in any format that a collector of ours knows.
//
// A [Kind] is one format. Its Read makes records out of one [Input] and is the same decoder that the live collector of that source uses, so
// that what was recorded and what is watched mean the same. Records that it emits are stamped in nanoseconds since 1970.
//
// A [Set] is the inputs of one run. [Open] reads them once, from end to end: it learns where the run begins and ends and what each
// input holds, and refuses what is wrong with file and line before anything is made of it. Run reads them again and emits the records in run
// time. Memory is bounded by what one row may hold, not by the number of rows.
//
// # Counting
//
// Nothing is dropped silently. A Read counts each thing of its input (a span, a line, a sample, an object: it says which) as kept or as
// rejected with its reason; a line that the format has and that says nothing we record is ignored with its reason, which is the same count.
// Of each input, Read = Kept + the sum of Rejected. A stamp before the year 2000, after [Settings.Latest] or outside of From and To is
// rejected here, for all kinds.
//
// # What is wrong, and what is an error
//
// A row that cannot be read as what its format promises is rejected and counted. An input of which nothing could be kept is an
// error, since it was probably given the wrong kind. Bounds that are met are errors that name them.
package input

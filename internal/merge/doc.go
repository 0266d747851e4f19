// Package merge makes one run of the runs that the processes of a distributed k6 test left, each of which played its segment.
//
// It is exact: requests are taken over one by one, so that quantiles, rates and episodes of the whole are computed from all of them, as
// if one process had sent them. Nothing is averaged. Latencies are differences within one process and do not change at all.
//
// # Clocks
//
// The run's time 0 is the earliest epoch. Parts of one machine are put on it by the machine's monotonic clock, exactly. The
// others are put there by their wall clocks, whose error is what each kernel said its synchronization leaves it; where
// it is not synchronized, or did not say, it is what the caller assumes. Both stand in the manifest as offsets.
//
// # What is refused
//
// Parts of different runs, scripts, schedules or targets; segments that overlap; and, unless it is asked for, a merge in which a segment is
// missing: the run then says what is missing and is invalid.
package merge

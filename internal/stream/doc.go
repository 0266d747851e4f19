// Package stream is how a load generator in another process tells a run what it saw: JSON lines over a Unix socket.
//
// The first line has the manifest of the sender, the last one how it ended; a stream without an ending was cut. In between stand
// requests and events, in any order, and the manifest once more before the ending, with what was learned meanwhile.
//
// # Clocks
//
// Instants are Unix nanoseconds: the sender's monotonic clock, counted from the wall-clock time at which it began, its
// epoch. Two processes read the wall clock for their epochs at different times, and it may have been stepped between. So the
// manifest's line also carries what the machine's monotonic clock, which all its processes share, showed at
// the epoch. A [Receiver] on the same machine then puts each instant on the run's clock to within the microsecond that reading two
// clocks takes. Where there is no such clock it takes the wall clock's word, and says so in the offset's error.
package stream

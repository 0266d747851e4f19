// Command peer compares assay's load engine with vegeta's, another engine of the same kind, on this machine and in one run.
//
//	go run . [-for 5s] [-rounds 3] [-rates 1000,5000,10000] [-search=false] [-apart] [-o json]
//	go run . -streams [-for 10s] [-o json]
//
// It is a Go module of its own, so that vegeta and what it needs stay out of assay's. It runs on Linux.
//
// # What is measured
//
// A server that does nothing but answer (100 bytes of body, one epoll loop) runs in one child process and the client in
// another. Four clients take turns at each rate: assay's engine and vegeta's attacker, each bare and with a record of every
// request on disk (assay: the live window and the run store, as `assay run` does; vegeta: its own gob stream, as `vegeta
// attack` does). Both have the settings that their commands have by default, the targets are plain GETs, and arrivals are evenly spaced.
//
//   - CPU is what the client's process used, user and system, from the first request to the last, by getrusage, over the
//     requests that it sent. The work that the kernel does for a loopback socket is charged to the sender of each packet, so it is in it.
//   - Lateness of assay counts from the planned instant to just before the socket write. That of vegeta counts to the stamp it
//     gives a request itself, which is before it has built the request or asked for a connection: somewhat in its favour.
//   - A rate is sustained when 99 % of it is delivered, at most one request in a thousand is not answered well, and lateness does not
//     grow: its median over the last fifth of the requests is at most 5 ms above that over the second. Noise can only make a
//     client miss a rate, so it has three tries.
//
// Figures are medians over the rounds, in which the clients alternate.
//
// # Streams
//
// With -streams a server pinned to one core holds 1,000 streams of 50 tokens a second and logs the monotonic clock just before each write. assay's
// engine, pinned to the other cores, stamps the same tokens; the error of a stamp is the difference.
package main

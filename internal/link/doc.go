// Package link is a small TCP relay that network trouble can be put on: one stands
// in front of each instance of the sandbox, so that a delay or a cut can be laid
// between the gateway and that instance without privileges.
//
// A [Link] accepts on its own address and forwards to one upstream. What lies on
// it is a [Conditions]: base conditions for its whole life (a dial of the
// sandbox) and, on top of them, those of [Link.Set] (a fault). A change applies to
// live connections at once, bytes already under way included: a delay that is
// taken away releases what it held back.
//
// Each direction of a connection is a reader and a writer around a bounded queue
// of time-stamped chunks. A chunk leaves when it is older than the delay, and never
// before the chunk in front of it. Ends travel in the same queue: an orderly close
// arrives as an orderly close and a reset as a reset, after the bytes
// sent before it. The connect itself is not delayed, since the kernel completes
// it before the link sees it.
//
// It is our own and not toxiproxy's library because what a run measures hangs on what the relay does. Toxiproxy draws its randomness from
// the global generator, so that no seed repeats a run, and once a connection rather than for what passes. A reset that it
// lays on live connections reached their clients as an orderly end where it was measured, and what it lays on open connections races with
// what they carry.
//
// The ends of a cut differ for a client and are therefore different cuts: see
// the Cut constants.
package link

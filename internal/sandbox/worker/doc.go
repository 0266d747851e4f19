// Package worker is what all model workers of the sandbox have in common: the life of their process.
//
// [Main] is the process. It listens at once, so that liveness and readiness differ, and then goes through the
// phases of a cold start: runtime_start (from the spawn stamp in the [Settings]), weights_fetch (a rate-limited read
// of the weights file, since a local disk is no model store), weights_load (checksum and tensors) and warmup (a real
// forward pass). Each finished phase is one JSON line on stdout. When it is told to stop it takes no more requests,
// lets those under way finish for a bounded time and sends its last spans.
//
// # How the pieces meet
//
// A kind of model (package engine, package vision) fills in [Settings], describes its weights file ([Weights]) and
// implements [Model]; it gets a [Process] with the clock, the log, the tracer, the truth log and the accelerator's
// [Meter]. The weights file is made from a seed, checked when it is read, and made again when it is damaged. The
// meter is fed by the forward passes and shown in DCGM's format, marked as simulated ([NewDCGM]).
package worker

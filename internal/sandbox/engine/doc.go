// Package engine is the model worker of the embedded sandbox: a small but real
// serving engine for a decoder-only transformer, run as an operating-system process of its own.
// Its weights are random and its text is noise; the work is not: each prompt is
// prefilled and each token decoded by true matrix arithmetic on the CPU.
//
// # How the pieces meet
//
// [Main] is the process. It listens at once, so that liveness and readiness differ, and
// then goes through the phases of a cold start: runtime_start (from the
// spawn stamp in the [Config]), weights_fetch (a rate-limited read of the weights file, since a local
// disk is no model store), weights_load (checksum and tensors) and warmup (KV cache and a real
// forward pass). Each finished phase is one JSON line on stdout; vLLM-like log lines go to stderr.
//
// A handler decodes a request, turns its text into tokens and submits a sequence to the scheduler. The
// scheduler is one goroutine that runs steps: it admits waiting sequences up to
// MaxSeqs and as the KV cache allows, plans rows (one for each decoding sequence, a chunk for each
// prefilling one), runs one forward pass over all rows and hands the new tokens to the
// handlers through channels that never block it. When a decoding sequence needs a block and none is free, the
// youngest sequence is preempted: its blocks are freed, it goes back to the front of the
// queue, and its tokens are computed again later.
//
// # Numerics
//
// Each output element of each matrix product is one dot product over the full inner
// dimension, whatever the batch and however many threads, and attention is computed row by row over whole blocks. The
// result for a token therefore does not depend on what else is in the batch, on chunking or on
// preemption: it is the same to the last bit.
//
// # Tokens
//
// Text is split at white space; a word of up to 16 bytes is one token, a longer one is a token for each 16 bytes begun.
// A prompt of n short words is thus n tokens. A completion prompt adds one token
// (beginning of text); a chat adds one, two for each message and one for the
// assistant's turn, so one message of 64 words counts 68. Token ids are a hash of the bytes. Answers are words made of
// syllables, one for each token, one server-sent event each.
//
// # What requests may ask
//
// An answer always has exactly max_tokens tokens (as with ignore_eos) and finishes with reason "length"; stop
// sequences, top_p and penalties are accepted and have no effect. Without max_tokens a
// completion has 16 and a chat 128, or what the context leaves. Sampling is seeded: without a seed, by the
// prompt itself, so the same prompt gives the same answer.
//
// # Telemetry
//
// Spans go to an OTLP/HTTP endpoint, vLLM's metric names are at /metrics and a
// DCGM-format exposition at /metrics/dcgm; the latter is derived from the true time inside
// forward passes and marked as simulated. The spans queue, prefill, decode and
// preempted of one request follow one another without overlap; their sum is the time from arrival to the last token. The truth log
// says the same from the inside and is meant for scoring analyzers, never for them to read.
package engine

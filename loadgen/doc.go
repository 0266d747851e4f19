// Package loadgen puts load on a model endpoint and records what its clients saw.
//
// # How the pieces meet
//
// A plan of load is a list of [Phase], run one after another on one clock. [NewSchedule]
// draws every request of the fixed-rate phases ahead, from the seed alone: due instant,
// prompt and answer length. A [Generator] is the assay.Source that plays the
// schedule: one goroutine on an OS thread of its own waits for each due instant and
// hands the request to a worker, and the worker has an assay.Client do it: one
// of [ClientKinds]. They speak through an [Endpoint], over a small HTTP/1.1 client that
// stamps the socket write and each socket read ([wire]) or, for https, HTTP/2 and proxies, over
// net/http; gRPC brings its own connections. A [Search] phase decides at run time which rate comes next. [Ramp] builds the
// phases for an endpoint that must not be hurt, and [Calibrate] tells how much
// this machine can send.
//
// Adding an arrival process or a client is one file and one line in [ArrivalKinds] or [ClientKinds].
//
// # Open loop
//
// Requests are sent when they are due, whether or not earlier ones have been answered, and
// latency counts from the due instant. So a target that stalls for a second shows that
// second in each request that was due during it. Two bounds keep the generator from
// harm. A cap on the requests in flight: what is due above it is recorded as
// refused by the cap, with Sent zero. And after the generator itself was held up for more than a few
// milliseconds, the backlog goes out at no more than four times the planned rate; a
// request later than its own deadline is refused, with the reason in Error.
//
// # Who sends
//
// At high rates the cost of a request is mostly that of waking threads. So the pacing goroutine writes a request itself where a connection is
// idle and nothing has to be waited for (see flight), and only otherwise hands it to a worker. Answers in one piece it reads itself too (see poller): it
// sleeps until an answer comes or the next send is due, whichever is first. An answer that is streamed is read by the goroutine of its connection (see
// post), so that each token is stamped when it comes. Requests that are due within half a millisecond of one another, and less below
// 10,000/s, go out together.
//
// # Instants
//
// Sent is stamped just before the write of the request to an open connection. Where a
// connection has to be opened first, Sent is stamped before that: setting up the
// connection is time the target and the network take, and Sent less Due is the lateness of the
// generator, by which a run is found invalid. FirstByte, FirstToken, Arrivals and End carry
// the instant at which the socket read that brought the bytes returned. The deadline of
// a request counts from the moment a worker takes it up, so that a late generator does not take time
// from the target.
//
// # Beside the schedule
//
// A [Canary] rides along with a fixed prompt and a place of its own; a [Retry] sends failed requests again, each attempt a record; a [Cold] phase
// makes cold starts, with a func handed in that makes the target cold; a [Purse] pays for each request before it is sent. What they send
// says what it is (Canary, Attempt, Forced), so that nothing measured of the load is about them.
//
// # Credentials
//
// A token, a signature ([SigV4]) or a client certificate ([TLSFiles]) is asked for with each request or connection and never waited for: who keeps it
// fresh is told by Endpoint.Refused that the target refused it. A refusal is a fault of ours, however it comes: as a status, as a TLS alert, as
// nginx's 400, as a proxy's 407 or as an exception in a stream. Its outcome is credential, which is no failure of the target.
//
// # Choices
//
// A redirect (3xx) is a client error: the plan names the wrong URL, and following it would
// time another server. An answer that is not streamed has no FirstToken: when its first
// token existed is not observable. Exhausted local ports or file descriptors are client
// errors too, since they say nothing about the target. A request that found a
// pooled connection already closed by an idle server is sent again on a fresh one, once,
// and only when nothing was received and the connection had been idle for a second; Sent keeps the first instant.
package loadgen

// Package sandbox is a miniature serverless model platform made of real processes
// on loopback: the embedded target of assay. What is measured on it is real
// (processes start, read weights, compute, are killed and hang), only small.
//
// # How the pieces meet
//
// One platform process ([PlatformMain]) holds
//
//   - the gateway, which speaks the OpenAI dialect, holds requests while no
//     instance can take them, and passes answers on byte by byte (gateway.go, proxy.go);
//   - the pool, the one table of instances and waiting requests, which decides who
//     is served where and when (pool.go);
//   - the autoscaler: Knative's rules as a pure function ([Decide], kpa.go) and the
//     loop that feeds it (autoscale.go) with time-weighted concurrency (meter.go);
//   - the supervisor, which starts workers as processes of their own, watches their
//     exits, probes them, ejects, kills and replaces them (supervisor.go, life.go, probe.go);
//   - one relay (package link) in front of each worker, on which a fault can be put;
//   - the admin server: life-cycle events, instances, links, metrics (admin.go).
//
// A worker is the same binary run with the hidden subcommand x-worker (package
// engine). A parent starts the platform with [Start], as the same binary run with
// x-platform ([PlatformChild]).
//
// # Who outlives whom
//
// Workers belong to the process group of the platform and die with it by the kernel's hand
// (a parent-death signal; the thread that spawns them lives as long as the
// platform). The platform ends when its standard input does, since that means that its
// parent is gone. So neither a killed platform nor a killed parent leaves a process behind.
//
// # Cold
//
// A request is cold when it had to wait on arrival, that is, no instance in routing had room for it
// (or others were waiting before it), and the instance that served it came into
// routing for the first time after the request had arrived at the activator. A request that waited for a
// busy instance, or for an ejected one to be readmitted, is warm. An attempt repeated on another
// instance after a refused connection keeps the state of its first arrival. A request
// that no instance served has no cold state. The rule is applied once, in the
// pool; the span attribute faas.coldstart and the truth log carry its result. With the retrieval dial a
// request arrives at the activator when its retrieval is done.
//
// # Cold on purpose
//
// POST /admin/chill drains all instances for the reason forced_cold, lets the autoscaler forget the load that was, and answers when
// their processes have ended. The instances that the next start from zero makes carry forced=true in their creation. A deployment with a least scale
// refuses.
//
// # Slow starts
//
// PUT /admin/starts holds back each instance that starts from then on before its process is made: its schedule phase grows, and its start carries
// held_ns. DELETE lifts that and lets go who waits.
//
// # Truth
//
// With a truth directory the platform writes what really happened, request by request and
// instance by instance, to platform.jsonl, and each worker to a file of its own. No
// analyzer reads it: analyzers are scored against it ([ReadTruth]).
package sandbox

// Package cloud reads what serverless platforms of clouds recorded of a function or an endpoint: AWS Lambda's logs and CloudWatch's metrics,
// Cloud Monitoring's time series of Cloud Run, Application Insights' requests of Azure Functions, and RunPod's jobs.
//
// # Requests
//
// An invocation, a request or a job that the platform recorded is an [assay.Request] with NoSchedule, due when it arrived as far as the platform
// tells. It holds what the platform saw: the way from the client to the platform and back is not in it. What is not told stays unknown. All
// requests of one recording are one phase, named recorded.
//
// # Lambda
//
// Lines of text, events of the Telemetry API and rows of Logs Insights all become happenings, and an environment lives through
// them one by one: one environment a log stream, one invocation at a time in each. An environment whose runtime died or was thrown away
// lives again under the same name.
//
// An invocation that waited for an init was due when the init began. What REPORT says is not believed blindly: without a REPORT an invocation
// failed; an invocation after a runtime that died was cold though no Init Duration says so; an init that was told apart counts in place of an Init Duration
// that contradicts it; and an environment that was made more than a second before its first invocation, or by provisioned concurrency, made
// nobody wait. That a handler raised an error is known only where the platform or the runtime logged it. The phases of a start are named
// init and restore, since what an init holds (the runtime's start, the loading of weights) is not told apart.
//
// A log whose lines name no stream may hold many environments: where invocations overlap in it, nothing is told of lives.
//
// # CloudWatch's sums
//
// The sums of Invocations, Errors and Throttles of each period become a counter by outcome ([CountedRequests]), from which availability by request, error ratio and failures of the service follow as from any
// server's counters, with the period as the step. Averages, maxima and quantiles of Duration in each period are kept as they are: no quantile of the whole comes of them. ConcurrentExecutions
// counts invocations that are under way and no environments, of which idle ones are in no metric: no life of an instance and no exposure is made of it, and with X-Ray, whose segments name
// no instance, an MTBF of instances stays unmeasured.
//
// # Live
//
// [CloudWatch] and [RunPod] ask the platform while a run goes on and hand what it answers to the same decoders. A datapoint is read when its period has been over for a
// while, since AWS changes it until then. RunPod lists no jobs: a file names those of the user's client.
//
// Of errors only the type is kept, never the message.
package cloud

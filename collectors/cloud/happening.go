package cloud

import "github.com/assay-dev/assay"

// What may happen in an environment of AWS Lambda, whatever form it was told in.
type what uint8

const (
	nothing      what = iota
	initStart         // the platform begins to initialise an environment
	initDone          // it has; duration, status
	restoreStart      // a snapshot is about to be restored
	restoreDone       // it has been
	invokeStart       // the runtime gets an invocation
	invokeDone        // the runtime answered; status, duration
	invokeEnd         // the END line, which says nothing but its id
	invokeReport      // the platform's account of an invocation
	fault             // the function raised an error; errorType
	timedOut          // the invocation ran out of time
	processExit       // the runtime's process ended; code or signal in status
	reset             // the environment is thrown away and will be made anew; status says why
	traceLine         // the X-Ray id of what was reported last
	webDone           // one request of a web function
	spinDown          // an environment ends for want of requests
	dropped           // the platform lost log lines
)

// A happening is one of them. Times are Unix ns; -1 and "" stand for what is not told.
type happening struct {
	what       what
	at         int64 // 0: not told
	resolution int64
	stream     string // log stream, or what else names the environment; "": not told
	id         string // of the invocation

	how       string // initialisation type: on-demand, provisioned-concurrency, snap-start
	phase     string // of an init: init or invoke
	status    string // success, failure, error, timeout
	errorType string
	duration  int64 // ns
	init      int64
	restore   int64
	first     int64 // ns from the start of the invocation to the first byte of its answer
	memory    int64 // bytes
	used      int64
	code      int32 // HTTP status of a web function's answer
	trace     assay.TraceID
	rapid     bool // told by the runtime interface emulator's own log
}

func untold() happening {
	return happening{duration: -1, init: -1, restore: -1, first: -1, memory: -1, used: -1}
}

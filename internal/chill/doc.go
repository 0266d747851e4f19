// Package chill makes deployments cold on purpose, so that cold starts can be measured without waiting for idle time-outs.
//
// A [Chiller] belongs to one target. Chill takes away whatever could answer and returns once that was seen: the next request
// needs a new instance. [Sandbox] asks the embedded platform, [Kubernetes] scales a Deployment to zero or deletes pods,
// and [Lambda] touches a function's configuration.
//
// # What is changed is changed back
//
// Each chiller notes what it found before it changes anything, and its Undo puts it back: the number of replicas, the
// environment of the function. The caller defers Undo from before the first Chill, so that it is done however the run
// ends, interrupts included. For a run that was killed, [Kubernetes] leaves the number of replicas in an annotation
// on the Deployment, from which the next Check or Undo takes it, and the run's id in a label, by which [Sweep] finds it;
// what Lambda leaves is one variable more, which changes nothing the function sees unless it reads it, and which Undo
// removes too.
package chill

import "context"

// A Chiller makes one deployment cold. Its methods are called by one goroutine at a time.
type Chiller interface {
	// Check returns an error if the deployment cannot be made cold: it is not there, or we may not. It changes nothing.
	Check(ctx context.Context) error
	// Chill makes the deployment cold and returns once that was seen.
	Chill(ctx context.Context) error
	// Undo puts back what Chill changed, if anything. It may be called any number of times.
	Undo(ctx context.Context) error
	// String names what is made cold, for people.
	String() string
}

// Package meshtest is a cluster with Chaos Mesh for tests: an API server with pods and namespaces in memory, in front of one that holds the objects of
// Chaos Mesh, and a controller that goes through the states of the real one, in its order.
//
// The objects are held by a backend. Where none is given that is a small store of ours; the tests of the driver give a real API server. The controller
// injects nothing: it keeps account of what would be in force. Its switches are the known misbehaviours of the real one: it selects nothing and never looks
// again, it fails to inject, it fails to recover and keeps the finalizer, it takes its time, it sets the finalizer late.
//
// What it makes of a Workflow (nodes, which have deadlines), of a node (an experiment or a Schedule) and of a Schedule (experiments, when they are due) it
// makes under the real one's labels and names. What has lost its owner is deleted somewhat later, one level after another.
package meshtest

// Package mesh makes, reads and checks objects of Chaos Mesh, of the types of its own Go API.
//
// # Why it checks once more
//
// The API's own validation, which its webhook runs too, accepts what does harm: an empty selector hurts a whole namespace, an object without a
// duration stays for ever, loads beyond 100 % and losses of 150 % pass, and so does an action without its block. [Check] refuses all that, with
// the path of the field, before it asks the API's own functions for the rest.
//
// # Schedules
//
// A Schedule has no end that the cluster enforces, so it is applied as a Workflow of one template with a deadline ([Bounded]). That the deadline ends
// all of it was read in Chaos Mesh's controllers, in several versions of each file up to 2.x, and was not run on a real controller:
//
//   - The deadline reconciler marks a node as DeadlineExceed and marks the active children of a serial, parallel or task node with it.
//   - The chaos node reconciler makes one Schedule for a node of type Schedule, which the node owns, and deletes every Schedule of the node once that is
//     accomplished or its deadline exceeded. The cluster's garbage collector then deletes the experiments, which the Schedule owns, and their
//     finalizer has them recovered. The Workflow and its node stay until someone deletes the Workflow.
//   - The function that makes a node copies the Schedule of a template kind by kind, and leaves out AzureChaos and BlockChaos: these are refused. A
//     template carries no annotations either, so a Schedule that is paused by one is refused.
//   - The node bears labels of the Workflow and so does the Schedule, but an experiment bears only the Schedule's generated name. It begins with that of
//     the template, which is therefore named after the Workflow ([AdoptSchedules]), so that an undo finds it when the Schedule is gone.
//   - The first experiment comes when the Schedule's time first comes after its creation, not at once: a run waits for it ([Gap]).
//
// # What is not used
//
// The client of controller-runtime is not used, although the API's types bring its packages along: each of its calls is one REST request that
// package kube makes as well, it wants a mapper that needs a discovery the smallest API servers do not have, and the guardian and heal, which undo
// from plain data, must not need a scheme to delete one object.
package mesh

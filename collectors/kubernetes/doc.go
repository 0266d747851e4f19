// Package kubernetes turns the objects of a cluster into the lives of a model's instances: pods and what their conditions and container states tell, the
// events beside them, nodes, the workloads that make and remove pods, and what Knative and KServe say of the model.
//
// One [Decoder] reads them all, one object after another, whether they come from files ([Kinds]: what kubectl prints, dumps and watch streams) or from the
// API server of a cluster ([Watch]).
//
// # An instance is a pod
//
// Its id is the pod's name, and what counts of it is its serving container: the one that is named; else the one that the pod's annotation
// kubectl.kubernetes.io/default-container names; else kserve-container or user-container; else the first that is no known sidecar. A container that ends and
// is started again ends one life of the instance and begins another.
//
// # Phases of a start
//
//	schedule       from the pod's creation to PodScheduled; of a container that is started again, its back-off
//	image_pull     as the event Pulled tells: without a duration in its text from Pulling to Pulled, with the waiting for other pulls where it tells both
//	weights_fetch  init containers that load a model (KServe's storage-initializer), and the pull of a modelcar
//	runtime_start  from there to the container's start; other init containers too
//	readiness      from the container's start to Ready: what the engine does in it is for its log to tell, whose phases begin later and go before
//
// # Why an instance went
//
// The pod itself tells of evictions, preemptions and lost nodes (DisruptionTarget, status.reason), its container of a crash or of too much memory. A pod that was
// deleted by request goes for a reason that only its neighbours tell: a newer ReplicaSet or Revision is a rollout, a lowered number of replicas is scale_in,
// an owner that is gone is a shutdown. Else it was deleted by request of somebody, which is recycle. What a container's exit status is after the pod's
// deletion was asked for does not matter: a server that is told to stop may end with 1 or 143.
//
// # What is not told
//
// Conditions and container states are in whole seconds, cut and not rounded: what happened may lie up to a second after its stamp. A pod keeps only its last exit and its last change of readiness, so that one dump shows one exit of many
// (the rest is counted) and no loss of readiness that has passed; events are kept for an hour by default. Who wants all watches.
// The number of replicas that a workload wants has no instant in a dump: only changes that a watch sees or an event tells become records.
package kubernetes

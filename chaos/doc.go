// Package chaos hurts a deployment on purpose, proves that it hurt, and takes the
// hurt away again, whatever happens to the injector meanwhile.
//
// # The life of a fault
//
// A [Step] says what to do and when; the table [Kinds] knows how. A [Driver] lists the
// [Victim]s and turns a step and a victim into an [Action]. The [Runner], a
// source of events, then walks each action through one life cycle:
//
//	arm       the undo is on disk (fsync) and with the guardian process
//	apply     the fault is put in force
//	verify    its effect is measured; a fault that is not in effect is void
//	hold      for as long as the step says, or until the victim is gone
//	revert    the undo is done
//	clear     the undo is verified; else the fault remains, and the run says so
//
// Nothing is applied that is not armed. The instant of apply is taken just before the
// call that puts the fault in force and the instant of revert just after the
// call that ends it, so that no effect of a fault lies outside its window.
//
// # When faults strike
//
// A step strikes At into the load or a phase, or from when a condition is first seen there. A [Repeat] makes it strike again, at even distances or by
// chance; the instants that chance draws depend on the seed and the step's name alone, so that a preview can show them. Steps of a serial [Group]
// follow one another: the next is due when the one before is clear, and never if that may remain. What a step has taken for a victim no other
// takes, and what would pass the [Limits] is void at once: a strike that waited for room would be another schedule.
//
// # Steady state
//
// A [Hypothesis] is looked at before the first fault (for a while: it may come to hold), from when a fault was applied, and when the time to recover after
// it is over. No fault is injected where it did not hold before or was not known, and none any more once it did not come back. A target that nobody asks anything is as
// it was when last looked at. A look that another fault may have spoilt is made again when that fault's time is over too. A void fault says nothing of
// the steady state.
//
// # Undo is data
//
// An [Undo] is plain data that can be done by anyone, any number of times, in any
// state: a signal to a process known by pid and start time, its limit of a resource, bytes of its code, a setting of a GPU, an HTTP request to the process that
// holds the fault, the end of a process group or of whatever bears a mark that we made, the removal of a
// file, a control group, a mount or a table of the packet filter that bears one. Three parties can do it: the runner, the
// guardian when the runner has died ([GuardianMain], [StartGuardian]), and
// [Heal], from the journal on disk, when both have died or the machine was restarted.
//
// The guardian also owns the process groups that the run has started. When its pipe
// closes, it undoes what is armed, last first, and kills what is owned.
// What the guardian and Heal did stands in guardian.jsonl beside the run's own events ([ReadNotes]).
//
// A request that was sent may be carried out after whoever sent it died. An undo of what is made beyond this machine is armed with how long that may be,
// [Undo.Flight], until the answer was heard ([Heard]); who undoes it before that looks again until it has come, or can no longer.
//
// # Stopping
//
// A run is stopped by a signal, by a file, or by a request with a token. It is the guardian that looks for the file and listens for
// the request ([Guardian.Watch]): it undoes what is armed at once, tells the run, refuses what would be armed from then on, and keeps looking until the
// run has taken every undo back. A run that hangs, or is frozen, cannot keep a fault in force; what makes load for it is killed. A fault
// that lies in the run's own process, as the proxy on the wire does, hurts nobody while that is frozen and is undone when it goes on.
//
// Nobody has to ask for that: a fault of some length is armed with its term, [Undo.Longest], and what is still armed after it the guardian undoes though the
// run lives ([Timekeeper]). A run that was frozen learns of it when it wakes, and says when the fault ended.
//
// What is no fault and must be taken back all the same, such as a silence of alerts, goes the same way ([ArmedEvent]).
//
// # Who is never hurt
//
// The local driver refuses this process and its ancestors, process 1, leaders of a
// session, the platform's own process, and whatever the platform does not list as its
// instance. The one process that a plan names ([Server]) may lead a session, as services do, unless it is that of a terminal: a shell that was
// named by mistake. Another user's process may be hurt by root only. No file system of ours lies over a directory of the system, a home, the
// program, or the run itself. A pid is only ever used together with the start time of its process.
//
// # Where faults lie
//
// A fault lies on the process of an instance (signals, limits, a control group of ours), on the link in front of it, on the requests to it (a fault proxy takes them
// while the fault lasts), on the target as a whole (its starts, its names), or on the whole machine ([MachineID]: burners and files of ours, a
// file system over the directory of a model). What is counted by the kernel is the effect where there is such a count: periods of CPU time held back, hits of
// a limit, packets dropped. A limit that nobody hits is not in effect, and neither is a slow start where nothing starts. Of a target of which nothing is known
// only the wire can be hurt: see [Wire]. [Drivers] gives each step to its driver.
//
// # Faults of a platform
//
// Where there is no node to hurt, the platform is changed: objects in a cluster by [Kubernetes], the configuration of a function by [Lambda]. Four
// rules hold for both. A change is made only if what it changes is as it was planned, in one request with the mark that tells that it is ours. It is
// undone only where it still is as we left it; what somebody else changed meanwhile is left alone and reported. No value of a variable or a
// secret is kept: variables are hidden by another name, and secrets by a name that leads nowhere. And before a change that holds, something on the
// other side is seen to be ready that ends it if we cannot. In a cluster that is a Job ([Expiry]), without which no change is accepted that does not end
// by itself. At AWS it is a schedule, for concurrency and throttle, where the plan gives its role; without a role, and for access always, nothing at AWS
// ends the fault, and the preview says so.
//
// # In a cluster
//
// [Mesh] makes one object of Chaos Mesh for each pod that is hurt, by its name, with a duration that is longer than the plan's: we end it, and the cluster does
// if we cannot. What it says of an effect is what the controller says, and is told as that. A Schedule, which nothing would end, is applied as a
// Workflow with a deadline, and is in effect when an experiment of it was injected. The undo deletes the object, not before the controller has
// marked it, and is over when the object, all that it has made and all that this has made are gone. Objects of other runs are reported and left alone.
//
// # Adding to it
//
// A fault is one file with its plan function and one line in the table of kinds. A driver is an
// implementation of [Driver] and a table of what it does by kind of fault, named in driverTables. A kind of undo is one line in undoKinds; one that
// is done beyond this machine says so and gets seconds where others get milliseconds.
package chaos

// Package toolkit reads experiments of Chaos Toolkit, plays their activities and writes their journal, so that files and reports that exist go on
// being of use. It is written after the published documents of both forms; no code of Chaos Toolkit is in it.
//
// An [Experiment] is a steady-state hypothesis of probes, a method of actions and probes, and rollbacks. A [Player] plays them: HTTP requests and
// processes, the latter without a shell, each within its time-out. Three things differ from Chaos Toolkit, on purpose:
//
//   - Rollbacks are always played once the method has begun, whatever came of it, by whoever is left: see [Rollbacks].
//   - An action whose HTTP status is 400 or more, or whose process does not exit with 0, has failed, unless expected_status says otherwise.
//   - Python providers, dynamic configuration, vaults, and secrets that stand in the file are refused, with what to write instead. Controls are
//     Python too and are not played; [Experiment.Doubts] says so.
//
// What was played is kept in a directory, one line for each activity; [Journal] makes Chaos Toolkit's journal of it.
package toolkit

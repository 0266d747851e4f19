package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// healTimeout bounds the undo of one fault, and the look at its result; remoteTimeout that of one beyond this machine that names no longer.
const (
	healTimeout   = 2 * time.Second
	remoteTimeout = 30 * time.Second
)

// A HealReport says what Heal found and did, in lines for people.
type HealReport struct {
	Reverted  []string // was armed; the undo was done now, and verified
	Clear     []string // was armed; nothing was left to undo
	Killed    []string // process groups that the run had left behind
	Remaining []string // may still be in force; each with what a person can do
	Running   bool     // the run is alive: its faults were reverted, its processes left alone; with LeaveAlive, all of it was
}

// fault is what the journal says about one fault.
type journaled struct {
	undo   Undo
	boot   string
	target string
	kind   string
	forced bool   // its object was forced away: nobody recovered what it did
	away   string // why it cannot be healed here
	late   bool   // it is healed again if this time fails
	open   bool   // the run may be alive and put it in force yet: it is never noted as clear
}

// Heal reads the journal of a run, its events and the notes in dir, and undoes whatever was
// armed and is not known to be clear, last first; then it kills the process groups that the run has left
// behind. It may be called any number of times, while the run is alive, after the
// guardian has done its work, after both have died and after a restart of the machine. What it
// did is noted in dir. A fault that it could not verify to be away is in Remaining.
func Heal(ctx context.Context, dir string, events []assay.Event) (HealReport, error) {
	return HealWith(ctx, dir, events, HealOptions{})
}

// HealWith is Heal with what a person allows it beyond that.
func HealWith(ctx context.Context, dir string, events []assay.Event, opt HealOptions) (HealReport, error) {
	var rep HealReport
	notes, err := ReadNotes(dir, func(ns int64) int64 { return ns })
	if err != nil {
		return rep, err
	}
	owned, run, gone, far := leftGroups(notes)
	rep.Running = !gone && run.PID > 0
	if rep.Running && opt.LeaveAlive {
		return rep, nil
	}
	faults, unread := openFaults(events, notes)
	rep.Remaining = unread
	if far != "" && !opt.Ended {
		rep.Remaining = append(rep.Remaining, "processes of the run: "+far)
	}
	book := notebook{dir: dir, source: "heal"}
	var log []assay.Event
	add := func(e assay.Event) {
		e.Time = time.Now().UnixNano()
		log = append(log, e)
	}
	var doubtful []journaled // looked at again once the groups are gone, which may hold them
	for _, f := range slices.Backward(faults) {
		f.late = !rep.Running && len(owned) > 0 && !f.undo.remote()
		f.open = !gone && (rep.Running || !opt.Ended)
		if !f.heal(ctx, &rep, opt, add) {
			f.late = false
			doubtful = append(doubtful, f)
		}
	}
	for _, p := range slices.Backward(owned) {
		if !rep.Running {
			killLeft(ctx, p, run, &rep, add)
		}
	}
	for _, f := range doubtful {
		f.heal(ctx, &rep, opt, add)
	}
	return rep, book.write(log...)
}

// openFaults returns the faults that were armed and are not known to be clear, in the order of arming, and of those whose undo cannot be read why.
func openFaults(events, notes []assay.Event) (open []journaled, unread []string) {
	clear := map[string]bool{}
	for _, list := range [][]assay.Event{events, notes} {
		for i := range list {
			if list[i].Kind == assay.EventFaultClear || list[i].Kind == assay.EventUndoClear {
				clear[list[i].Fault] = true
			}
		}
	}
	heard, forced := map[string]bool{}, map[string]bool{}
	for i := range events {
		if events[i].Attrs[attrHeard] != "" {
			heard[events[i].Fault] = true
		}
	}
	for i := range notes {
		if notes[i].Attrs[attrForced] != "" {
			forced[notes[i].Fault] = true
		}
	}
	for i := range events {
		e := &events[i]
		if e.Kind != assay.EventFaultArmed && e.Kind != assay.EventUndoArmed || clear[e.Fault] {
			continue
		}
		f := journaled{boot: e.Attrs[attrBoot], target: e.Attrs[attrTarget], kind: e.Attrs[attrKind]}
		if err := json.Unmarshal([]byte(e.Attrs[attrUndo]), &f.undo); err != nil {
			unread = append(unread, fmt.Sprintf("%s: %s of %s: its undo cannot be read: %v", e.Fault, f.kind, f.target, err))
			continue
		}
		if !f.undo.remote() && f.undo.Kind != UndoNone {
			f.away = elsewhere(e)
		}
		f.undo.ID, f.forced = e.Fault, forced[e.Fault]
		if heard[e.Fault] {
			f.undo.Flight = 0
		}
		open = append(open, f)
	}
	return open, unread
}

// Left returns what the events of a run, with the notes of its guardian, say was armed and do not know to be away, in lines for people.
func Left(events []assay.Event) []string {
	open, lines := openFaults(events, nil)
	for i := range open {
		lines = append(lines, fmt.Sprintf("%s: by hand: %s", open[i].name(), &open[i].undo))
	}
	return lines
}

// name says in words what the fault is.
func (f *journaled) name() string { return fmt.Sprintf("%s: %s of %s", f.undo.ID, f.kind, f.target) }

// leftGroups returns the groups that the guardian owned and did not see gone, the run's own process, and whether that is seen to be gone; of one
// that lives, or lived, on another machine or in another container nothing is known.
func leftGroups(notes []assay.Event) (owned []Process, run Process, gone bool, far string) {
	for i := range notes {
		e := &notes[i]
		if why := elsewhere(e); why != "" {
			if e.Attrs[attrOwn] != "" {
				far = why
			}
			continue
		}
		if e.Attrs[attrBoot] != bootID() {
			gone = gone || e.Attrs[attrRun] != "" // ended with that boot
			continue
		}
		if p, ok := attrProcess(e, attrRun); ok {
			run = p
		}
		if p, ok := attrProcess(e, attrOwn); ok {
			owned = append(owned, p)
		}
		if p, ok := attrProcess(e, attrRelease); ok {
			owned = slices.DeleteFunc(owned, func(o Process) bool { return o == p })
		}
	}
	if run.PID > 0 {
		gone = run.Gone()
	}
	return owned, run, gone, far
}

// heal undoes the fault, and reports whether it is done with it.
func (f *journaled) heal(ctx context.Context, rep *HealReport, opt HealOptions, add func(assay.Event)) (over bool) {
	id := f.undo.ID
	name := f.name()
	settled := func(why string) {
		rep.Clear = append(rep.Clear, name+": "+why)
		if !f.open {
			add(assay.Event{Kind: assay.EventFaultClear, Fault: id, Text: why})
		}
	}
	switch {
	case f.away != "":
		rep.Remaining = append(rep.Remaining, name+": "+f.away)
		return true
	case f.undo.Kind == UndoNone:
		settled("nothing to undo")
		return true
	case !undoKinds[f.undo.Kind].remote && !undoKinds[f.undo.Kind].outlives && f.boot != "" && bootID() != "" && f.boot != bootID():
		settled("ended with the restart of the machine")
		return true
	}
	limit := healTimeout
	if f.undo.remote() {
		limit = f.undo.within(remoteTimeout)
	}
	quick, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if f.forced {
		if err := f.undo.podAway(quick); err != nil {
			rep.Remaining = append(rep.Remaining, fmt.Sprintf("%s: its object was forced away and nobody recovered what it did; it is over when its pod is: %v", name, err))
		} else {
			settled("the pod that it lay on is gone")
		}
		return true
	}
	seen, err := "no longer in force", error(nil)
	if flight := f.undo.Flight; flight > 0 && f.undo.check() == nil {
		if f.undo.away(quick) == nil && opt.Say != nil {
			opt.Say(fmt.Sprintf("%s: nothing of it is there, but the answer to what makes it was not heard: looking again for %v", name, flight))
		}
		if err = f.undo.landed(quick); err == nil {
			f.undo.Flight, seen = 0, fmt.Sprintf("nothing of it came within %v", flight)
		}
	}
	if f.undo.check() == nil && !f.undo.blind() && err == nil && f.undo.away(quick) == nil {
		settled(seen)
		return true
	}
	do := func() error { return f.undo.Do(quick) }
	switch {
	case err != nil: // nobody waited long enough
	case f.undo.remote():
		err = do()
	default:
		err = until(quick, 50*time.Millisecond, do) // what holds the fault may be about to end
	}
	if err == nil {
		add(assay.Event{Kind: assay.EventFaultReverted, Fault: id})
		err = f.undo.Verify(quick)
	}
	if err == nil {
		rep.Reverted = append(rep.Reverted, name)
		if !f.open {
			add(assay.Event{Kind: assay.EventFaultClear, Fault: id})
		}
		return true
	}
	if f.late {
		return false
	}
	if opt.ForceFinalizers && f.undo.forceable() {
		if forcing := f.undo.force(ctx); forcing == nil {
			text := fmt.Sprintf("NOT RECOVERED: its object was forced away, and nobody recovered what it did (%v)", err)
			rep.Remaining = append(rep.Remaining, name+": "+text+"; it is over when its pod is deleted")
			add(assay.Event{Kind: assay.EventFaultRemaining, Fault: id, Text: text, Attrs: map[string]string{attrForced: "true"}})
			return true
		} else {
			err = fmt.Errorf("%w; forcing its finalizer away: %w", err, forcing)
		}
	}
	rep.Remaining = append(rep.Remaining, fmt.Sprintf("%s: %v; by hand: %s", name, err, &f.undo))
	add(assay.Event{Kind: assay.EventFaultRemaining, Fault: id, Text: err.Error()})
	return true
}

func killLeft(ctx context.Context, p, run Process, rep *HealReport, add func(assay.Event)) {
	u := Undo{ID: fmt.Sprint("process group ", p.PID), Kind: UndoGroup, Process: &p}
	was, err := p.members()
	if err == nil && len(was) > 0 {
		quick, cancel := context.WithTimeout(ctx, healTimeout)
		defer cancel()
		if err = u.Do(quick); err == nil {
			err = u.Verify(quick)
		}
	}
	if err != nil {
		rep.Remaining = append(rep.Remaining, fmt.Sprintf("%s: %v; by hand: %s", u.ID, err, &u))
		add(assay.Event{Kind: assay.EventWarning, Text: err.Error()})
		return
	}
	e := ownership(attrRelease, p, run)
	e.Text = u.ID + " is gone"
	if len(was) > 0 {
		rep.Killed = append(rep.Killed, fmt.Sprintf("%s: %d processes", u.ID, len(was)))
		e.Text = fmt.Sprintf("%s: killed %d processes", u.ID, len(was))
	}
	add(e)
}

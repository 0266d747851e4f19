package logs

import (
	"math"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

// maxBegun bounds the phases that have begun and not ended.
const maxBegun = 1000

// A process is one whose lines a log holds: a life, and those after it.
type process struct {
	of   *decoder
	name string

	n      int      // lives begun
	runner string   // Ollama: the port of the runner that was started last
	older  []runner // Ollama: those before it of which no line told an end
	counts bool     // Ollama: its log has said how many runners run since the latest start
	alive  bool
	ready  bool
	cause  string
	begun  map[string]stamp // phases under way
	last   int64            // Unix ns of the latest line that shows that it lives
}

// A runner is one of Ollama's.
type runner struct {
	port string
	last int64 // Unix ns of the latest line that shows that it lives
}

// maxRunners bounds the runners of one server that may live at once.
const maxRunners = 1000

// id is the name of the life that goes on.
func (p *process) id() string {
	if p.runner != "" {
		return p.name + ":" + p.runner
	}
	return p.name
}

func (p *process) event(kind string, at stamp, text string, pairs ...string) error {
	e := &assay.Event{Time: at.at, Resolution: at.resolution, Kind: kind, Source: "log", Instance: p.id(), Text: text}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if e.Attrs == nil {
			e.Attrs = map[string]string{}
		}
		e.Attrs[pairs[i]] = pairs[i+1]
	}
	return p.of.emit(e)
}

// take goes on by what one line means.
func (p *process) take(w *pattern, groups []string, at stamp) error {
	switch w.Is {
	case "started":
		p.alive = false // what ended it, nobody said
		p.begun = nil
		return p.start(at, true)
	case "server":
		return p.start(at, false)
	case "alive":
		return p.start(at, true)
	case "runner":
		return p.run(groups[1], at)
	case "runners":
		return p.count(groups[1], at)
	case "begin":
		key := w.Phase
		if w.Keyed {
			key += " " + groups[1]
		}
		if p.begun == nil {
			p.begun = map[string]stamp{}
		}
		if _, ok := p.begun[key]; !ok && len(p.begun) < maxBegun {
			p.begun[key] = at
		}
		return p.start(at, false)
	case "phase", "end":
		return p.phase(w, groups, at)
	case "ready":
		return p.nowReady(w, groups, at)
	case "unready":
		return p.event(assay.EventInstanceUnready, at, w.Reason)
	case "draining":
		if !p.alive {
			return nil
		}
		return p.event(assay.EventInstanceDraining, at, "", "reason", w.Reason)
	case "exited":
		return p.exit(at, w.Reason, w.Signal)
	case "cause":
		p.cause = w.Reason
	}
	return nil
}

// start begins a life, unless one goes on. told says that the line is the first of a process.
func (p *process) start(at stamp, told bool) error {
	if p.alive {
		return nil
	}
	p.alive, p.ready, p.cause = true, false, ""
	if p.runner == "" {
		p.n++
	}
	if !told {
		return nil
	}
	return p.event(assay.EventInstanceStarted, at, "")
}

// run begins the life of a runner of Ollama, which the server decided to start. Ollama logs no line when it unloads a model: the runner before is gone
// by now at the latest, unless the log counts them, which it does soon after.
func (p *process) run(port string, at stamp) error {
	if p.alive && p.runner != "" {
		p.older = append(p.older, runner{p.runner, p.last})
		keep := len(p.older)
		if !p.counts {
			keep = 0
		}
		if err := p.unload(min(keep, maxRunners), at); err != nil {
			return err
		}
	}
	p.runner, p.alive, p.ready, p.cause, p.begun, p.counts, p.last = port, true, false, "", nil, false, at.at
	return p.event(assay.EventInstanceCreated, at, "")
}

// count takes up how many runners run.
func (p *process) count(text string, at stamp) error {
	n, err := strconv.Atoi(text)
	if err != nil || p.runner == "" {
		return nil
	}
	p.counts = true
	if p.alive {
		n--
	}
	return p.unload(max(n, 0), at)
}

// unload ends the oldest runners but those that are kept. When each ended, nobody wrote: some time since it was last heard of.
func (p *process) unload(keep int, at stamp) error {
	latest := p.runner
	defer func() { p.runner = latest }()
	for len(p.older) > keep {
		was := p.older[0]
		p.older = p.older[1:]
		p.runner = was.port
		p.of.tally.Note("%d runners were gone without a line that says so, since Ollama logs none when it unloads a model: each counts as unloaded while idle, at the next start at the latest", 1)
		if err := p.event(assay.EventInstanceExited, stamp{at.at, max(at.resolution, at.at-was.last)}, "unloaded", "reason", "scale_in"); err != nil {
			return err
		}
	}
	return nil
}

// phase tells a phase that ended, by how long it took or by where it began.
func (p *process) phase(w *pattern, groups []string, at stamp) error {
	if err := p.start(at, false); err != nil {
		return err
	}
	key := w.Phase
	if w.Keyed {
		key += " " + groups[1]
	}
	from, begun := p.begun[key]
	if begun {
		delete(p.begun, key)
	}
	resolution := max(at.resolution, from.resolution, w.step)
	begin := from.at
	if took, ok := seconds(groups); ok && !w.Keyed {
		begin, begun = at.at-took, true
	}
	if !begun || begin > at.at {
		return nil
	}
	return p.event(assay.EventInstancePhase, stamp{at.at, resolution}, "", "phase", w.Phase, "start_ns", strconv.FormatInt(begin, 10), "end_ns", strconv.FormatInt(at.at, 10), "source", w.engine+" log")
}

// nowReady tells that a life serves, once.
func (p *process) nowReady(w *pattern, groups []string, at stamp) error {
	if w.Phase != "" {
		if err := p.phase(w, groups, at); err != nil {
			return err
		}
	}
	if err := p.start(at, false); err != nil {
		return err
	}
	if p.ready {
		return nil
	}
	p.ready, p.last = true, at.at
	return p.event(assay.EventInstanceReady, stamp{at.at, max(at.resolution, w.step)}, "")
}

// exit ends a life, once.
func (p *process) exit(at stamp, reason, signal string) error {
	if !p.alive && p.n+len(p.runner) > 0 {
		return nil
	}
	if p.n == 0 {
		p.n = 1
	}
	if reason == "crash" && p.cause != "" {
		reason = p.cause
	}
	p.alive, p.begun = false, nil
	return p.event(assay.EventInstanceExited, at, "", "reason", reason, "signal", signal)
}

// seconds reads the first group that matched as a time.
func seconds(groups []string) (int64, bool) {
	for _, g := range groups[1:] {
		if g == "" {
			continue
		}
		v, err := strconv.ParseFloat(g, 64)
		if err != nil || !(v >= 0 && v < 1e7) {
			return 0, false
		}
		return int64(math.Round(v * float64(time.Second))), true
	}
	return 0, false
}

package tables

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// A meaning is the event that a value stands for.
type meaning struct{ kind, reason string }

// known are the kinds of events that a table may tell of.
var known = []string{assay.EventInstanceCreated, assay.EventInstanceStarted, assay.EventInstanceReady, assay.EventInstanceUnready, assay.EventInstanceEjected,
	assay.EventInstanceDraining, assay.EventInstanceExited, assay.EventAnnotation}

// happened reads a table of events.
type happened struct {
	in         *input.Input
	emit       func(assay.Record) error
	time, end  stamp
	lasts      bool // end is a duration
	event      string
	meanings   map[string]meaning // nil: the values are names of events themselves
	phase      string
	instance   string
	text       string
	resolution int64
}

func readEvents(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	h := &happened{in: in, emit: emit, event: in.Option("event"), phase: in.Option("phase"), instance: in.Option("instance"), text: in.Option("text")}
	begin, end, duration := in.Option("begin"), in.Option("end"), in.Option("duration")
	switch {
	case h.phase != "" && (begin == "" || end == "" == (duration == "")):
		return fmt.Errorf("%s: a phase has a beginning and an end: want begin=COLUMN, and end=COLUMN or duration=COLUMN", in.Path)
	case h.phase != "" && h.instance == "":
		return fmt.Errorf("%s: a phase is one of an instance's start: want instance=COLUMN", in.Path)
	case h.phase != "":
		h.time, h.end, h.lasts = stampOf(begin), stampOf(end+duration), duration != ""
	case in.Option("time") == "" || h.event == "":
		return fmt.Errorf("%s: want the options time and event, for example --happened FILE,time=at,event=status,map=Running:instance.ready,instance=pod", in.Path)
	default:
		h.time = stampOf(in.Option("time"))
	}
	if text := in.Option("resolution"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%s: resolution %q: want a duration above zero such as 1s", in.Path, text)
		}
		h.resolution = int64(d)
	}
	for _, pair := range split(in.Option("map")) {
		value, event, ok := strings.Cut(pair, ":")
		kind, reason, _ := strings.Cut(event, "/")
		if !ok || !isKnown(kind) {
			return fmt.Errorf("%s: map %q: want value:event, where event is one of %s", in.Path, pair, strings.Join(known, ", "))
		}
		if h.meanings == nil {
			h.meanings = map[string]meaning{}
		}
		h.meanings[strings.ToLower(value)] = meaning{kind, reason}
	}
	rows, err := input.OpenRows(in.File)
	if err != nil {
		return err
	}
	return each(ctx, in, rows, h.row, func() int64 { return 1 })
}

func isKnown(kind string) bool {
	for _, k := range known {
		if k == kind {
			return true
		}
	}
	return false
}

func (h *happened) row(rows input.Rows, line int) error {
	at, err := h.time.at(h.in, rows, line, "time")
	if err != nil {
		return err
	}
	e := assay.Event{Time: at, Source: "table", Resolution: h.resolution}
	if h.instance != "" {
		if e.Instance, err = input.Need(rows, h.in.File, line, h.instance, "instance"); err != nil {
			return err
		}
	}
	if h.text != "" {
		if e.Text, err = input.Need(rows, h.in.File, line, h.text, "text"); err != nil {
			return err
		}
		e.Text = e.Text[:min(len(e.Text), maxText)]
	}
	if h.phase != "" {
		return h.stretch(&e, rows, line)
	}
	text, err := input.Need(rows, h.in.File, line, h.event, "event")
	if err != nil {
		return err
	}
	m, ok := h.meanings[strings.ToLower(text)]
	if h.meanings == nil {
		m, ok = meaning{kind: text}, isKnown(text)
	}
	if !ok {
		h.in.Tally.Reject("what happened has no meaning in map", 1)
		return nil
	}
	if e.Instance == "" && m.kind != assay.EventAnnotation {
		h.in.Tally.Reject("no instance", 1)
		return nil
	}
	if e.Kind = m.kind; m.reason != "" {
		e.Attrs = map[string]string{"reason": m.reason}
	}
	h.in.Tally.Keep(1)
	return h.emit(&e)
}

// stretch emits a phase of a start.
func (h *happened) stretch(e *assay.Event, rows input.Rows, line int) error {
	if e.Instance == "" {
		h.in.Tally.Reject("no instance", 1)
		return nil
	}
	begin, end := e.Time, int64(0)
	if text, _ := rows.Get(h.end.column); text == "" {
		h.in.Tally.Reject("no end", 1)
		return nil
	} else if h.lasts {
		d, ok := input.Number(text, h.end.unit)
		if !ok || d < 0 || d > int64(30*24*time.Hour) {
			return h.in.BadRow(line, h.end.column, text, "a length of less than 30 days that is not negative")
		}
		end = begin + d
	} else {
		var err error
		if end, err = h.end.at(h.in, rows, line, "end"); err != nil {
			return err
		}
	}
	if end < begin {
		return h.in.BadRow(line, h.end.column, strconv.FormatInt(end, 10), "an instant after the beginning")
	}
	e.Kind, e.Time = assay.EventInstancePhase, end
	e.Attrs = map[string]string{"phase": h.phase, "start_ns": strconv.FormatInt(begin, 10), "end_ns": strconv.FormatInt(end, 10), "source": "table"}
	h.in.Tally.Keep(1)
	return h.emit(e)
}

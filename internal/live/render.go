package live

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/assay-dev/assay"
)

// seconds formats a latency to three digits.
func seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return "-"
	case s < 0.0995:
		return strconv.FormatFloat(s*1e3, 'f', 1, 64) + " ms"
	case s < 0.9995:
		return strconv.FormatFloat(s*1e3, 'f', 0, 64) + " ms"
	case s < 9.995:
		return strconv.FormatFloat(s, 'f', 2, 64) + " s"
	}
	return strconv.FormatFloat(s, 'f', 1, 64) + " s"
}

func percent(r float64) string {
	if math.IsNaN(r) {
		return "-"
	}
	return strconv.FormatFloat(r*100, 'f', 1, 64) + " %"
}

// span formats a length of time as people read a stopwatch: 0:07, 1:54, 2:03:00.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func (s *State) elapsed() string {
	if s.Total <= 0 {
		return span(time.Duration(s.Now))
	}
	return span(time.Duration(s.Now)) + "/" + span(s.Total)
}

func (s *State) phaseName() string {
	switch {
	case s.Phase != "":
		return s.Phase
	case s.Ended:
		return "drain"
	}
	return "settle"
}

func (s *State) instanceCount() string {
	switch {
	case s.Desired >= 0:
		return fmt.Sprintf("%d/%d", s.Ready, s.Desired)
	case s.Ready+s.Starting > 0:
		return fmt.Sprintf("%d", s.Ready)
	}
	return "-"
}

func (s *State) faultNames() string {
	if len(s.Faults) == 0 {
		return "none"
	}
	var parts []string
	for _, f := range s.Faults {
		text := f.Kind
		if text == "" {
			text = f.ID
		}
		if f.Target != "" {
			text += " " + f.Target
		}
		if f.State == FaultRecovering {
			text += " (recovering)"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (s *State) inFlight() string {
	if s.InFlight < 0 {
		return "-"
	}
	return strconv.Itoa(s.InFlight)
}

// heartbeat is one plain line that says all by itself.
func heartbeat(s *State) string {
	line := fmt.Sprintf("%s phase=%s rate=%.1f/s in_flight=%s errors=%s ttft_p95=%s instances=%s fault=%s requests=%d failed=%d",
		s.elapsed(), quoted(s.phaseName()), s.Rate, s.inFlight(), tight(percent(s.ErrorRatio)), tight(seconds(s.TTFT)), s.instanceCount(), quoted(s.faultNames()), s.Requests, s.Failed)
	if s.Refused > 0 {
		line += fmt.Sprintf(" refused_by_cap=%d", s.Refused)
	}
	if s.Warnings > 0 {
		line += fmt.Sprintf(" warnings=%d", s.Warnings)
	}
	return line
}

func tight(s string) string { return strings.ReplaceAll(s, " ", "") }

func quoted(s string) string {
	if strings.ContainsAny(s, " =\"") {
		return strconv.Quote(s)
	}
	return clean(s)
}

// clean replaces what would break a line or steer a terminal: names come from outside.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// The colours of the terminal, used sparingly: red for what hurts, yellow for what is being done to the target.
const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

// status is the line that is redrawn on a terminal. What does not fit is left out from the right, whole columns at a time.
func status(s *State, width int, colour bool) string {
	type column struct{ text, style string }
	cols := []column{
		{clean(s.phaseName()), bold},
		{s.elapsed(), ""},
		{fmt.Sprintf("%.1f/s", s.Rate), ""},
		{"in flight " + s.inFlight(), ""},
		{"errors " + percent(s.ErrorRatio), ""},
		{"TTFT p95 " + seconds(s.TTFT), ""},
		{"instances " + s.instanceCount(), ""},
	}
	if s.ErrorRatio > 0 {
		cols[4].style = red
	}
	if len(s.Faults) > 0 {
		// A fault in force is the last thing to leave out: it moves next to the time.
		cols = append(cols[:2], append([]column{{"fault " + clean(s.faultNames()), yellow}}, cols[2:]...)...)
	}
	var b strings.Builder
	used := 0
	for i, c := range cols {
		n := utf8.RuneCountInString(c.text)
		if i > 0 {
			n += 3
		}
		if width > 0 && used+n >= width {
			if i == 0 {
				return string([]rune(c.text)[:max(width-1, 0)])
			}
			break
		}
		used += n
		if i > 0 {
			b.WriteString(" │ ")
		}
		if colour && c.style != "" {
			b.WriteString(c.style + c.text + plain)
		} else {
			b.WriteString(c.text)
		}
	}
	return b.String()
}

// describe says in words what an event is.
func describe(e *assay.Event) string {
	who := e.Instance
	switch e.Kind {
	case assay.EventPhaseBegin:
		text := "phase " + e.Phase
		if r := e.Attrs["role"]; r != "" {
			text += " (" + r + ")"
		}
		if r := e.Attrs["rate"]; r != "" && r != "0" {
			text += " at " + r + "/s"
		}
		return text
	case assay.EventLoadEnd:
		return "load ended, waiting for open requests"
	case assay.EventFaultApplied:
		return "fault " + e.Fault + " on" + detail(e)
	case assay.EventFaultVoid:
		return "fault " + e.Fault + " void" + detail(e)
	case assay.EventFaultReverted:
		return "fault " + e.Fault + " off" + detail(e)
	case assay.EventFaultClear:
		return "fault " + e.Fault + " verified clear" + detail(e)
	case assay.EventFaultRemaining:
		return "fault " + e.Fault + " MAY REMAIN" + detail(e)
	case assay.EventInstanceReady:
		return "instance " + who + " ready"
	case assay.EventInstanceUnready:
		return "instance " + who + " not ready" + detail(e)
	case assay.EventInstanceEjected:
		return "instance " + who + " ejected" + detail(e)
	case assay.EventInstanceExited:
		return "instance " + who + " exited" + detail(e)
	case assay.EventHypothesis:
		return look(e)
	case assay.EventWarning:
		return "warning" + detail(e)
	case assay.EventAnnotation:
		if e.Attrs["by"] != "" {
			return "note: " + e.Text
		}
	case assay.EventStop:
		return "stopping" + detail(e)
	}
	return e.Kind + detail(e)
}

// look says what a look at a hypothesis saw.
func look(e *assay.Event) string {
	when := "steady state " + e.Attrs["stage"]
	if e.Fault != "" {
		when += " fault " + e.Fault
	} else {
		when += " the first fault"
	}
	saw := map[string]string{"true": "holds", "false": "DOES NOT HOLD", "unknown": "not known"}[e.Attrs["ok"]]
	return when + ": " + e.Attrs["name"] + " " + saw + detail(e)
}

func detail(e *assay.Event) string {
	var parts []string
	for _, k := range [...]string{"kind", "target", "reason", "effect"} {
		if v := e.Attrs[k]; v != "" && !strings.Contains(e.Text, v) {
			parts = append(parts, v)
		}
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, " ")
}

// eventLine is one plain line for an event.
func eventLine(e *assay.Event) string {
	return span(time.Duration(e.Time)) + " " + clean(describe(e))
}

// jsonLine is a heartbeat or, with e, an event as one JSON line.
func jsonLine(s *State, e *assay.Event) ([]byte, error) {
	if e != nil {
		return json.Marshal(struct {
			Type string `json:"type"`
			Text string `json:"message"`
			*assay.Event
		}{"event", describe(e), e})
	}
	var inFlight, desired *int
	if s.InFlight >= 0 {
		inFlight = &s.InFlight
	}
	if s.Desired >= 0 {
		desired = &s.Desired
	}
	faults := s.Faults
	if faults == nil {
		faults = []Fault{}
	}
	return json.Marshal(struct {
		Type       string    `json:"type"`
		Time       int64     `json:"time_ns"`
		Total      int64     `json:"total_ns,omitempty"`
		Phase      string    `json:"phase"`
		Role       string    `json:"role,omitempty"`
		Rate       assay.Num `json:"rate_per_s"`
		Offered    assay.Num `json:"offered_per_s"`
		InFlight   *int      `json:"in_flight"`
		Requests   int64     `json:"requests"`
		Failed     int64     `json:"failed"`
		Refused    int64     `json:"refused_by_cap"`
		ErrorRatio assay.Num `json:"error_ratio"`
		TTFT       assay.Num `json:"ttft_p95_s"`
		Over       int64     `json:"over_ns"`
		Ready      int       `json:"instances_ready"`
		Starting   int       `json:"instances_starting"`
		Desired    *int      `json:"instances_desired"`
		Faults     []Fault   `json:"faults"`
		Warnings   int64     `json:"warnings"`
	}{"heartbeat", s.Now, int64(s.Total), s.phaseName(), s.Role, assay.Num(s.Rate), assay.Num(s.Offered), inFlight, s.Requests, s.Failed, s.Refused,
		assay.Num(s.ErrorRatio), assay.Num(s.TTFT), int64(s.Over), s.Ready, s.Starting, desired, faults, s.Warnings})
}

package cloud

import (
	"bytes"
	"encoding/hex"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Forms of lines that only a part of the text tells.
var (
	taskTimedOut  = regexp.MustCompile(`([0-9a-fA-F-]{36})?\s*Task timed out after ([0-9.]+) seconds`)
	runtimeExited = regexp.MustCompile(`^RequestId: (\S+) (?:Error: Runtime exited|Process exited before completing request|Error: Couldn't find valid bootstrap)`)
	exitStatus    = regexp.MustCompile(`(exit status \d+|signal: [a-z ]+)`)
	pythonRaised  = regexp.MustCompile(`^\[ERROR\] ([A-Za-z_][A-Za-z0-9_.]{0,100})(?::|\r|$)`)
	nodeRaised    = regexp.MustCompile(`\tERROR\t(?:Invoke Error|Uncaught Exception|Unhandled Promise Rejection)\s`)
	errorTypeOf   = regexp.MustCompile(`"errorType"\s*:\s*"([A-Za-z_][A-Za-z0-9_.]{0,100})"`)
)

// parseText reads a line of a function's log in text form. What says nothing is nothing.
func parseText(text []byte, h *happening) {
	s := string(text)
	switch first, rest, _ := strings.Cut(s, " "); first {
	case "START":
		if id, ok := idOf(rest); ok {
			h.what, h.id = invokeStart, id
		}
		return
	case "END":
		if id, ok := idOf(rest); ok {
			h.what, h.id = invokeEnd, id
		}
		return
	case "REPORT":
		if parseFields(rest, h) && h.id != "" {
			h.what = invokeReport
		}
		return
	case "INIT_START":
		h.what = initStart
		return
	case "INIT_REPORT":
		if parseFields(rest, h) && h.init >= 0 {
			h.what, h.duration = initDone, h.init
		}
		return
	case "RESTORE_START":
		h.what = restoreStart
		return
	case "RESTORE_REPORT":
		if parseFields(rest, h) && h.restore >= 0 {
			h.what, h.duration = restoreDone, h.restore
		}
		return
	case "RESTORE_RUNTIME_DONE":
		return
	case "XRAY":
		if parseFields(s, h) && !h.trace.IsZero() {
			h.what = traceLine
		}
		return
	}
	if strings.Contains(s, "(rapid)") {
		parseRapid(s, h)
		return
	}
	parseTrouble(text, s, h)
}

// parseTrouble reads the lines by which a runtime tells that an invocation went wrong. Only its error's type is kept.
func parseTrouble(text []byte, s string, h *happening) {
	switch {
	case strings.Contains(s, "Task timed out after "):
		if m := taskTimedOut.FindStringSubmatch(s); m != nil {
			h.what, h.id = timedOut, m[1]
			if d, err := strconv.ParseFloat(m[2], 64); err == nil {
				h.duration = spell(d, 1e9)
			}
		}
	case strings.HasPrefix(s, "RequestId: "):
		if m := runtimeExited.FindStringSubmatch(s); m != nil {
			h.what, h.id, h.status = processExit, m[1], exitStatus.FindString(s)
		}
	case strings.HasPrefix(s, "[ERROR] "):
		if m := pythonRaised.FindStringSubmatch(s); m != nil {
			h.what, h.errorType = fault, m[1]
		}
	case bytes.Contains(text, []byte(`"errorType"`)) && (nodeRaised.MatchString(s) || bytes.Contains(text, []byte(`"errorMessage"`))):
		if m := errorTypeOf.FindStringSubmatch(s); m != nil {
			h.what, h.errorType = fault, m[1]
		}
	}
}

func idOf(rest string) (string, bool) {
	rest, ok := strings.CutPrefix(rest, "RequestId: ")
	if !ok {
		return "", false
	}
	id, _, _ := strings.Cut(rest, " ")
	id = strings.TrimSpace(id)
	return id, id != "" && len(id) <= 100
}

// parseFields reads "Key: value" pairs with tabs or ends of lines between them, in any order. It is false where a number is none.
func parseFields(text string, h *happening) bool {
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\t' || c == '\n' || c == '\r' }) {
		key, value, ok := strings.Cut(strings.TrimSpace(part), ": ")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		var to *int64
		switch key {
		case "RequestId":
			h.id, _, _ = strings.Cut(value, " ")
			if len(h.id) > 100 {
				return false
			}
		case "Duration":
			to = &h.duration
		case "Init Duration":
			to = &h.init
		case "Restore Duration":
			to = &h.restore
		case "Memory Size":
			to = &h.memory
		case "Max Memory Used":
			to = &h.used
		case "Phase":
			h.phase = short(value)
		case "Status":
			h.status = strings.ToLower(short(value))
		case "Error Type":
			h.errorType = short(value)
		case "XRAY TraceId":
			h.trace = xrayID(value)
		}
		if to == nil {
			continue
		}
		if *to, ok = quantity(value); !ok {
			return false
		}
	}
	return true
}

// quantity reads "12.5 ms" as ns and "128 MB" as bytes.
func quantity(text string) (int64, bool) {
	num, unit, _ := strings.Cut(text, " ")
	v, err := strconv.ParseFloat(num, 64)
	if err != nil || !(v >= 0) {
		return 0, false
	}
	switch unit {
	case "ms":
		v *= 1e6
	case "s":
		v *= 1e9
	case "MB":
		v *= 1 << 20
	default:
		return 0, false
	}
	if v > 1<<60 {
		return 0, false
	}
	return int64(math.Round(v)), true
}

// spell turns v units into ns, -1 where it is no time.
func spell(v, unit float64) int64 {
	if v *= unit; !(v >= 0) || v > 1<<60 {
		return -1
	}
	return int64(math.Round(v))
}

// xrayID reads 1-5759e988-bd862e3fe1be46a994272793, or Root=1-…;Parent=…, as the W3C trace id of the same number; zero where it is none.
func xrayID(text string) (id assay.TraceID) {
	if i := strings.Index(text, "Root="); i >= 0 {
		text, _, _ = strings.Cut(text[i+5:], ";")
	}
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(text), "1-"), "-", ""))
	if err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// short bounds a word.
func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "") }

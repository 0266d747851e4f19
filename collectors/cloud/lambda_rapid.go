package cloud

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The runtime interface emulator tells on stderr what it does, with times; what it prints on stdout is what Lambda prints, and has none. Its
// START has another id than the rest of the invocation, and no REPORT follows a runtime that died.
var (
	rapidID     = regexp.MustCompile(`(?:requestId: |InvokeID=)([0-9a-fA-F-]{8,64})`)
	rapidMillis = regexp.MustCompile(`(?:durationMs: |duration: )([0-9.]+)`)
	rapidStatus = regexp.MustCompile(`status: ([a-z]+)`)
	rapidWord   = regexp.MustCompile(`: ([A-Za-z.]+)$`)
)

// parseRapid reads a line of the emulator's own log.
func parseRapid(s string, h *happening) {
	_, said, _ := strings.Cut(s, "(rapid) ")
	first := func(re *regexp.Regexp) string {
		if m := re.FindStringSubmatch(said); m != nil {
			return m[1]
		}
		return ""
	}
	millis := func() int64 {
		if v, err := strconv.ParseFloat(first(rapidMillis), 64); err == nil {
			return spell(v, 1e6)
		}
		return -1
	}
	h.rapid = true
	switch {
	case strings.HasPrefix(said, "INIT START("):
		h.what, h.phase = initStart, "init"
		if strings.Contains(said, "phase: invoke") {
			h.phase = "invoke"
		}
	case strings.HasPrefix(said, "INIT REPORT("):
		h.what, h.duration, h.status = initDone, millis(), first(rapidStatus)
	case strings.HasPrefix(said, "INVOKE START("):
		h.what, h.id = invokeStart, first(rapidID)
	case strings.HasPrefix(said, "INVOKE RTDONE("):
		h.what, h.duration, h.status = invokeDone, millis(), first(rapidStatus)
	case strings.HasPrefix(said, "Process ") && strings.Contains(said, " exited: "):
		h.what, h.status = processExit, exitStatus.FindString(said)
	case strings.HasPrefix(said, "Invoke DONE failed"):
		h.what, h.errorType = fault, short(first(rapidWord))
	case strings.HasPrefix(said, "Reset initiated"):
		h.what, h.status = reset, strings.ToLower(first(rapidWord))
	}
}

// rapidStamp reads "23 Nov 2026 11:40:58,499 " at the beginning of a line.
func rapidStamp(text string, zone *time.Location) (at int64, rest string, ok bool) {
	const form = "02 Jan 2006 15:04:05,000"
	if len(text) < len(form) || text[len(form)-4] != ',' {
		return 0, text, false
	}
	t, err := time.ParseInLocation(form, text[:len(form)], zone)
	if err != nil {
		return 0, text, false
	}
	return t.UnixNano(), text[len(form):], true
}

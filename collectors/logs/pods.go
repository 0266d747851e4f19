package logs

import (
	"bytes"
	"regexp"
	"time"
)

// Tools that read the logs of several pods at once put the pod before each line:
//
//	[pod/llm-0/server] 2026-11-20T10:00:00.000000000Z text   kubectl logs --prefix --timestamps
//	llm-7d9c6b5f4-x2x7k server text                          stern, which sets the time after them where it is asked to
//
// What stands behind may be of any of our forms. A name that stern writes is told from a word by how Kubernetes ends the names of pods.
var (
	kubectlPrefix = regexp.MustCompile(`^\[pod/([a-z0-9][a-z0-9.-]{0,252})/[a-z0-9-]{1,63}\] ?`)
	sternPrefix   = regexp.MustCompile(`^(?:[a-z0-9][a-z0-9-]{0,62} )?([a-z0-9][a-z0-9.-]{0,240}-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9a-f]{8,10}-[a-z0-9]{5}|\d{1,5})) (?:› )?[a-z0-9][a-z0-9-]{0,62} `)
	kubectlStamp  = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})) `)
	colours       = regexp.MustCompile("\x1b\\[[0-9;]*m")
)

// podBefore returns the pod that stands before a line, and the line; "" where none does.
func podBefore(raw []byte) (pod string, rest []byte) {
	if bytes.IndexByte(raw, 0x1b) >= 0 { // stern colours the names where it writes to a terminal
		raw = bytes.TrimSpace(colours.ReplaceAll(raw, nil))
	}
	var form *regexp.Regexp
	switch c := raw[:min(len(raw), 1)]; {
	case string(c) == "[":
		form = kubectlPrefix
	case string(c) >= "0" && string(c) <= "9", string(c) >= "a" && string(c) <= "z":
		form = sternPrefix
	default:
		return "", raw
	}
	if m := form.FindSubmatch(raw); m != nil {
		return string(m[1]), raw[len(m[0]):]
	}
	return "", raw
}

// stampBefore returns the stamp that the tool put before a line, and the line.
func stampBefore(raw []byte) (stamp, []byte) {
	m := kubectlStamp.FindSubmatch(raw)
	if m == nil {
		return stamp{}, raw
	}
	t, err := time.Parse(time.RFC3339Nano, string(m[1]))
	if err != nil {
		return stamp{}, raw
	}
	return stamp{t.UnixNano(), int64(time.Millisecond)}, raw[len(m[0]):]
}

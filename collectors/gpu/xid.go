package gpu

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
)

// An xid is one line of the driver about an error.
type xid struct {
	code      int
	pci       string // 0000:3b:00
	instance  string // of MIG, as the line has it: GPU-I:05
	pid       string // "" where the line has none or does not know
	process   string
	text      string
	after     int // code that the line says this one was caused by; 0: none
	simulated bool
}

var (
	xidLine = regexp.MustCompile(`NVRM: Xid \((?:PCI:)?([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2})(?:\.[0-7])?(?: (GPU-I:\d+))?\): (\d{1,3})(?:,\s*(.*))?$`)
	xidPID  = regexp.MustCompile(`^pid=(\d+|'?<unknown>'?)(?:,\s*|$)`)
	xidName = regexp.MustCompile(`^name=([^,]*)(?:,\s*|$)`)
	xidPrev = regexp.MustCompile(`caused by previous Xid (\d{1,3})\b`)
	anyCard = regexp.MustCompile(`^(?:nvidia |NVRM: GPU at PCI:|NVRM: GPU |nvidia-nvlink: .*\b)([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2})`)
)

// maxText bounds what is kept of a message.
const maxText = 300

// simulatedMark is what assay writes behind the lines that it makes up itself.
const simulatedMark = "(simulated by assay"

// parseXID reads a message of the driver.
func parseXID(text string) (x xid, ok bool) {
	m := xidLine.FindStringSubmatch(text)
	if m == nil {
		return x, false
	}
	x.pci, x.instance = shortPCI(m[1]), m[2]
	x.code, _ = strconv.Atoi(m[3])
	rest := m[4]
	if p := xidPID.FindStringSubmatch(rest); p != nil {
		rest = rest[len(p[0]):]
		if !strings.Contains(p[1], "<") {
			x.pid = p[1]
		}
	}
	if n := xidName.FindStringSubmatch(rest); n != nil {
		rest = rest[len(n[0]):]
		if n[1] != "<unknown>" {
			x.process = clean(n[1], 60)
		}
	}
	if p := xidPrev.FindStringSubmatch(rest); p != nil {
		x.after, _ = strconv.Atoi(p[1])
	}
	x.simulated = strings.Contains(rest, simulatedMark)
	x.text = clean(rest, maxText)
	return x, true
}

// shortPCI turns 00000000:3B:00.0 into 0000:3b:00.
func shortPCI(bus string) string {
	bus, _, _ = strings.Cut(strings.ToLower(bus), ".")
	if domain, rest, ok := strings.Cut(bus, ":"); ok && len(domain) > 4 {
		bus = domain[len(domain)-4:] + ":" + rest
	}
	return bus
}

// clean returns text without characters that have no shape, shortened.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// event makes an event of it. What it counts as is how our own table has it.
func (x *xid) event(l logLine, source string) *assay.Event {
	known := gpu.XIDs().Of(x.code)
	class := known.Class
	if class == gpu.ClassAction {
		if r, ok := gpu.RecoveryTo(x.text); ok {
			known.Action, class = r.Name, r.Class
		}
	}
	e := &assay.Event{Time: l.at, Resolution: l.resolution, Kind: assay.EventGPUXID, Source: source,
		Text:  "XID " + strconv.Itoa(x.code) + ", " + known.Meaning + ": " + cmp.Or(x.text, "no text"),
		Attrs: map[string]string{"xid": strconv.Itoa(x.code), "pci": x.pci, "cause": known.Cause, "action": known.Action, "class": string(class), "severity": class.Severity()}}
	for name, v := range map[string]string{"pid": x.pid, "process": x.process, "mig": x.instance, "host": l.host} {
		if v != "" {
			e.Attrs[name] = v
		}
	}
	if x.after != 0 {
		e.Attrs["after"] = strconv.Itoa(x.after)
	}
	if x.simulated {
		e.Attrs["simulated"] = "true"
	}
	return e
}

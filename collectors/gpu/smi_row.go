package gpu

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/assay-dev/assay"
)

// Bounds of a query.
const (
	maxColumns = 1000
	maxCell    = 4096
)

// A column is one field of a query.
type column struct {
	field string // as nvidia-smi knows it
	name  string // of the series
	scale float64
}

// units are those of headers and of cells: what they add to the name, and what makes base units of them.
var units = map[string]struct {
	suffix string
	scale  float64
}{
	"%": {"_ratio", 0.01}, "MiB": {"_bytes", 1 << 20}, "MHz": {"_clock_hz", 1e6}, "W": {"_watts", 1}, "us": {"_seconds", 1e-6}, "ms": {"_seconds", 1e-3},
}

// aliases are fields under the names that older and other spellings of a query give them.
var aliases = map[string]string{"gpu_name": "name", "gpu_uuid": "uuid", "gpu_bus_id": "pci.bus_id", "gpu_serial": "serial", "gpu_util": "utilization.gpu",
	"clocks.gr": "clocks.current.graphics", "clocks.sm": "clocks.current.sm", "clocks.mem": "clocks.current.memory", "clocks.video": "clocks.current.video",
	"clocks.max.gr": "clocks.max.graphics", "clocks.max.mem": "clocks.max.memory"}

// plain gives the units of fields, for headers without them (nounits).
var plain = map[string]string{"fan.speed": "%", "edpp_multiplier": "%"}

func unitOf(field string) string {
	if u := plain[field]; u != "" {
		return u
	}
	switch {
	case strings.HasPrefix(field, "utilization."):
		return "%"
	case strings.HasPrefix(field, "memory."), strings.HasPrefix(field, "protected_memory."), field == "used_gpu_memory", field == "used_memory", field == "max_memory_usage":
		return "MiB"
	case strings.HasPrefix(field, "clocks.current."), strings.HasPrefix(field, "clocks.max."), strings.HasPrefix(field, "clocks.applications."), strings.HasPrefix(field, "clocks.default_applications."):
		return "MHz"
	case strings.HasPrefix(field, "clocks_event_reasons_counters."):
		return "us"
	case strings.Contains("."+field, ".power.draw"), strings.HasSuffix(field, "power.limit"), strings.HasPrefix(field, "power.") && strings.HasSuffix(field, "_limit"), strings.HasPrefix(field, "module.power."):
		return "W"
	}
	return ""
}

// columnOf reads a cell of a header: a field, with its unit in brackets where it has one.
func columnOf(head string) column {
	field, rest, has := strings.Cut(head, " [")
	unit := strings.TrimSuffix(rest, "]")
	field = strings.TrimSpace(field)
	if old, ok := strings.CutPrefix(field, "clocks_throttle_reasons"); ok {
		field = "clocks_event_reasons" + old
	}
	if a := aliases[field]; a != "" {
		field = a
	}
	if !has {
		unit = unitOf(field)
	}
	c := column{field: field, scale: 1}
	u, known := units[unit]
	if known {
		c.scale = u.scale
	}
	c.name = seriesName(field)
	if known && !strings.HasSuffix(c.name, u.suffix) {
		c.name += u.suffix
	}
	return c
}

// seriesName makes pci.baseClass pci_base_class.
func seriesName(field string) string {
	var b strings.Builder
	b.WriteString("nvidia_smi_")
	last := '_'
	for _, c := range field {
		switch {
		case c == '.' || c == ' ' || c == '-':
			c = '_'
		case unicode.IsUpper(c) && last != '_' && !unicode.IsUpper(last):
			b.WriteByte('_')
		}
		last = c
		if c < utf8Self && (c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

const utf8Self = 0x80

// words are what cells say in place of numbers. Those of one field stand before those of all.
var words = map[string]float64{
	"enabled": 1, "disabled": 0, "yes": 1, "no": 0, "active": 1, "not active": 0,
	"compute_mode/default": 0, "compute_mode/exclusive_thread": 1, "compute_mode/prohibited": 2, "compute_mode/exclusive_process": 3,
	"fabric.state/not supported": 0, "fabric.state/not started": 1, "fabric.state/in progress": 2, "fabric.state/completed": 3,
	"gpu_recovery_action/none": 0, "gpu_recovery_action/reset": 1, "gpu_recovery_action/reboot": 2, "gpu_recovery_action/drain p2p": 3, "gpu_recovery_action/drain and reset": 4,
	"gpu_recovery_action/gpu reset": 1, "gpu_recovery_action/node reboot": 2, "gpu_recovery_action/gpu reset required": 1, "gpu_recovery_action/node reboot required": 2,
}

// Why a cell is no sample.
const (
	whyNotThere   = "not told by this card ([N/A])"
	whyDeprecated = "deprecated by the driver"
	whyUnsupport  = "not supported by this card"
	whyText       = "text, no number"
	whyError      = "an error of the driver in place of a value"
)

// value reads a cell. A reason says why it is no number.
func (c *column) value(cell string) (v float64, why string) {
	low := strings.ToLower(strings.Trim(cell, "[]"))
	switch {
	case low == "" || low == "n/a":
		return 0, whyNotThere
	case strings.Contains(low, "deprecated"):
		return 0, whyDeprecated
	case low == "not supported" && c.field != "fabric.state" || strings.HasPrefix(low, "requested functionality"):
		return 0, whyUnsupport
	case strings.HasPrefix(cell, "[") || strings.Contains(low, "error") || strings.Contains(low, "insufficient permissions"):
		return 0, whyError
	}
	if v, ok := words[c.field+"/"+low]; ok {
		return v, ""
	}
	if v, ok := words[low]; ok {
		return v, ""
	}
	if hex, ok := strings.CutPrefix(low, "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			return 0, whyText
		}
		return float64(n), ""
	}
	number, unit, _ := strings.Cut(low, " ")
	if c.field == "pstate" {
		number = strings.TrimPrefix(number, "p")
	}
	if number == "" || !(number[0] >= '0' && number[0] <= '9' || number[0] == '-' || number[0] == '.') {
		return 0, whyText
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, whyText
	}
	if unit != "" { // of the cell: must be the header's
		if u := unitNamed(unit); u == 0 || u != c.scale {
			return 0, whyText
		}
	}
	return v * c.scale, ""
}

func unitNamed(unit string) float64 {
	for name, u := range units {
		if strings.EqualFold(name, unit) {
			return u.scale
		}
	}
	return 0
}

// told are fields that say which card it is, when, or what is known otherwise: they become labels and the time.
var told = map[string]string{"compute_cap": "compute_cap", "driver_model.current": "driver_model_current", "driver_model.pending": "driver_model_pending", "driver_version": "driver_version",
	"index": "index", "name": "name", "pci.bus_id": "pci_bus_id", "pci.sub_device_id": "pci_sub_device_id", "serial": "serial", "uuid": "uuid", "vbios_version": "vbios_version"}

// infoOrder is that of the labels of nvidia_smi_gpu_info, but for cuda_version, which stands behind compute_cap.
var infoOrder = []string{"compute_cap", "driver_model.current", "driver_model.pending", "driver_version", "index", "name", "pci.bus_id", "pci.sub_device_id", "serial", "uuid", "vbios_version"}

// shortUUID is a UUID without the prefix that all cards have, as the exporter shows it.
func shortUUID(uuid string) string { return strings.ToLower(strings.TrimPrefix(uuid, "GPU-")) }

// labelsOf returns the labels of a card's series: its UUID, or what else the query says of it.
func labelsOf(get func(field string) string) []assay.Label {
	for _, l := range []struct{ field, label string }{{"uuid", "uuid"}, {"pci.bus_id", "pci_bus_id"}, {"index", "index"}} {
		if v := get(l.field); v != "" && !strings.HasPrefix(v, "[") {
			if l.field == "uuid" {
				v = shortUUID(v)
			}
			return []assay.Label{{Name: l.label, Value: v}}
		}
	}
	return nil
}

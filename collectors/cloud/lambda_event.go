package cloud

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// A platformEvent is an event of the Telemetry API, of the older Logs API, or of a log in JSON form, which are alike. Web functions say
// timestamp where the others say time.
type platformEvent struct {
	Time      string          `json:"time"`
	Timestamp json.RawMessage `json:"timestamp"`
	Type      string          `json:"type"`
	Record    json.RawMessage `json:"record"`

	ErrorType    string `json:"errorType"` // of a line that a runtime wrote
	ErrorMessage string `json:"errorMessage"`
	RequestID    string `json:"requestId"`
	AWSRequestID string `json:"AWSRequestId"`
}

type platformRecord struct {
	RequestID          string `json:"requestId"`
	InstanceID         string `json:"instanceId"`
	InitializationType string `json:"initializationType"`
	Phase              string `json:"phase"`
	Status             string `json:"status"`
	ErrorType          string `json:"errorType"`
	StatusCode         *int32 `json:"statusCode"`
	Metrics            struct {
		Duration    *float64 `json:"durationMs"`
		Init        *float64 `json:"initDurationMs"`
		Restore     *float64 `json:"restoreDurationMs"`
		MemorySize  *float64 `json:"memorySizeMB"`
		MaxMemory   *float64 `json:"maxMemoryUsedMB"`
		DroppedRecs *float64 `json:"droppedRecords"`
	} `json:"metrics"`
	Tracing struct {
		Value string `json:"value"`
	} `json:"tracing"`
	Spans []struct {
		Name     string  `json:"name"`
		Duration float64 `json:"durationMs"`
	} `json:"spans"`
}

// parseEvent reads an event. It is false where the object is none.
func parseEvent(raw []byte, h *happening) bool {
	var e platformEvent
	if json.Unmarshal(raw, &e) != nil {
		return false
	}
	stamp := e.Time
	if stamp == "" && len(e.Timestamp) > 2 && e.Timestamp[0] == '"' {
		_ = json.Unmarshal(e.Timestamp, &stamp)
	}
	if t, err := time.Parse(time.RFC3339, stamp); err == nil && t.Year() > 1970 && t.Year() < 2250 {
		h.at, h.resolution = t.UnixNano(), int64(time.Millisecond)
	}
	if e.Type == "function" || e.Type == "" {
		return e.function(h)
	}
	if !strings.HasPrefix(e.Type, "platform.") {
		return e.Type == "extension" && stamp != ""
	}
	var r platformRecord
	if len(e.Record) > 0 && e.Record[0] == '"' { // platform.fault of the Logs API is a line
		var line string
		if json.Unmarshal(e.Record, &line) == nil {
			parseText([]byte(line), h)
		}
		return true
	}
	if len(e.Record) > 0 && json.Unmarshal(e.Record, &r) != nil {
		return false
	}
	r.fill(strings.TrimPrefix(e.Type, "platform."), h)
	return true
}

// function reads a line of the function itself: what its runtime says of an error, or a line of text within an event.
func (e *platformEvent) function(h *happening) bool {
	if e.Type == "function" && len(e.Record) > 0 && e.Record[0] == '"' {
		var line string
		if json.Unmarshal(e.Record, &line) == nil {
			parseText([]byte(strings.TrimSpace(line)), h)
		}
		return true
	}
	if len(e.Record) > 0 && e.Record[0] == '{' { // the function logs in JSON
		var in platformEvent
		if json.Unmarshal(e.Record, &in) != nil {
			return false
		}
		e.ErrorType, e.ErrorMessage, e.RequestID, e.AWSRequestID = in.ErrorType, in.ErrorMessage, in.RequestID, in.AWSRequestID
	}
	if e.ErrorType != "" && e.ErrorMessage != "" {
		h.what, h.errorType, h.id = fault, short(e.ErrorType), short(cmp.Or(e.RequestID, e.AWSRequestID))
	}
	return true
}

// fill makes a happening of a platform record.
func (r *platformRecord) fill(kind string, h *happening) {
	h.id, h.how, h.phase, h.status, h.errorType = short(r.RequestID), r.InitializationType, r.Phase, strings.ToLower(short(r.Status)), short(r.ErrorType)
	if r.InstanceID != "" {
		h.stream = short(r.InstanceID)
	}
	h.trace = xrayID(r.Tracing.Value)
	for _, m := range []struct {
		from *float64
		unit float64
		to   *int64
	}{{r.Metrics.Duration, 1e6, &h.duration}, {r.Metrics.Init, 1e6, &h.init}, {r.Metrics.Restore, 1e6, &h.restore},
		{r.Metrics.MemorySize, 1 << 20, &h.memory}, {r.Metrics.MaxMemory, 1 << 20, &h.used}} {
		if m.from != nil {
			*m.to = spell(*m.from, m.unit)
		}
	}
	for _, s := range r.Spans {
		if s.Name == "responseLatency" {
			h.first = spell(s.Duration, 1e6)
		}
	}
	switch kind {
	case "initStart":
		h.what = initStart
	case "initReport":
		h.what = initDone
	case "restoreStart":
		h.what = restoreStart
	case "restoreReport":
		h.what = restoreDone
		h.duration = max(h.duration, h.restore)
	case "start":
		h.what = invokeStart
	case "runtimeDone":
		h.what = invokeDone
	case "end":
		h.what = invokeEnd
	case "report":
		h.what = invokeReport
	case "requestComplete":
		h.what = webDone
		if r.StatusCode != nil && *r.StatusCode >= 100 && *r.StatusCode < 600 {
			h.code = *r.StatusCode
		}
	case "spinDownReport":
		h.what = spinDown
	case "logsDropped":
		h.what = dropped
	}
}

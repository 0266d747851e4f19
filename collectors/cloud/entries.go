package cloud

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/input"
)

// maxInsights bounds the rows of a Logs Insights result, which come newest first and are turned round. AWS gives ten thousand at most.
const maxInsights = 200_000

// An entry is one message of a log, in whatever it was wrapped.
type entry struct {
	at         int64 // Unix ns; 0: not told
	resolution int64
	stream     string
	text       []byte
	report     *happening // where the wrapping tells the REPORT field by field
}

var (
	wrapped    = regexp.MustCompile(`^\s*(\[|\{\s*"(events|results|queryLanguage|statistics|status|searchedLogStreams|nextToken)"\s*:)`)
	csvHeader  = regexp.MustCompile(`^"?(@?(timestamp|message|logStream|requestId|type|duration|log|ptr)"?,)`)
	streamName = regexp.MustCompile(`^(\d{4}/\d{2}/\d{2}/\S*\[[^\]\s]+\][0-9a-f]{8,}) `)
)

// read reads the messages of a log in the order in which they were written.
func read(in *input.Input, do func(*entry) error) error {
	head, err := in.Peek()
	if err != nil {
		return err
	}
	switch {
	case wrapped.Match(head):
		return readWrapped(in, do)
	case csvHeader.Match(head):
		return readTable(in, do)
	}
	return readLines(in, do)
}

// readLines reads a message a line, behind a stamp and a stream's name where they are there.
func readLines(in *input.Input, do func(*entry) error) error {
	l := input.Lines{File: in.File}
	for {
		b, err := l.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := entry{text: b}
		if b[0] != '{' {
			e.unwrap(string(b), in.Zone)
		}
		if err := do(&e); err != nil {
			return err
		}
	}
}

// unwrap takes off a stamp and a stream's name.
func (e *entry) unwrap(s string, zone *time.Location) {
	if at, rest, ok := rapidStamp(s, zone); ok {
		e.at, e.resolution, e.text = at, int64(time.Millisecond), []byte(strings.TrimSpace(rest))
		return
	}
	if len(s) < 20 || s[4] != '-' || s[10] != 'T' && s[10] != ' ' {
		return
	}
	i := strings.IndexAny(s[11:], " \t")
	if i < 0 {
		return
	}
	stamp := s[:11+i]
	at, _, ok := input.Instant(stamp, 1, zone)
	if !ok {
		return
	}
	e.at, e.resolution = at, int64(time.Second)
	if strings.ContainsRune(stamp, '.') {
		e.resolution = int64(time.Millisecond)
	}
	rest := strings.TrimLeft(s[11+i:], " \t")
	if m := streamName.FindStringSubmatch(rest); m != nil {
		e.stream, rest = m[1], rest[len(m[0]):]
	}
	e.text = []byte(rest)
}

// A logEvent is a message as the API wraps it, or an event of the Telemetry API in a batch.
type logEvent struct {
	Timestamp json.RawMessage `json:"timestamp"`
	Message   *string         `json:"message"`
	Stream    string          `json:"logStreamName"`
	Type      string          `json:"type"`
}

// readWrapped reads a JSON document: the answer of filter-log-events, get-log-events or get-query-results, or a batch of events.
func readWrapped(in *input.Input, do func(*entry) error) error {
	var rows []entry
	err := objects(in.File, []string{"events", "results"}, func(raw json.RawMessage) error {
		fields, ok := insightsRow(raw)
		if ok {
			if len(rows) >= maxInsights {
				return fmt.Errorf("%s: more than %d rows of Logs Insights", in.Path, maxInsights)
			}
			rows = append(rows, rowOf(fields, in.Zone))
			return nil
		}
		var e logEvent
		if json.Unmarshal(raw, &e) != nil || e.Message == nil || e.Type != "" {
			return do(&entry{text: raw})
		}
		at, _, _ := input.Instant(strings.Trim(string(e.Timestamp), `"`), int64(time.Millisecond), in.Zone)
		return do(&entry{at: at, resolution: int64(time.Millisecond), stream: short(e.Stream), text: []byte(*e.Message)})
	})
	if err != nil {
		return err
	}
	return inOrder(rows, do)
}

// insightsRow reads a row of a Logs Insights result: a list of fields from the API, an object from the console.
func insightsRow(raw json.RawMessage) (map[string]string, bool) {
	if len(raw) > 0 && raw[0] == '[' {
		var list []struct{ Field, Value string }
		if json.Unmarshal(raw, &list) != nil {
			return nil, false
		}
		m := map[string]string{}
		for _, f := range list {
			m[f.Field] = f.Value
		}
		return m, true
	}
	if !bytes.Contains(raw, []byte(`"@`)) {
		return nil, false
	}
	var any map[string]json.RawMessage
	if json.Unmarshal(raw, &any) != nil {
		return nil, false
	}
	m := map[string]string{}
	for k, v := range any {
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		m[k] = s
	}
	_, stamped := m["@timestamp"]
	return m, stamped
}

// readTable reads CSV: a Logs Insights result, or events as the console saves them.
func readTable(in *input.Input, do func(*entry) error) error {
	c := csv.NewReader(in.File)
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	var header []string
	var rows []entry
	for {
		in.Row()
		rec, err := c.Read()
		if err == io.EOF {
			return inOrder(rows, do)
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return fmt.Errorf("%s:%d: %w: want CSV with quotes doubled inside quotes", in.Path, bad.Line, bad.Err)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", in.Path, err)
		}
		if header == nil {
			header = slices.Clone(rec)
			continue
		}
		fields := map[string]string{}
		for i, v := range rec {
			if i < len(header) {
				name := header[i]
				if name != "" && name[0] != '@' {
					name = "@" + name
				}
				fields[name] = v
			}
		}
		if len(rows) >= maxInsights {
			return fmt.Errorf("%s: more than %d rows", in.Path, maxInsights)
		}
		rows = append(rows, rowOf(fields, in.Zone))
	}
}

// rowOf makes an entry of a row's fields. One without its message tells the REPORT by its fields.
func rowOf(f map[string]string, zone *time.Location) entry {
	at, _, _ := input.Instant(f["@timestamp"], int64(time.Millisecond), zone)
	e := entry{at: at, resolution: int64(time.Millisecond), stream: short(f["@logStream"]), text: []byte(f["@message"])}
	if len(e.text) > 0 || f["@requestId"] == "" {
		return e
	}
	h := untold()
	if h.id = short(f["@requestId"]); f["@type"] == "REPORT" || f["@duration"] != "" {
		h.what = invokeReport
	}
	h.trace = xrayID(f["@xrayTraceId"])
	for _, x := range []struct {
		name string
		unit float64
		to   *int64
	}{{"@duration", 1e6, &h.duration}, {"@initDuration", 1e6, &h.init}, {"@memorySize", 1, &h.memory}, {"@maxMemoryUsed", 1, &h.used}} {
		if v, err := strconv.ParseFloat(f[x.name], 64); err == nil {
			*x.to = spell(v, x.unit)
		}
	}
	e.report = &h
	return e
}

// inOrder hands rows on, oldest first.
func inOrder(rows []entry, do func(*entry) error) error {
	if n := len(rows); n > 1 && rows[0].at > rows[n-1].at {
		slices.Reverse(rows)
	}
	slices.SortStableFunc(rows, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	for i := range rows {
		if err := do(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

package cloud

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

const (
	maxHosts = 100_000
	// An instance that served before the recording began is not cold when it is first seen in it. One that is busy shows itself within this time.
	warmUp = 5 * int64(time.Minute)
)

var appInsightsKind = input.Kind{
	Name: "app-insights", Things: "rows", Proven: collectors.Documents, By: "Application Insights' documents of the requests and traces tables and of the query API",
	Help: "Application Insights' requests and traces of Azure Functions: query answers, JSON lines or CSV. The first request of a new host instance is cold.",
	Hop:  true, Options: []input.Option{counts},
	Is: isAppInsights, Read: readAppInsights,
}

var appInsightsField = regexp.MustCompile(`"tables"\s*:\s*\[|HostInstanceId|"itemType"\s*:\s*"(request|trace)"|AppRoleInstance|cloud_RoleInstance`)

func isAppInsights(_ string, head []byte) bool { return appInsightsField.Match(head) }

// A hostLife is when a host instance was first seen.
type hostLife struct {
	first   int64 // due of its first request
	started bool  // a trace told that it started
}

// hosts is what the first look at a recording learns.
type hosts struct {
	zone  *time.Location
	begin int64
	of    map[string]*hostLife
}

func readAppInsights(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	known, ok := in.State.(*hosts)
	if !ok {
		known = &hosts{zone: in.Zone, of: map[string]*hostLife{}}
		if f, err := input.OpenFile(in.Path); err == nil {
			f.Zone = in.Zone
			err := appRows(f, known.learn)
			f.Close()
			if err != nil {
				return err
			}
		}
		in.State = known
	}
	var begin, end int64
	err := appRows(in.File, func(row map[string]string) error {
		a, why := appItemOf(row, in.Zone)
		if why != "" {
			in.Tally.Reject(why, 1)
			return nil
		}
		in.Tally.Keep(1)
		if a.started {
			return a.events(emit)
		}
		r := a.request
		if h := known.of[a.host]; h != nil {
			switch {
			case r.Due != h.first:
				r.Cold = assay.ColdNo
			case h.started || r.Due > known.begin+warmUp:
				r.Cold = assay.ColdYes
			default:
				in.Tally.Note("%d first requests of instances within five minutes of the beginning may have been cold or not: they count as unknown", 1)
			}
		}
		if begin == 0 || r.Due < begin {
			begin = r.Due
		}
		end = max(end, r.End)
		return emit(&r)
	})
	if err != nil {
		return err
	}
	return phaseOf(begin, end, emit)
}

func (k *hosts) learn(row map[string]string) error {
	a, why := appItemOf(row, k.zone)
	if why != "" || a.host == "" {
		return nil
	}
	h := k.of[a.host]
	if h == nil {
		if len(k.of) >= maxHosts {
			return fmt.Errorf("more than %d host instances", maxHosts)
		}
		h = &hostLife{}
		k.of[a.host] = h
	}
	if a.started {
		h.started = true
		return nil
	}
	if h.first == 0 || a.request.Due < h.first {
		h.first = a.request.Due
	}
	if k.begin == 0 || a.request.Due < k.begin {
		k.begin = a.request.Due
	}
	return nil
}

// An appItem is a request, or a host that started.
type appItem struct {
	host    string
	request assay.Request
	started bool
	at      int64
	took    int64
}

var hostStarted = regexp.MustCompile(`^Host started \(([0-9.]+)\s?ms\)`)

// first returns the first of some columns that has a value. Names are lower case.
func first(row map[string]string, names ...string) string {
	for _, n := range names {
		if v := row[n]; v != "" {
			return v
		}
	}
	return ""
}

func appItemOf(row map[string]string, zone *time.Location) (a appItem, why string) {
	stamp := first(row, "timestamp", "timestamp [utc]", "time", "timegenerated", "timegenerated [utc]")
	at, _, ok := input.Instant(stamp, int64(time.Millisecond), zone)
	if !ok || at <= 0 {
		if t, err := time.Parse("1/2/2006, 3:04:05.000 PM", stamp); err == nil { // as the portal writes CSV
			at = t.UnixNano()
		} else {
			return a, "a row without a time"
		}
	}
	var custom map[string]any
	_ = json.Unmarshal([]byte(first(row, "customdimensions", "properties")), &custom)
	a.host = short(field(custom, "HostInstanceId"))
	if a.host == "" {
		a.host = short(first(row, "hostinstanceid", "cloud_roleinstance", "approleinstance"))
	}
	kind := strings.ToLower(first(row, "itemtype", "type"))
	if text := row["message"]; kind == "trace" || kind == "apptraces" || kind == "" && text != "" && row["duration"] == "" {
		m := hostStarted.FindStringSubmatch(text)
		if m == nil {
			return a, "says nothing we record"
		}
		ms, _ := strconv.ParseFloat(m[1], 64)
		a.started, a.at, a.took = true, at, max(spell(ms, 1e6), 0)
		return a, ""
	}
	if kind != "" && kind != "request" && kind != "apprequests" {
		return a, "neither a request nor a trace"
	}
	took, ok := span(first(row, "duration", "durationms"))
	if !ok {
		return a, "a request without a duration"
	}
	r := assay.Request{Due: at, End: at + took, Instance: a.host, NoSchedule: true, Phase: recorded, TraceID: operation(first(row, "operation_id", "operationid"))}
	r.User = assay.Pseudonym(first(row, "user_authenticatedid", "userauthenticatedid", "user_accountid", "useraccountid", "user_id", "userid", "session_id", "sessionid"))
	code, err := strconv.Atoi(first(row, "resultcode"))
	if err == nil && code >= 100 && code < 600 {
		r.Status, r.Outcome = int32(code), assay.OutcomeOf(code, false)
	}
	switch good := strings.ToLower(first(row, "success")); {
	case good == "true" && r.Outcome == assay.OutcomeUnknown:
		r.Outcome = assay.OK
	case good == "false" && (r.Outcome == assay.OutcomeUnknown || r.Outcome == assay.OK):
		r.Outcome, r.Error = assay.ServerError, "the function failed"
	}
	a.request = r
	return a, ""
}

// events tells of a host that started.
func (a *appItem) events(emit func(assay.Record) error) error {
	if a.host == "" {
		return nil
	}
	event := func(kind string, at int64, attrs map[string]string) error {
		return emit(&assay.Event{Time: at, Resolution: 1e6, Kind: kind, Source: "app-insights", Instance: a.host, Attrs: attrs})
	}
	return errors.Join(event(assay.EventInstanceCreated, a.at-a.took, nil),
		event(assay.EventInstancePhase, a.at, map[string]string{"phase": "runtime_start", "start_ns": strconv.FormatInt(a.at-a.took, 10), "end_ns": strconv.FormatInt(a.at, 10)}),
		event(assay.EventInstanceReady, a.at, nil))
}

// span reads milliseconds, or 00:00:01.2345678.
func span(text string) (int64, bool) {
	if h, rest, ok := strings.Cut(text, ":"); ok {
		m, s, ok := strings.Cut(rest, ":")
		hours, err1 := strconv.Atoi(h)
		minutes, err2 := strconv.Atoi(m)
		seconds, err3 := strconv.ParseFloat(s, 64)
		if !ok || err1 != nil || err2 != nil || err3 != nil || hours < 0 || hours > 1000 || minutes < 0 || minutes > 59 || !(seconds >= 0 && seconds < 60) {
			return 0, false
		}
		return int64(hours)*3600e9 + int64(minutes)*60e9 + int64(seconds*1e9), true
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil {
		return 0, false
	}
	ns := spell(v, 1e6)
	return ns, ns >= 0
}

// operation reads an operation's id, which is a W3C trace id where it has the length of one.
func operation(text string) (id assay.TraceID) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

func field(o map[string]any, name string) string {
	s, _ := o[name].(string)
	return s
}

// appRows reads rows, with the names of their columns in lower case.
func appRows(f *input.File, do func(map[string]string) error) error {
	head, err := f.Peek()
	if err != nil {
		return err
	}
	if t := bytes.TrimSpace(head); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		return objects(f, []string{"tables", "value"}, func(raw json.RawMessage) error { return appObject(raw, do) })
	}
	c := csv.NewReader(f)
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	var header []string
	for {
		f.Row()
		rec, err := c.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
		if header == nil {
			for _, h := range rec {
				header = append(header, strings.ToLower(strings.TrimSpace(h)))
			}
			continue
		}
		row := map[string]string{}
		for i, v := range rec {
			if i < len(header) {
				row[header[i]] = v
			}
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// appObject reads a table of a query's answer, or one item.
func appObject(raw json.RawMessage, do func(map[string]string) error) error {
	var t struct {
		Columns []struct{ Name string }
		Rows    [][]json.RawMessage
	}
	if json.Unmarshal(raw, &t) == nil && t.Columns != nil {
		for _, cells := range t.Rows {
			row := map[string]string{}
			for i, v := range cells {
				if i < len(t.Columns) {
					row[strings.ToLower(t.Columns[i].Name)] = plainText(v)
				}
			}
			if err := do(row); err != nil {
				return err
			}
		}
		return nil
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return do(nil)
	}
	row := map[string]string{}
	for k, v := range o {
		row[strings.ToLower(k)] = plainText(v)
	}
	return do(row)
}

// plainText is a JSON value without its quotes.
func plainText(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

package importers

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// Columns name the column of a CSV file, or the member of JSON objects, that holds each field. A dot in the name of a member leads into
// an object.
type Columns map[string]Column

// A Column is where a field stands.
type Column struct {
	Name  string
	Unit  string // s, ms, us or ns; "": what the name ends with (_s, _ms, _us or _ns), else that of the key unit, else s
	Fails string // of outcome: values that say it failed, with | between them; any other says that it was served
}

// unitKey is the key of Columns whose Unit is that of columns that have none of their own.
const unitKey = "unit"

// A field is something that a column can hold.
type field struct {
	name, help string
	time       bool // it has a unit
}

// Fields are the names that Columns may use, each with what it is.
var fields = []field{
	{"due", "when it was planned to be sent", true},
	{"sent", "when it was sent", true},
	{"end", "when its answer was complete", true},
	{"latency", "time from when it was sent (or due) to the end of its answer", true},
	{"first_byte", "time from when it was sent (or due) to the first byte of the answer", true},
	{"ttft", "time from when it was sent (or due) to the first token", true},
	{"retry_after", "how long the target asked to wait", true},
	{"status", "HTTP status", false},
	{"outcome", "an outcome of ours, or whether it succeeded; outcome=state:FAILED|LOST names the values that say it failed", false},
	{"error", "short text of the failure", false},
	{"tokens_in", "prompt tokens", false},
	{"tokens_out", "answer tokens", false},
	{"bytes_in", "bytes of the answer", false},
	{"bytes_out", "bytes sent", false},
	{"phase", "stretch of the run", false},
	{"class", "tenant, label or kind of request", false},
	{"user", "user or session that it belongs to, kept as a pseudonym; user_id, session_id, tenant and the like where none is named", false},
	{"instance", "instance that served it", false},
	{"trace", "its trace: 32 hexadecimal digits, a traceparent, or an id of AWS X-Ray", false},
	{"id", "its own id: of rows that have the same and were due at the same instant one counts", false},
	{"cold", "whether it waited for an instance to start: true or false", false},
}

// ColumnsHelp lists the fields for people.
func ColumnsHelp() string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "  %-12s %s\n", f.name, f.help)
	}
	return b.String()
}

func fieldNames() []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

// ParseColumns reads field=column pairs with commas between them; a unit may follow the column after a colon, as in latency=took:ms. The pair
// unit=ms gives that of all others.
func ParseColumns(text string) (Columns, error) {
	c := Columns{}
	if text == "" {
		return c, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		name, column, ok := strings.Cut(pair, "=")
		if name == unitKey && input.Units[column] != 0 {
			c[unitKey] = Column{Unit: column}
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		switch {
		case name == unitKey:
			return nil, fmt.Errorf("unit %q: want s, ms, us or ns", column)
		case !ok || column == "":
			return nil, fmt.Errorf("%q: want field=column", pair)
		case i < 0:
			return nil, fmt.Errorf("there is no field %q: want one of %s", name, strings.Join(fieldNames(), ", "))
		}
		if _, twice := c[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		col := Column{Name: column}
		if at := strings.LastIndexByte(column, ':'); at > 0 && input.Units[column[at+1:]] != 0 {
			if !fields[i].time {
				return nil, fmt.Errorf("%s has no unit", name)
			}
			col = Column{Name: column[:at], Unit: column[at+1:]}
		} else if at := strings.IndexByte(column, ':'); name == "outcome" && at > 0 && at < len(column)-1 {
			col = Column{Name: column[:at], Fails: column[at+1:]}
		}
		c[name] = col
	}
	return c, nil
}

// unit returns the nanoseconds of the column's unit.
func (c *columned) unit(field string) int64 {
	col := c.columns[field]
	if u := input.Units[col.Unit]; u != 0 {
		return u
	}
	if i := strings.LastIndexByte(col.Name, '_'); i >= 0 && input.Units[col.Name[i+1:]] != 0 {
		return input.Units[col.Name[i+1:]]
	}
	if u := input.Units[c.columns[unitKey].Unit]; u != 0 {
		return u
	}
	return 1e9
}

// columned turns rows of named columns into requests.
type columned struct {
	in      *input.File
	tally   *tally
	columns Columns
	names   names
	aliases []string // columns that may tell the user, best first; nil: the one of Columns does
	get     func(column string) string
	twice   map[string]bool // columns whose names others have too
	judged  bool            // a column tells how requests ended
	untimed bool            // none tells how long they took
	planned bool            // columns tell both when requests were due and when they were sent
}

// resolve finds the columns: those that are named must be there; a field that is not named is taken from a column of its own name, with or without
// a unit at its end. has tells of the header, or of the first object, after which more members may come: these are open.
func (c *columned) resolve(given Columns, has func(string) bool, open bool, line int) (err error) {
	c.columns = Columns{unitKey: given[unitKey]}
	defer func() {
		for _, f := range fields {
			if col, ok := c.columns[f.name]; ok && err == nil && c.twice[col.Name] {
				err = input.TwoColumns(c.in.Path, line, col.Name)
			}
		}
	}()
	taken := map[string]bool{}
	for _, col := range given {
		taken[col.Name] = true
	}
	for _, f := range fields {
		col, named := given[f.name]
		switch {
		case named && !open && !has(col.Name):
			return fmt.Errorf("%s:%d: no column %q for %s", c.in.Path, line, col.Name, f.name)
		case named:
			c.columns[f.name] = col
			continue
		case taken[f.name]: // it is for something else
		case f.name == "id": // what a column of that name holds may be anyone's
		case has(f.name) || open:
			c.columns[f.name] = Column{Name: f.name}
		}
		for _, unit := range []string{"s", "ms", "us", "ns"} {
			if name := f.name + "_" + unit; f.time && !has(f.name) && has(name) && !taken[name] {
				c.columns[f.name] = Column{Name: name}
			}
		}
	}
	have := func(name string) bool { _, ok := c.columns[name]; return ok && (!open || has(c.columns[name].Name)) }
	c.judged, c.planned = have("status") || have("outcome"), have("due") && have("sent")
	c.untimed = c.judged && !have("latency") && !have("end")
	if c.untimed {
		c.tally.note(untimedText, 1)
	}
	if _, named := given["user"]; !named {
		c.users(taken, has, open)
	}
	if open {
		return nil
	}
	switch {
	case !have("due") && !have("sent"):
		return fmt.Errorf("%s:%d: no column for due or sent: say which with due=NAME, in --map or behind the file of --requests", c.in.Path, line)
	case !have("latency") && !have("end") && !c.judged:
		return fmt.Errorf("%s:%d: no column for latency or end, and none for status or outcome: say which with latency=NAME, in --map or behind the file of --requests", c.in.Path, line)
	}
	return nil
}

// of returns the text of a field, "" where there is none.
func (c *columned) of(name string) string {
	col, ok := c.columns[name]
	if !ok {
		return ""
	}
	return strings.TrimSpace(c.get(col.Name))
}

// fill reads one row.
func (c *columned) fill(line int, r *row) error {
	*r = newRow(c.in.Path, line)
	var at [3]int64 // due, sent, end
	var seen [3]bool
	for i, name := range []string{"due", "sent", "end"} {
		text := c.of(name)
		if text == "" {
			continue
		}
		var dated, ok bool
		at[i], dated, ok = c.in.Instant(text, c.unit(name))
		if want := input.Misdated(at[i]); ok && dated && want != "" {
			return c.in.BadRow(line, name, text, want)
		}
		if !ok || at[i] > math.MaxInt64/2 || at[i] < 0 {
			return c.in.BadRow(line, name, text, "a date, or a number with the right unit")
		}
		seen[i] = true
	}
	switch {
	case seen[0]:
		r.due, r.sent = at[0], 0
		if r.NoSchedule = !seen[1]; seen[1] {
			r.sent = at[1] - at[0]
		} else if c.planned {
			r.NoSchedule, r.sent = false, unseen // it was due and never sent
		}
	case seen[1]:
		r.due, r.sent, r.NoSchedule = at[1], 0, true
	default:
		return c.in.BadRow(line, "due and sent", "", "one of them")
	}
	from := max(0, r.sent)
	for _, x := range []struct {
		name string
		to   *int64
	}{{"latency", &r.end}, {"first_byte", &r.firstByte}, {"ttft", &r.firstTok}, {"retry_after", &r.RetryAfter}} {
		text := c.of(x.name)
		if text == "" {
			continue
		}
		v, ok := input.Number(text, c.unit(x.name))
		if !ok || v < 0 {
			return c.in.BadRow(line, x.name, text, "a number that is not negative")
		}
		if *x.to = v; x.name != "retry_after" {
			*x.to += from
		}
	}
	if seen[2] {
		if r.end = at[2] - r.due; r.end < 0 {
			return c.in.BadRow(line, "end", c.of("end"), "an instant after the request was due")
		}
	}
	if err := c.counts(line, r); err != nil {
		return err
	}
	r.Phase = "load"
	if text := c.of("phase"); text != "" {
		r.Phase = c.names.of(text)
	}
	r.id = c.of("id")
	if text := c.of("trace"); text != "" && text != "-" {
		var ok bool
		if r.TraceID, ok = traceOf(text); !ok {
			c.tally.note(tracelessText, 1)
		}
	}
	r.Class, r.Instance = c.names.of(c.of("class")), c.names.of(c.of("instance"))
	r.User = c.user()
	switch text := strings.ToLower(c.of("cold")); text {
	case "", "unknown":
	case "true", "1", "cold":
		r.Cold = assay.ColdYes
	case "false", "0", "warm":
		r.Cold = assay.ColdNo
	default:
		return c.in.BadRow(line, "cold", text, "true or false")
	}
	return c.outcome(line, r)
}

func (c *columned) counts(line int, r *row) error {
	for _, x := range []struct {
		name string
		most float64
		to   func(int64)
	}{
		{"status", 999, func(v int64) { r.Status = int32(v) }},
		{"tokens_in", 1 << 30, func(v int64) { r.TokensIn = int32(v) }},
		{"tokens_out", 1 << 30, func(v int64) { r.TokensOut = int32(v) }},
		{"bytes_in", 1 << 50, func(v int64) { r.BytesIn = v }},
		{"bytes_out", 1 << 50, func(v int64) { r.BytesOut = v }},
	} {
		text := c.of(x.name)
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64) // some tools write counts as 12.0
		if err != nil || !(v >= 0 && v <= x.most) || v != math.Trunc(v) {
			return c.in.BadRow(line, x.name, text, "a count")
		}
		x.to(int64(v))
	}
	return nil
}

const untimedText = "no column says how long requests took: their latency is not known"

const unjudgedText = "no column says how a request ended: the %d with an end count as served"

// outcome judges the row: an outcome of ours stands, then the status speaks, then whether it succeeded.
func (c *columned) outcome(line int, r *row) error {
	text := strings.ToLower(c.of("outcome"))
	if fails := c.columns["outcome"].Fails; fails != "" && text != "" {
		text = strconv.FormatBool(!slices.Contains(strings.Split(strings.ToLower(fails), "|"), text))
	}
	r.Error = brief(c.of("error"))
	status := int(r.Status)
	switch text {
	case "":
		switch {
		case status != 0:
			r.Outcome = assay.OutcomeOf(status, false)
		case !c.judged && r.end != unseen:
			r.Outcome = assay.OK
			c.tally.note(unjudgedText, 1)
		}
	case "true", "1", "success", "succeeded", "pass", "passed", "completed":
		r.Outcome = assay.OK
	case "false", "0", "failure", "failed", "fail", "error", "errored":
		if r.Outcome = assay.ServerError; status != 0 {
			r.Outcome = assay.OutcomeOf(status, false)
		}
		if r.Outcome == assay.OK {
			r.Outcome = assay.WrongContent
		}
	default:
		if err := r.Outcome.UnmarshalText([]byte(text)); err != nil {
			return c.in.BadRow(line, "outcome", text, "an outcome of ours such as ok or timeout, or true or false")
		}
	}
	if r.Outcome == assay.OK && r.end == unseen && !c.untimed {
		return c.in.BadRow(line, "latency", "", "one, since the request was served")
	}
	return nil
}

type csvRows struct {
	columned
	table *table
}

func openCSV(in *input.File, s *Settings, t *tally) (reader, error) {
	tb, err := newTable(in, t)
	if err != nil {
		return nil, err
	}
	c := &csvRows{columned{in: in, tally: t, names: names{}, get: tb.get}, tb}
	if err := tb.next(); err != nil {
		if err == io.EOF {
			err = fmt.Errorf("%s: no header", in.Path)
		}
		return nil, err
	}
	tb.named()
	c.twice = tb.twice
	return c, c.resolve(s.Columns, func(name string) bool { _, ok := tb.header[name]; return ok }, false, tb.line)
}

func (c *csvRows) next(r *row) error {
	if err := c.table.next(); err != nil {
		return err
	}
	if n := len(c.table.fields); n > c.table.width && strings.TrimSpace(strings.Join(c.table.fields[c.table.width:], "")) != "" {
		return c.in.BadRow(c.table.line, "fields", strconv.Itoa(n), "as many as the header has")
	}
	if err := c.fill(c.table.line, r); err != nil {
		return c.table.torn(err)
	}
	return nil
}

type jsonRows struct {
	columned
	input.Lines
	given  Columns
	object map[string]json.RawMessage
	unseen Columns // of those given
}

func openJSONL(in *input.File, s *Settings, t *tally) (reader, error) {
	j := &jsonRows{columned: columned{in: in, tally: t, names: names{}}, Lines: input.Lines{File: in}, given: s.Columns, unseen: maps.Clone(s.Columns)}
	delete(j.unseen, unitKey)
	j.get = func(name string) string {
		text, _ := j.member(name)
		return text
	}
	return j, nil
}

// member returns a member of the object as text, and whether it is there.
func (j *jsonRows) member(name string) (string, bool) { return input.Member(j.object, name) }

func (j *jsonRows) next(r *row) error {
	b, err := j.Lines.Next()
	if err == io.EOF {
		for name, col := range j.unseen {
			return fmt.Errorf("%s: no object has a member %q for %s", j.columned.in.Path, col.Name, name)
		}
	}
	if err != nil {
		return err
	}
	j.object = nil
	if err := json.Unmarshal(b, &j.object); err != nil || j.object == nil {
		if j.Torn {
			j.tally.note(tornText, 1)
			return io.EOF
		}
		return j.BadRow(j.N, "the line", string(b), "a JSON object")
	}
	if j.columns == nil {
		if err := j.resolve(j.given, func(name string) bool { _, ok := j.member(name); return ok }, true, j.N); err != nil {
			return err
		}
	}
	for name, col := range j.unseen {
		if _, ok := j.member(col.Name); ok {
			delete(j.unseen, name)
		}
	}
	return j.fill(j.N, r)
}

package importers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// gathered is what an import emits.
type gathered struct {
	Requests []assay.Request
	Events   []assay.Event
	Samples  []assay.Sample
}

func read(t *testing.T, s Settings) (*Import, gathered) {
	t.Helper()
	im, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var g gathered
	err = im.Run(t.Context(), func(r assay.Record) error {
		switch r := r.(type) {
		case *assay.Request:
			g.Requests = append(g.Requests, *r)
		case *assay.Event:
			g.Events = append(g.Events, *r)
		case *assay.Sample:
			g.Samples = append(g.Samples, *r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Requests) != im.Requests {
		t.Errorf("%d requests emitted, %d promised", len(g.Requests), im.Requests)
	}
	return im, g
}

const (
	ms   = int64(1e6)
	from = int64(1767225600) * 1e9 // 2026-01-01T00:00:00Z
)

func TestFormats(t *testing.T) {
	columns := func(text string) Columns {
		c, err := ParseColumns(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		name     string
		s        Settings
		epoch    int64
		want     []assay.Request
		warnings []string
		samples  []assay.Sample
		phases   string
	}{
		{"jtl", Settings{Paths: []string{"testdata/plain.jtl"}}, from - ms, []assay.Request{
			{Class: "GET /models", User: assay.Pseudonym("Users 1-1"), Outcome: assay.OK, Status: 200, Due: 251 * ms, Sent: 251 * ms, FirstByte: 331 * ms, End: 371 * ms, BytesIn: 512, BytesOut: 180},
			{Class: "POST /predict", User: assay.Pseudonym("Users 1-2"), Outcome: assay.WrongContent, Status: 200, Error: "an assertion failed", Due: ms, Sent: ms, FirstByte: 851 * ms, End: 901 * ms, BytesIn: 640, BytesOut: 2048},
			{Class: "POST /predict", User: assay.Pseudonym("Users 1-1"), Outcome: assay.Timeout, Error: "read timed out", Due: 1001 * ms, Sent: 1001 * ms, End: 2002 * ms, BytesIn: 1500},
			{Class: "POST /predict", User: assay.Pseudonym("Users 1-1"), Outcome: assay.Throttled, Status: 429, Error: "429", Due: 1501 * ms, Sent: 1501 * ms, FirstByte: 1540 * ms, End: 1541 * ms, BytesIn: 90, BytesOut: 2048},
			{Class: "POST /predict", User: assay.Pseudonym("Users 1-1"), Outcome: assay.OK, Status: 200, Due: 2001 * ms, Sent: 2001 * ms, FirstByte: 2060 * ms, End: 2061 * ms, BytesIn: 90, BytesOut: 2048}},
			[]string{fmt.Sprintf(transactionText, 1), fmt.Sprintf(durationText, 1)},
			[]assay.Sample{levelOf("jmeter_threads", "plain.jtl", 1, 3), levelOf("jmeter_threads", "plain.jtl", 1001, 4), levelOf("jmeter_threads", "plain.jtl", 2001, 1)}, "load 1..2061"},
		{"jtl without a header, with dates, semicolons and a torn end", Settings{Paths: []string{"testdata/headless.jtl"}}, from - ms, []assay.Request{
			{Class: "a", User: assay.Pseudonym("T 1-1"), Outcome: assay.Loading, Status: 503, Error: "503", Due: 1501 * ms, Sent: 1501 * ms, FirstByte: 1516 * ms, End: 1516 * ms, BytesIn: 10, BytesOut: 20},
			{Class: "a", User: assay.Pseudonym("T 1-1"), Outcome: assay.OK, Status: 200, Due: ms, Sent: ms, FirstByte: 10 * ms, End: 11 * ms, BytesIn: 10, BytesOut: 20}},
			[]string{fmt.Sprintf(tornText, 1), "3 stamps name no time zone: UTC was taken"}, []assay.Sample{levelOf("jmeter_threads", "headless.jtl", 1, 2), levelOf("jmeter_threads", "headless.jtl", 1001, 1)}, "load 1..1516"},
		{"jtl in XML, nested, with a torn end", Settings{Paths: []string{"testdata/nested.jtl"}}, from - ms, []assay.Request{
			{Class: "home", User: assay.Pseudonym("Users 1-1"), Outcome: assay.OK, Status: 200, Due: 251 * ms, Sent: 251 * ms, FirstByte: 331 * ms, End: 371 * ms, BytesIn: 512, BytesOut: 180},
			{Class: "predict", User: assay.Pseudonym("Users 1-2"), Outcome: assay.WrongContent, Status: 200, Error: "assertion failed: says yes", Due: ms, Sent: ms, FirstByte: 851 * ms, End: 898 * ms, BytesIn: 640, BytesOut: 2048},
			{Class: "predict", User: assay.Pseudonym("Users 1-1"), Outcome: assay.Refused, Error: "connection refused", Due: 1001 * ms, Sent: 1001 * ms, End: 1003 * ms, BytesIn: 2000}},
			[]string{fmt.Sprintf(transactionText, 1), fmt.Sprintf(tornText, 1)},
			[]assay.Sample{levelOf("jmeter_threads", "nested.jtl", 1, 3), levelOf("jmeter_threads", "nested.jtl", 1001, 3)}, "load 1..1003"},
		{"k6", Settings{Paths: []string{"testdata/out.k6.json"}}, from + 395*ms - ms, []assay.Request{
			{Phase: "steady", Outcome: assay.RefusedByCap, Error: "k6 dropped the iteration: no virtual user was free", Due: 306 * ms, End: 306 * ms},
			{Phase: "steady", Outcome: assay.RefusedByCap, Error: "k6 dropped the iteration: no virtual user was free", Due: 306 * ms, End: 306 * ms},
			{Phase: "steady", Class: "page", Outcome: assay.OK, Status: 200, Due: ms, Sent: ms, FirstByte: 105_750_000, End: 106 * ms},
			{Phase: "late", Outcome: assay.Refused, Error: "connection refused", Due: 605 * ms, Sent: 605 * ms, End: 606 * ms}},
			[]string{fmt.Sprintf(checksText, 1), fmt.Sprintf(tornText, 1)}, []assay.Sample{levelOf("k6_vus", "out.k6.json", 0, 7)}, "steady 1..306, late 605..606"},
		{"vegeta csv", Settings{Paths: []string{"testdata/hits.csv"}}, from - ms, []assay.Request{
			{Phase: "ramp", Outcome: assay.OK, Status: 200, Due: ms, Sent: ms, End: 2_500_000, BytesIn: 512, BytesOut: 10},
			{Phase: "ramp", Outcome: assay.Reset, Error: "connection reset by peer", Due: 1001 * ms, Sent: 1001 * ms, End: 1003 * ms, BytesOut: 10}}, nil, nil, "ramp 1..1003"},
		{"vegeta json", Settings{Paths: []string{"testdata/hits.json"}}, from - ms, []assay.Request{
			{Outcome: assay.Throttled, Status: 429, Error: "429", Due: ms, Sent: ms, End: 3_500_000, BytesIn: 3, RetryAfter: 3e9},
			{Outcome: assay.CutFIN, Status: 200, Error: "connection closed by the server", Due: 11 * ms, Sent: 11 * ms, End: 12_500_000, BytesIn: 3}}, nil, nil, "load 1..12"},
		{"csv with a plan", Settings{Kind: "csv", Paths: []string{"testdata/planned.csv"}, Columns: columns("due=planned,sent=began,latency=took_ms,ttft=first,status=code,tokens_in=in,tokens_out=out,class=tenant,cold=waited")}, 0, []assay.Request{
			{Class: "gold", Outcome: assay.OK, Status: 200, Cold: assay.ColdNo, Due: 501 * ms, Sent: 502 * ms, FirstToken: 602 * ms, End: 752 * ms, TokensIn: 64, TokensOut: 32},
			{Class: "free", Outcome: assay.Unavailable, Status: 503, Due: ms, Sent: 251 * ms, TokensIn: 64},
			{Class: "free", Due: 1001 * ms}}, []string{"the source tells no date: that of its file was taken"}, nil, "load 1..1001"},
		{"jsonl with nested members and a default", Settings{Kind: "jsonl", Paths: []string{"testdata/any.jsonl"}, Columns: columns("latency=m.e2e_ms")}, from - ms, []assay.Request{
			{Phase: "a", Outcome: assay.OK, Due: ms, Sent: ms, End: 13_500_000, TokensOut: 7},
			{Phase: "b", Outcome: assay.ServerError, Error: "it broke", Due: 1001 * ms, Sent: 1001 * ms},
			{Phase: "b", Outcome: assay.CutRST, Due: 2001 * ms, Sent: 2001 * ms, End: 2002 * ms}}, nil, nil, "a 1..13, b 1001..2002"},
	} {
		t.Run(c.name, func(t *testing.T) {
			im, got := read(t, c.s)
			for i := range c.want {
				w := &c.want[i]
				w.ID, w.NoSchedule = uint64(i+1), c.s.Kind != "csv"
				if w.Phase == "" {
					w.Phase = "load"
				}
			}
			if d := cmp.Diff(c.want, got.Requests); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
			if c.epoch != 0 && im.Epoch != c.epoch || im.Dated != (c.epoch != 0) {
				t.Errorf("epoch %d, want %d", im.Epoch, c.epoch)
			}
			if d := cmp.Diff(c.warnings, im.Warnings); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.samples, got.Samples); d != "" {
				t.Errorf("samples (-want +got):\n%s", d)
			}
			var phases, warned []string
			begin := map[string]int64{}
			for _, e := range got.Events {
				switch e.Kind {
				case assay.EventPhaseBegin:
					begin[e.Phase] = e.Time
				case assay.EventPhaseEnd:
					phases = append(phases, fmt.Sprintf("%s %d..%d", e.Phase, begin[e.Phase]/ms, e.Time/ms))
				case assay.EventWarning:
					warned = append(warned, e.Text)
				}
			}
			if got := strings.Join(phases, ", "); got != c.phases || !cmp.Equal(warned, c.warnings) {
				t.Errorf("phases %s, warnings %q; want %s and %q", got, warned, c.phases, c.warnings)
			}
		})
	}
}

func levelOf(name, source string, at int64, v float64) assay.Sample {
	return assay.Sample{Name: name, Labels: []assay.Label{{Name: "source", Value: source}}, Time: max(1, at*ms), Value: v}
}

// TestStampsEnd: what JMeter stamped at the end began earlier, and the files of one run count on.
func TestStampsEnd(t *testing.T) {
	_, got := read(t, Settings{Paths: []string{"testdata/plain.jtl", "testdata/nested.jtl"}, EndOnly: true})
	if len(got.Requests) != 8 {
		t.Fatalf("%d requests, want 8", len(got.Requests))
	}
	first, last := got.Requests[0], got.Requests[7]
	if d := first.Due - got.Requests[1].Due; d != (250-120+900)*ms || last.ID != 8 {
		t.Errorf("the first is due %d after the second, the last has id %d; want %d and 8", d, last.ID, (250-120+900)*ms)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestErrorsSayWhere(t *testing.T) {
	jtl := func(rows string) Settings {
		return Settings{Paths: []string{write(t, "bad.jtl", "timeStamp,elapsed,label,responseCode,success,SampleCount\n"+rows)}, Latest: from + 24*3600*1e9}
	}
	csv := func(head, rows string) Settings {
		return Settings{Kind: "csv", Paths: []string{write(t, "bad.csv", head+"\n"+rows)}}
	}
	good := "1767225600000,1,a,200,true,1\n"
	for want, s := range map[string]Settings{
		"no file":                                  {},
		"no such file":                             {Paths: []string{"testdata/none.jtl"}},
		"is a directory":                           {Paths: []string{"testdata"}},
		`kind "x" is unknown: want one of jtl,`:    {Kind: "x", Paths: []string{"testdata/plain.jtl"}},
		`bad.txt:1: the first line "hello": wan`:   {Paths: []string{write(t, "bad.txt", "hello\nyou\n")}},
		"bad.txt is empty":                         {Paths: []string{write(t, "bad.txt", "")}},
		"no request in":                            jtl(""),
		`bad.jtl:3: timeStamp "12": want millis`:   jtl(good + "12,1,a,200,true,1\n" + good),
		"bad.jtl:3: its stamp is 2026-01-03T00:":   jtl(good + "1767398400000,1,a,200,true,1\n" + good),
		"bad.jtl:3: its stamp lies 744h0m0s fro":   {Paths: []string{write(t, "bad.jtl", "timeStamp,elapsed,success\n1767225600000,1,true\n1769904000000,1,true\n")}},
		`bad.jtl:2: elapsed "-1": want millisec`:   jtl("1767225600000,-1,a,200,true,1\n" + good),
		`bad.jtl:2: success "yes": want true or`:   jtl("1767225600000,1,a,200,yes,1\n" + good),
		`bad.jtl:2: SampleCount "5": want 1: a `:   jtl("1767225600000,1,a,200,true,5\n" + good),
		"bad.jtl:2: 3 fields: want 6":              jtl("1767225600000,1,a\n" + good),
		`bad.jtl:2: bare " in non-quoted`:          jtl("1767225600000,1,a\"b,200,true,1\n" + good),
		"bad.jtl:2: an instant of it lies 1200h":   jtl("1767225600000,4320000000,a,200,true,1\n" + good),
		"want a column elapsed":                    {Kind: "jtl", Paths: []string{write(t, "bad.jtl", "timeStamp,label\n")}},
		"want a column success or responseCode":    {Kind: "jtl", Paths: []string{write(t, "bad.jtl", "timeStamp,elapsed\n")}},
		"or the 17 columns that JMeter writes":     {Kind: "jtl", Paths: []string{write(t, "bad.jtl", "1767225600000,1,a,200\n")}},
		`bad.jtl:2: the element "html": want te`:   {Kind: "jtl", Paths: []string{write(t, "bad.jtl", "<?xml version=\"1.0\"?>\n<html></html>")}},
		"bad.jtl:3: element <sample> closed by":    {Kind: "jtl", Paths: []string{write(t, "bad.jtl", "<testResults>\n<sample ts=\"1767225600000\" t=\"1\" s=\"true\">\n</testResults>\n")}},
		`bad.k6:2: the line "{\"metric\":\"http_r`: {Kind: "k6-json", Paths: []string{write(t, "bad.k6", "{}\n{\"metric\":\"http_reqs\",\"value\":\n{}\n")}},
		"bad.k6:1: no http_req_duration follows":   {Kind: "k6-json", Paths: []string{write(t, "bad.k6", `{"metric":"http_reqs","type":"Point","data":{"time":"2026-01-01T00:00:00Z","value":1}}`+"\n{}\n")}},
		`bad.k6:1: time "0001-01-01T00:00:00Z"`:    {Kind: "k6-json", Paths: []string{write(t, "bad.k6", `{"metric":"http_reqs","type":"Point","data":{"value":1}}`+"\n")}},
		`bad.csv:1: code "x": want a whole numb`:   {Kind: "vegeta", Paths: []string{write(t, "bad.csv", "1767225600000000000,x,1,1,1,,,,,,,\n1767225600000000000,200,1,1,1,,,,,,,\n")}},
		"bad.json:1: 1 fields: want 12":            {Kind: "vegeta", Paths: []string{write(t, "bad.json", "[]\n[]\n")}},
		"no column for due or sent: say which with due=NAME, in --map or behind the file of --requests": csv("latency", "1\n"),
		"no column for latency or end":            csv("due", "1\n"),
		`bad.csv:3: due "soon": want a date, or`:  csv("due,latency", "1,2\nsoon,2\nsoon,2\n"),
		`bad.csv:1: two columns are called "due"`: csv("due,due,latency", "1,2,3\n"),
		`bad.csv:2: latency "-1": want a number`:  csv("due,latency", "1,-1\n1,-1\n"),
		`bad.csv:2: status "2e9": want a count`:   csv("due,latency,status", "1,1,2e9\n1,1,2e9\n"),
		`bad.csv:2: outcome "meh": want an outc`:  csv("due,latency,outcome", "1,1,meh\n1,1,meh\n"),
		`bad.csv:2: latency "": want one, since`:  csv("due,latency,outcome", "1,,ok\n1,,ok\n"),
		`bad.csv:2: end "1": want an instant af`:  csv("due,end", "2,1\n2,1\n"),
		`bad.csv:2: cold "maybe": want true or `:  csv("due,latency,cold", "1,1,maybe\n1,1,maybe\n"),
		`bad.csv:1: no column "took" for latenc`:  {Kind: "csv", Paths: []string{write(t, "bad.csv", "due\n1\n")}, Columns: Columns{"latency": {Name: "took"}}},
		`bad.jsonl: no object has a member "tok`:  {Kind: "jsonl", Paths: []string{write(t, "bad.jsonl", `{"due":1,"latency":1}`+"\n")}, Columns: Columns{"tokens_in": {Name: "tok"}}},
		`bad.jsonl:1: the line "[1]": want a JS`:  {Kind: "jsonl", Paths: []string{write(t, "bad.jsonl", "[1]\n{}\n")}},
	} {
		_, err := Open(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	long := jtl(good + "1767225600000,1,\"" + strings.Repeat("x", input.MaxRow+100_000) + "\",200,true,1\n" + good)
	if _, err := Open(t.Context(), long); err == nil || !strings.Contains(err.Error(), "bad.jtl:3: a row of more than 4 MiB") {
		t.Errorf("a long row: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Settings{Paths: []string{"testdata/plain.jtl"}}); err == nil {
		t.Error("a canceled context reads on")
	}
}

// Rows of a table that cannot be read are rejected, with the reason and the line of the first; both readings reject the same.
func TestBadRowsOfTables(t *testing.T) {
	const good = "1767225600,1,200\n1767225601,1,500\n1767225602,1,200\n1767225603,1,200\n1767225604,1,200\n1767225605,1,200\n"
	for _, tt := range []struct {
		kind, text string
		want       map[string]int64
	}{
		{"csv", "due,latency,status\n" + good + "NaN,1,200\n-5,1,200\n,1,200\n1767225610,NaN,200\n1767225610,-3,200\n", map[string]int64{
			"due: want a date, or a number with the right unit (first on line 8)": 2, "due and sent: want one of them (first on line 10)": 1, "latency: want a number that is not negative (first on line 11)": 2}},
		{"csv", "due,latency,status\n" + good + "1767225610,1e300,200\n1767225610,1,abc\n1767225610,1\n12,1,200\n1767225611,1,200,9\n1767225610,1,\"200\"x\n", map[string]int64{
			"latency: want a number that is not negative (first on line 8)": 1, "status: want a count (first on line 9)": 1, "fewer fields than the header has (first on line 10)": 1,
			"stamp: want one after the year 2000 (first on line 11)": 1, "fields: want as many as the header has (first on line 12)": 1, "want CSV with quotes doubled inside quotes (first on line 13)": 1}},
		{"csv", "due,latency,status\n1767225610\n" + good + "1767225699,1,200,\n", map[string]int64{"fewer fields than the header has (first on line 2)": 1}},
		{"csv", "due,latency,status\n" + good + "2199-01-01T00:00:00Z,1,200\n1960-01-01T00:00:00Z,1,200\n", map[string]int64{
			"due: want none of the future (first on line 8)": 1, "due: want one after the year 2000 (first on line 9)": 1}},
		{"jsonl", `{"due":1767225600,"latency":1}` + "\n[1]\n" + `{"due":"x","latency":1}` + "\n" + `{"due":1767225601,"latency":1}` + "\n", map[string]int64{
			"the line: want a JSON object (first on line 2)": 1, "due: want a date, or a number with the right unit (first on line 3)": 1}},
	} {
		im, err := Open(t.Context(), Settings{Kind: tt.kind, Paths: []string{write(t, "bad."+tt.kind, tt.text)}})
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		n := 0
		if err := im.Run(t.Context(), func(r assay.Record) error {
			if _, ok := r.(*assay.Request); ok {
				n++
			}
			return nil
		}); err != nil || n != im.Requests {
			t.Errorf("%s: %d requests, then %d, %v", tt.text, im.Requests, n, err)
		}
		if d := cmp.Diff(tt.want, im.Rejected); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, d)
		}
		if w := im.Warnings[len(im.Warnings)-1]; !strings.Contains(w, "rows are no requests: ") {
			t.Errorf("warnings %q", im.Warnings)
		}
	}
}

func TestParseColumns(t *testing.T) {
	got, err := ParseColumns("due=start time:ms,latency=took_us,ttft=a:b,status=code,outcome=state:FAILED|LOST,unit=ms,sent=at")
	want := Columns{"due": {Name: "start time", Unit: "ms"}, "latency": {Name: "took_us"}, "ttft": {Name: "a:b"}, "status": {Name: "code"},
		"outcome": {Name: "state", Fails: "FAILED|LOST"}, "unit": {Unit: "ms"}, "sent": {Name: "at"}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for name, want := range map[string]int64{"due": 1e6, "latency": 1e3, "ttft": 1e6, "sent": 1e6} {
		if u := (&columned{columns: got}).unit(name); u != want {
			t.Errorf("%s: unit %d, want %d", name, u, want)
		}
	}
	for text, want := range map[string]string{"due": "want field=column", "when=x": `no field "when": want one of due`, "due=a,due=b": "given twice", "status=a:ms": "has no unit", "unit=h": `unit "h": want s, ms, us or ns`} {
		if _, err := ParseColumns(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestTableOfOutcomes: a table that tells when requests came and how they ended, and nothing else, in CSV and in Parquet.
func TestTableOfOutcomes(t *testing.T) {
	dir := t.TempDir()
	asCSV := filepath.Join(dir, "trace.csv")
	if err := os.WriteFile(asCSV, []byte("timestamp;state\n2026-01-01 01:00:00;DONE\n2026-01-01 01:00:01.5;FAILED\n2026-01-01 01:00:02;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	type event struct {
		Timestamp time.Time `parquet:"timestamp,timestamp(microsecond)"`
		Detail    struct {
			State *string `parquet:"state,optional"`
		} `parquet:"detail"`
		Tags []string `parquet:"tags,list"`
	}
	done, failed := "DONE", "FAILED"
	rows := []event{{Timestamp: time.Unix(0, from).UTC(), Tags: []string{"a", "b"}}, {Timestamp: time.Unix(0, from+1500*ms).UTC()}, {Timestamp: time.Unix(0, from+2000*ms).UTC()}}
	rows[0].Detail.State, rows[1].Detail.State = &done, &failed
	asParquet := filepath.Join(dir, "trace.parquet")
	if err := parquet.WriteFile(asParquet, rows); err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{asCSV: "due=timestamp,outcome=state:FAILED|LOST", asParquet: "due=timestamp,outcome=detail.state:failed"} {
		columns, err := ParseColumns(text)
		if err != nil {
			t.Fatal(err)
		}
		im, g := read(t, Settings{Kind: KindFor(path, "", columns), Paths: []string{path}, Columns: columns, Zone: berlin})
		var got []string
		for _, r := range g.Requests {
			got = append(got, fmt.Sprint(r.Due+im.Epoch-from, r.Outcome, r.End))
		}
		if d := cmp.Diff([]string{"0 ok 0", "1500000000 server_error 0", "2000000000 unknown 0"}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
		if d := cmp.Diff([]string{untimedText}, im.Warnings); d != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", path, d)
		}
	}
}

// TestExceptions: what JMeter's exceptions mean, before and after the answer had begun.
// A table names the trace of each request, and its id, by which a row that is told twice is known. A column that is only called id says nothing of either.
func TestTableOfTraces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.csv")
	const id = "5759e988bd862e3fe1be46a994272793"
	text := "due,latency,status,key,id,trace\n1767258000,1,200,a,7," + id + "\n1767258001,1,200,b,7,00-" + id + "-00f067aa0ba902b7-01\n" +
		"1767258002,1,200,c,7,Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1\n1767258003,1,200,d,7,not one\n1767258003,1,200,d,7,-\n1767258004,1,200,d,7,\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := assay.TraceID{0x57, 0x59, 0xe9, 0x88, 0xbd, 0x86, 0x2e, 0x3f, 0xe1, 0xbe, 0x46, 0xa9, 0x94, 0x27, 0x27, 0x93}
	for columns, n := range map[string]int{"id=key": 5, "": 6} {
		c, err := ParseColumns(columns)
		if err != nil {
			t.Fatal(err)
		}
		im, got := read(t, Settings{Kind: "csv", Paths: []string{path}, Columns: c})
		if len(got.Requests) != n || im.Duplicates != 6-n {
			t.Fatalf("columns %q: %d requests and %d duplicates, want %d of 6", columns, len(got.Requests), im.Duplicates, n)
		}
		for i, r := range got.Requests {
			if r.TraceID != want && i < 3 || !r.TraceID.IsZero() && i >= 3 {
				t.Errorf("columns %q, request %d: trace %x", columns, i+1, r.TraceID)
			}
		}
		warnings := []string{fmt.Sprintf(tracelessText, 1), fmt.Sprintf(twiceText, 1)}[:1+6-n]
		if d := cmp.Diff(warnings, im.Warnings); d != "" {
			t.Errorf("columns %q: warnings (-want +got):\n%s", columns, d)
		}
	}
}

func TestExceptions(t *testing.T) {
	for _, c := range []struct {
		class, message string
		before, after  assay.Outcome
	}{
		{"java.net.SocketTimeoutException", "Read timed out", assay.Timeout, assay.Timeout},
		{"org.apache.http.conn.ConnectTimeoutException", "Connect to h:80 failed: connect timed out", assay.Timeout, assay.Timeout},
		{"java.net.ConnectException", "Connection timed out (Connection timed out)", assay.Timeout, assay.Timeout},
		{"java.net.ConnectException", "Connection refused", assay.Refused, assay.Refused},
		{"org.apache.http.conn.HttpHostConnectException", "Connect to h:80 failed: Connection refused", assay.Refused, assay.Refused},
		{"org.apache.http.NoHttpResponseException", "h:80 failed to respond", assay.Reset, assay.Reset},
		{"java.net.SocketException", "Connection reset", assay.Reset, assay.CutRST},
		{"javax.net.ssl.SSLException", "Connection reset", assay.Reset, assay.CutRST},
		{"java.net.SocketException", "Socket closed", assay.Unfinished, assay.Unfinished},
		{"java.net.SocketException", "Broken pipe (Write failed)", assay.Reset, assay.CutRST},
		{"org.apache.http.ConnectionClosedException", "Premature end of chunk coded message body", assay.Reset, assay.CutFIN},
		{"java.io.EOFException", "", assay.Reset, assay.CutFIN},
		{"javax.net.ssl.SSLHandshakeException", "PKIX path building failed", assay.Unresolved, assay.Unresolved},
		{"javax.net.ssl.SSLHandshakeException", "Received fatal alert: bad_certificate", assay.Credential, assay.Credential},
		{"java.net.UnknownHostException", "h", assay.Unresolved, assay.Unresolved},
		{"java.net.BindException", "Address already in use: connect", assay.RefusedByCap, assay.RefusedByCap},
		{"java.net.URISyntaxException", "Illegal character", assay.ClientError, assay.ClientError},
		{"org.apache.http.client.ClientProtocolException", "", assay.ServerError, assay.ServerError},
		{"com.example.Mine$Broken (Caused by: x)", "", assay.ServerError, assay.ServerError},
	} {
		before, says := exception(c.class, "Non HTTP response message: "+c.message, false)
		after, _ := exception(c.class, "Non HTTP response message: "+c.message, true)
		if before != c.before || after != c.after || says == "" || strings.Contains(says, "h:80") {
			t.Errorf("%s %q: %v before, %v after, %q; want %v, %v", c.class, c.message, before, after, says, c.before, c.after)
		}
	}
}

// TestBoundedMemory reads many rows out of order with a few kilobytes of state.
func TestBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a file of 20 MB")
	}
	var b strings.Builder
	b.WriteString("timeStamp,elapsed,label,responseCode,success,allThreads\n")
	const n = 300_000
	for i := range n {
		fmt.Fprintf(&b, "%d,%d,label %d,200,true,%d\n", from/ms+int64((i*7919)%600_000), i%1000, i%20_000, i%50)
	}
	path := write(t, "big.jtl", b.String())
	b.Reset()
	im, err := Open(t.Context(), Settings{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	got, other := 0, 0
	most := int64(0)
	if err := im.Run(t.Context(), func(r assay.Record) error {
		if q, ok := r.(*assay.Request); ok {
			got++
			most = max(most, q.End)
			if q.Class == "other" {
				other++
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got != n || other == 0 || most != im.End {
		t.Errorf("%d requests, %d beyond the bound of labels, the last ends at %v of %v; want %d", got, other, time.Duration(most), time.Duration(im.End), n)
	}
}

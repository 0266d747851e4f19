package importers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// vegetaColumns is how many columns vegeta's CSV has: time, code, latency, bytes out and in, error, body, attack, number, method, URL, headers.
const vegetaColumns = 12

func isVegeta(head []byte) bool {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.HasPrefix(first, []byte(`{"attack":`)) {
		return true
	}
	f := strings.Split(string(first), ",")
	if len(f) < 3 || len(f[0]) != 19 {
		return false
	}
	for _, text := range f[:3] {
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return false
		}
	}
	return true
}

func openVegeta(in *input.File, _ *Settings, t *tally) (reader, error) {
	head, err := in.Peek()
	if err != nil {
		return nil, err
	}
	if head[0] == '{' {
		return &vegetaJSON{Lines: input.Lines{File: in}, tally: t, names: names{}}, nil
	}
	tb, err := newTable(in, t)
	if err != nil {
		return nil, err
	}
	tb.csv.Comma, tb.width = ',', vegetaColumns
	return &vegetaCSV{table: tb, names: names{}}, nil
}

// A hit is one result.
type hit struct {
	Attack   string      `json:"attack"`
	Code     int         `json:"code"`
	Time     time.Time   `json:"timestamp"`
	Latency  int64       `json:"latency"` // ns
	BytesOut int64       `json:"bytes_out"`
	BytesIn  int64       `json:"bytes_in"`
	Error    string      `json:"error"`
	Headers  http.Header `json:"headers"`
}

func (h *hit) row(in *input.File, line int, n names, r *row) error {
	*r = newRow(in.Path, line)
	if y := h.Time.Year(); y < 2000 || y > 2200 {
		return in.Bad(line, "timestamp", h.Time.Format(time.RFC3339), "a date after the year 2000")
	}
	if h.Latency < 0 || h.BytesIn < 0 || h.BytesOut < 0 || h.Code < 0 || h.Code > 999 {
		return in.Bad(line, "latency, bytes or code", strconv.FormatInt(h.Latency, 10), "none below zero")
	}
	r.due, r.sent, r.end, r.NoSchedule = h.Time.UnixNano(), 0, h.Latency, true
	r.BytesIn, r.BytesOut, r.Status = h.BytesIn, h.BytesOut, int32(h.Code)
	if r.Phase = "load"; h.Attack != "" {
		r.Phase = n.of(h.Attack)
	}
	r.Outcome, r.Error = vegetaOutcome(h.Code, h.Error)
	if s, err := strconv.Atoi(h.Headers.Get("Retry-After")); err == nil && s > 0 && s < 1e6 {
		r.RetryAfter = int64(s) * 1e9
	}
	return nil
}

// troubles are what parts of Go's errors mean, the first that matches first.
var troubles = []struct {
	text    string
	outcome assay.Outcome
	says    string
}{
	{"connection refused", assay.Refused, "connection refused"},
	{"too many open files", assay.RefusedByCap, "too many open files"},
	{"cannot assign requested address", assay.RefusedByCap, "no local port was free"},
	{"no such host", assay.Unresolved, "no such host"},
	{"no route to host", assay.Unresolved, "no route to host"},
	{"network is unreachable", assay.Unresolved, "network is unreachable"},
	{"tls: ", assay.Unresolved, "TLS failed"},
	{"x509: ", assay.Unresolved, "TLS failed"},
	{"deadline exceeded", assay.Timeout, "no complete answer before the deadline"},
	{"Client.Timeout", assay.Timeout, "no complete answer before the deadline"},
	{"timeout", assay.Timeout, "timed out"},
	{"unsupported protocol scheme", assay.ClientError, "malformed URL"},
	{"malformed", assay.BadPayload, "not what HTTP promises"},
	{"reset by peer", assay.CutRST, "connection reset by peer"},
	{"broken pipe", assay.CutRST, "connection reset by peer"},
	{"stopped", assay.Unfinished, "the run ended first"},
	{"canceled", assay.Unfinished, "the run ended first"},
	{"EOF", assay.CutFIN, "connection closed by the server"},
}

// vegetaOutcome judges a result: the error repeats the status where there was one.
func vegetaOutcome(code int, text string) (assay.Outcome, string) {
	begun := code != 0
	if begun && (text == "" || strings.HasPrefix(text, strconv.Itoa(code)+" ")) {
		o := assay.OutcomeOf(code, false)
		if o == assay.ClientError && code < 400 { // vegeta counts a redirect that it did not follow as served, and so does who asked for it
			o = assay.OK
		}
		if o == assay.OK {
			return o, ""
		}
		return o, strconv.Itoa(code)
	}
	for _, t := range troubles {
		if strings.Contains(text, t.text) {
			if !begun && (t.outcome == assay.CutFIN || t.outcome == assay.CutRST) {
				return assay.Reset, t.says
			}
			return t.outcome, t.says
		}
	}
	return assay.ServerError, "failed for a reason that is not known here"
}

type vegetaJSON struct {
	input.Lines
	tally *tally
	names names
}

func (v *vegetaJSON) next(r *row) error {
	b, err := v.Lines.Next()
	if err != nil {
		return err
	}
	var h hit
	if err := json.Unmarshal(b, &h); err != nil {
		if v.Torn {
			v.tally.note(tornText, 1)
			return io.EOF
		}
		return v.Bad(v.N, "the line", string(b), "a JSON object of vegeta encode")
	}
	return h.row(v.File, v.N, v.names, r)
}

type vegetaCSV struct {
	table *table
	names names
}

func (v *vegetaCSV) next(r *row) error {
	if err := v.table.next(); err != nil {
		return err
	}
	t, in := v.table, v.table.in
	var h hit
	var n [5]int64
	for i, what := range []string{"timestamp", "code", "latency", "bytes out", "bytes in"} {
		var err error
		if n[i], err = strconv.ParseInt(t.fields[i], 10, 64); err != nil {
			return t.torn(in.Bad(t.line, what, t.fields[i], "a whole number"))
		}
	}
	h.Time, h.Code, h.Latency, h.BytesOut, h.BytesIn = time.Unix(0, n[0]), int(n[1]), n[2], n[3], n[4]
	h.Error, h.Attack = t.fields[5], t.fields[7]
	return h.row(in, t.line, v.names, r)
}

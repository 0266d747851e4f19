package importers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// k6 reads k6's JSON output: one point of one metric a line. The points of one HTTP request follow one another and carry one time, its end.
type k6 struct {
	input.Lines
	tally  *tally
	names  names
	base   string
	begun  bool // open holds a request
	open   point
	at     int64
	line   int
	took   [3]float64 // ms: of http_req_duration, blocked and receiving; NaN: not told
	queued []row
	noted  bool // that the file is torn
}

type point struct {
	Metric string `json:"metric"`
	Type   string `json:"type"`
	Data   struct {
		Time  time.Time `json:"time"`
		Value float64   `json:"value"`
		Tags  struct {
			Scenario string `json:"scenario"`
			User     string `json:"user"` // that a script sets; a virtual user is a user only where none is shared, which nothing tells
			UserID   string `json:"user_id"`
			Session  string `json:"session_id"`
			Name     string `json:"name"`
			Status   string `json:"status"`
			Code     string `json:"error_code"`
			Expected string `json:"expected_response"`
		} `json:"tags"`
	} `json:"data"`
}

const checksText = "%d checks of k6 failed; it does not say of which request, so they are no outcomes here"

// wanted are the metrics that matter here; the rest of a file, which is most of it, need not be understood.
var wanted = [][]byte{[]byte(`"http_reqs"`), []byte(`"http_req_duration"`), []byte(`"http_req_blocked"`), []byte(`"http_req_receiving"`), []byte(`"vus"`),
	[]byte(`"dropped_iterations"`), []byte(`"checks"`)}

func isK6(head []byte) bool {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(first, []byte("{")) && bytes.Contains(first, []byte(`"metric":`)) && (bytes.Contains(first, []byte(`"Metric"`)) || bytes.Contains(first, []byte(`"Point"`)))
}

func openK6(in *input.File, _ *Settings, t *tally) (reader, error) {
	return &k6{Lines: input.Lines{File: in}, tally: t, names: names{}, base: filepath.Base(in.Path)}, nil
}

func (k *k6) next(r *row) error {
	for len(k.queued) == 0 {
		b, err := k.Lines.Next()
		if err == io.EOF && k.begun {
			if err := k.finish(); err != nil {
				return err
			}
			break
		}
		if err != nil {
			return err
		}
		any := false
		for _, m := range wanted {
			any = any || bytes.Contains(b, m)
		}
		if !any && len(b) > 0 && b[0] == '{' && !k.Torn {
			continue
		}
		var p point
		if err := json.Unmarshal(b, &p); err != nil {
			if k.Torn {
				k.cut()
				continue
			}
			return k.Bad(k.N, "the line", string(b), "a JSON object of k6's output")
		}
		if p.Type == "Point" {
			if err := k.point(&p); err != nil {
				return err
			}
		}
	}
	if len(k.queued) == 0 {
		return io.EOF
	}
	*r = k.queued[0]
	k.queued = k.queued[1:]
	return nil
}

// point takes one point.
func (k *k6) point(p *point) error {
	at := p.Data.Time.UnixNano()
	if y := p.Data.Time.Year(); y < 2000 || y > 2200 {
		return k.Bad(k.N, "time", p.Data.Time.Format(time.RFC3339), "a date after the year 2000")
	}
	i := -1
	switch p.Metric {
	case "http_reqs":
		if err := k.finish(); err != nil {
			return err
		}
		k.begun, k.open, k.at, k.line = true, *p, at, k.N
		k.took = [3]float64{math.NaN(), math.NaN(), math.NaN()}
	case "http_req_duration":
		i = 0
	case "http_req_blocked":
		i = 1
	case "http_req_receiving":
		i = 2
	case "vus":
		k.tally.level("k6_vus", k.names.of(k.base), at, p.Data.Value)
	case "dropped_iterations":
		if v := p.Data.Value; !(v >= 1 && v <= 1e6) {
			return k.Bad(k.N, "dropped_iterations", strconv.FormatFloat(v, 'g', -1, 64), "a count")
		}
		r := newRow(k.Path, k.N)
		r.due, r.times, r.NoSchedule, r.end = at, int(p.Data.Value), true, 0
		r.Phase, r.Outcome, r.Error = k.phase(p), assay.RefusedByCap, "k6 dropped the iteration: no virtual user was free"
		k.queued = append(k.queued, r)
	case "checks":
		if p.Data.Value == 0 {
			k.tally.note(checksText, 1)
		}
	}
	if i >= 0 && k.begun && at == k.at {
		if !(p.Data.Value >= 0 && p.Data.Value < 1e12) {
			return k.Bad(k.N, p.Metric, strconv.FormatFloat(p.Data.Value, 'g', -1, 64), "milliseconds")
		}
		k.took[i] = p.Data.Value
	}
	return nil
}

func (k *k6) phase(p *point) string {
	if p.Data.Tags.Scenario == "" {
		return "load"
	}
	return k.names.of(p.Data.Tags.Scenario)
}

// cut notes, once, that the file is torn.
func (k *k6) cut() {
	if !k.noted {
		k.noted = true
		k.tally.note(tornText, 1)
	}
}

// finish queues the request whose points have been read.
func (k *k6) finish() error {
	if !k.begun {
		return nil
	}
	k.begun = false
	r, p := newRow(k.Path, k.line), &k.open
	if math.IsNaN(k.took[0]) {
		if k.Torn {
			k.cut()
			return nil
		}
		return r.bad("no http_req_duration follows this http_reqs: want all metrics of k6's output in one file")
	}
	ms := func(v float64) int64 { return int64(math.Round(v * 1e6)) }
	duration, blocked := ms(k.took[0]), int64(0)
	if !math.IsNaN(k.took[1]) {
		blocked = ms(k.took[1])
	}
	r.due, r.sent, r.end, r.NoSchedule = k.at-duration-blocked, 0, duration+blocked, true
	t := &p.Data.Tags
	status, _ := strconv.Atoi(t.Status)
	code, _ := strconv.Atoi(t.Code)
	r.Status = int32(status)
	if v := k.took[2]; status != 0 && !math.IsNaN(v) && ms(v) <= duration {
		r.firstByte = r.end - ms(v)
	}
	r.Phase = k.phase(p)
	if !strings.Contains(t.Name, "://") { // a request without a name of its own has its URL, which may hold a secret
		r.Class = k.names.of(t.Name)
	}
	r.User = pseudonym(cmp.Or(t.User, t.UserID, t.Session))
	r.Outcome, r.Error = k6Outcome(status, code, t.Expected == "true")
	k.queued = append(k.queued, r)
	return nil
}

// k6Outcome reads k6's tags: the HTTP status, its own code of the error and whether the script expected the answer.
func k6Outcome(status, code int, expected bool) (assay.Outcome, string) {
	broken := func(o assay.Outcome, says string) (assay.Outcome, string) {
		if status == 0 {
			o = assay.Reset
		}
		return o, says
	}
	switch {
	case code == 1050:
		return assay.Timeout, "request timeout"
	case code == 1211:
		return assay.Timeout, "connect timed out"
	case code == 1212:
		return assay.Refused, "connection refused"
	case code == 1201 || code == 1220:
		return broken(assay.CutRST, "connection reset by peer")
	case code == 1020 || code == 1110 || code == 1111:
		return assay.ClientError, "the script's own address is not allowed"
	case code >= 1100 && code < 1200:
		return assay.Unresolved, "lookup failed"
	case code >= 1210 && code < 1220:
		return assay.Unresolved, "connect failed"
	case code >= 1300 && code < 1400:
		return assay.Unresolved, "TLS failed"
	case code >= 1600 && code < 1700:
		return broken(assay.CutRST, "HTTP/2 stream or connection error")
	case code == 1701:
		return assay.BadPayload, "the answer cannot be unpacked"
	case code != 0 && code < 1400, status == 0:
		return broken(assay.CutFIN, "connection closed by the server")
	case expected:
		return assay.OK, ""
	}
	o := assay.OutcomeOf(status, false)
	if o == assay.OK {
		return assay.WrongContent, "the script did not expect this status"
	}
	return o, strconv.Itoa(status)
}

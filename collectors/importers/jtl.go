package importers

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// jtl turns samples of JMeter into rows.
type jtl struct {
	in     *input.File
	tally  *tally
	ends   bool
	labels names
}

// A sample is what a .jtl file says of one sample, as text.
type sample struct {
	stamp, elapsed, latency, idle, label, code, message string
	success                                             string
	failure                                             string // what its assertions said
	assertion                                           string // name of the first that failed, where it is told
	bytes, sent, threads, thread, count, host           string
}

// whole is how JMeter's own rows begin that sum up a transaction controller's samples.
const whole = "Number of samples in transaction"

// slow begins what a duration assertion says.
const slow = "The operation lasted too long"

const (
	transactionText = "%d rows of transaction controllers sum up other rows and were left out"
	durationText    = "%d samples failed only because JMeter's duration assertion found them slow: they count as served; say what is too slow with an objective, for example e2e/p95"
)

func isJTL(head []byte) bool {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.Contains(first, []byte("timeStamp")) && bytes.Contains(first, []byte("elapsed")) {
		return true
	}
	return isJTLXML(head) || plainJTL(string(bytes.TrimRight(first, "\r")))
}

func isJTLXML(head []byte) bool {
	return bytes.Contains(head, []byte("<testResults")) || bytes.HasPrefix(bytes.TrimSpace(head), []byte("<?xml"))
}

func openJTL(in *input.File, s *Settings, t *tally) (reader, error) {
	head, err := in.Peek()
	if err != nil {
		return nil, err
	}
	j := jtl{in: in, tally: t, ends: s.EndOnly, labels: names{}}
	if isJTLXML(head) {
		return newJTLXML(j), nil
	}
	return newJTLCSV(j)
}

// row fills in r, and reports false for a sample that is no request.
func (j *jtl) row(s *sample, line int, r *row) (bool, error) {
	*r = newRow(j.in.Path, line)
	at, _, ok := j.in.Instant(s.stamp, 1e6)
	if !ok {
		return false, j.in.Bad(line, "timeStamp", s.stamp, "milliseconds since 1970 or a date with a time")
	}
	if at < year2000 {
		return false, j.in.Bad(line, "timeStamp", s.stamp, "milliseconds since 1970, after the year 2000")
	}
	if strings.HasPrefix(s.message, whole) {
		j.tally.note(transactionText, 1)
		return false, nil
	}
	if s.count != "" && s.count != "1" {
		return false, j.in.Bad(line, "SampleCount", s.count, "1: a file of single samples, not of sums")
	}
	elapsed, err := j.millis(line, "elapsed", s.elapsed)
	if err != nil {
		return false, err
	}
	latency, err := j.millis(line, "Latency", s.latency)
	if err != nil {
		return false, err
	}
	idle, err := j.millis(line, "IdleTime", s.idle)
	if err != nil {
		return false, err
	}
	if j.ends {
		at -= elapsed + idle
	}
	r.due, r.sent, r.end, r.NoSchedule = at, 0, elapsed, true
	if latency > 0 && latency <= elapsed {
		r.firstByte = latency
	}
	if r.BytesIn, err = j.count(line, "bytes", s.bytes); err != nil {
		return false, err
	}
	if r.BytesOut, err = j.count(line, "sentBytes", s.sent); err != nil {
		return false, err
	}
	if threads, err := j.count(line, "allThreads", s.threads); err != nil {
		return false, err
	} else if s.threads != "" {
		source := s.host
		if source == "" {
			source = filepath.Base(j.in.Path)
		}
		j.tally.level("jmeter_threads", j.labels.of(source), at, float64(threads))
	}
	r.Phase, r.Class = "load", j.labels.of(s.label)
	r.User = pseudonym(s.thread) // what JMeter calls a thread is a user of its own
	return true, j.outcome(s, line, r)
}

func (j *jtl) millis(line int, what, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	v, ok := input.Number(text, 1e6)
	if !ok || v < 0 {
		return 0, j.in.Bad(line, what, text, "milliseconds")
	}
	return v, nil
}

func (j *jtl) count(line int, what, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 {
		return 0, j.in.Bad(line, what, text, "a count")
	}
	return v, nil
}

// outcome judges the sample.
func (j *jtl) outcome(s *sample, line int, r *row) error {
	status := 0
	if n, err := strconv.Atoi(s.code); err == nil && n >= 100 && n <= 599 {
		status = n
	}
	r.Status = int32(status)
	switch s.success {
	case "true":
		r.Outcome = assay.OK
		return nil
	case "", "false":
	default:
		return j.in.Bad(line, "success", s.success, "true or false")
	}
	if s.success == "" && status == 0 && s.code == "" {
		return j.in.Bad(line, "success", "", "true or false, or a responseCode")
	}
	switch {
	case status != 0 && (status < 200 || status >= 400 || s.failure == ""):
		r.Outcome = assay.OutcomeOf(status, strings.Contains(strings.ToLower(s.message), "loading"))
		if r.Outcome == assay.OK && s.success == "false" {
			r.Outcome, r.Error = assay.WrongContent, "the test plan marked it as failed"
		} else if r.Outcome != assay.OK {
			r.Error = s.code
		}
	case strings.HasPrefix(s.code, nonHTTP):
		r.Outcome, r.Error = exception(strings.TrimSpace(s.code[len(nonHTTP):]), s.message, r.firstByte != unseen)
	case strings.HasPrefix(s.failure, slow):
		r.Outcome = assay.OK
		j.tally.note(durationText, 1)
	case s.failure != "":
		r.Outcome, r.Error = assay.WrongContent, "an assertion failed"
		if s.assertion != "" {
			r.Error = "assertion failed: " + brief(s.assertion)
		}
	default:
		r.Outcome, r.Error = assay.ServerError, "failed with a code of the test plan's own"
	}
	return nil
}

// brief makes v one line of at most 160 bytes.
func brief(v string) string {
	v = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, v)
	if len(v) > 160 {
		v = strings.ToValidUTF8(v[:160], "") + "…"
	}
	return v
}

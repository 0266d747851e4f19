package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// maxStreams bounds the environments of one log.
const maxStreams = 200_000

var lambdaKind = input.Kind{
	Name: "lambda", Things: "log lines", Proven: collectors.Recorded,
	By:   "the runtime interface emulator's stdout and stderr; AWS's own forms from its documents",
	Help: "Logs of AWS Lambda in text or JSON, Telemetry API events, CloudWatch exports, filter-log-events, Logs Insights as CSV or JSON.",
	Options: []input.Option{
		{Name: "instance", Help: "log stream of a log that names none"},
		{Name: "stderr", Help: "file that the runtime interface emulator wrote on stderr while it wrote this one: it has the times"},
		{Name: "region", Help: "of a log group at a URL; that of the endpoint or of the environment where none is given"},
		counts,
	},
	Hop: true,
	Is:  isLambda, Read: readLambda, Fetch: fetchLogs,
}

var lambdaLine = regexp.MustCompile(`(?m)(^|[\s"])((START|END) RequestId: [0-9a-f-]{36}|REPORT RequestId: |INIT_START Runtime Version|\(rapid\) )|"type"\s*:\s*"platform\.|@requestId|searchedLogStreams`)

func isLambda(_ string, head []byte) bool { return lambdaLine.Match(head) }

// A functionLog is the log of one function while it is read.
type functionLog struct {
	path   string
	tally  *input.Tally
	emit   func(assay.Record) error
	zone   *time.Location
	named  string // instance of lines that name none
	envs   map[string]*environment
	order  []*environment
	other  *companion
	begin  int64
	end    int64
	sample assay.Sample

	timeless bool // an invocation had no time
	emulated bool // it holds lines of the runtime interface emulator itself
	reported bool // it holds lines that end in what was billed and used

	again func(key string) bool // whether a line was told before
}

func readLambda(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	l := &functionLog{again: in.Again, path: in.Path, tally: in.Tally, emit: emit, zone: in.Zone, named: in.Option("instance"), envs: map[string]*environment{}}
	if path := in.Option("stderr"); path != "" {
		var err error
		if l.other, err = openCompanion(path, in.Zone, in.Tally); err != nil {
			return err
		}
		l.named = orBase(l.named, in.Path)
	}
	if l.named == "" && strings.HasPrefix(filepath.Base(in.Path), "000000") { // an export to S3 has a directory for each stream
		l.named = filepath.Base(filepath.Dir(in.Path))
	}
	if l.named == "" {
		one, ok := in.State.(bool)
		if !ok {
			one = oneAtATime(in.Path)
			in.State = one
		}
		if one {
			l.named = orBase("", in.Path)
		}
	}
	line := func(e *entry) error {
		if why := in.Untrue(e.at); e.at != 0 && why != "" {
			in.Tally.Omit(why, 1)
			return nil
		}
		return l.line(e)
	}
	if err := read(in, line); err != nil {
		return err
	}
	if l.other != nil {
		if err := l.other.rest(l); err != nil {
			return err
		}
	}
	for _, e := range l.order {
		if err := e.flush(); err != nil {
			return err
		}
		if err := e.abandon(true); err != nil {
			return err
		}
		if err := e.flush(); err != nil {
			return err
		}
	}
	if l.begin == 0 && l.timeless {
		return fmt.Errorf("%s: its lines have no time stamps: want a log that has them, or the option stderr= for what the runtime interface emulator wrote on stderr", in.Path)
	}
	if l.emulated && !l.reported {
		in.Tally.Note("it holds what the runtime interface emulator wrote on stderr alone: memory, billed times and errors of handlers stand on its stdout; --lambda STDOUT,stderr=THIS reads both together", 1)
	}
	return phaseOf(l.begin, l.end, l.emit)
}

// oneAtATime reports whether a log whose lines name no stream can be that of one environment: no two invocations overlap in it.
func oneAtATime(path string) bool {
	f, err := input.OpenFile(path)
	if err != nil {
		return false
	}
	defer f.Close()
	open, last := map[string]bool{}, ""
	different := errors.New("different")
	return read(&input.Input{File: f, Tally: &input.Tally{}}, func(e *entry) error {
		h := untold()
		if text := bytes.TrimSpace(e.text); len(text) > 0 && text[0] == '{' {
			parseEvent(text, &h)
		} else {
			parseText(text, &h)
		}
		switch {
		case h.what == invokeStart && len(open) >= maxOpen:
			return different
		case h.what == invokeStart:
			open[h.id], last = true, h.id
		case (h.what == invokeEnd || h.what == invokeReport) && open[h.id]:
			if h.id != last {
				return different
			}
			delete(open, h.id)
		}
		return nil
	}) == nil
}

func orBase(name, path string) string {
	if name != "" {
		return name
	}
	name, _, _ = strings.Cut(filepath.Base(path), ".")
	return name
}

// line takes one line or event.
func (l *functionLog) line(en *entry) error {
	h := untold()
	text := bytes.TrimSpace(en.text)
	switch {
	case en.report != nil:
		h = *en.report
	case len(text) == 0:
		l.tally.Reject("empty", 1)
		return nil
	case text[0] == '{':
		if !parseEvent(text, &h) {
			l.tally.Reject("no event of Lambda", 1)
			return nil
		}
	default:
		parseText(text, &h)
	}
	if h.at == 0 {
		h.at, h.resolution = en.at, en.resolution
	}
	if h.stream == "" {
		h.stream = en.stream
	}
	if h.what == nothing {
		l.tally.Reject("says nothing we record", 1)
		return nil
	}
	if l.other != nil {
		return l.other.join(l, &h)
	}
	if h.at != 0 && h.id != "" && l.again(fmt.Sprint(h.what, h.at, h.id, h.stream, " ", string(text))) { // an invocation that is tried again has its id, and another time
		l.tally.Reject(input.Duplicate, 1)
		return nil
	}
	return l.happen(&h)
}

// happen hands a happening to its environment.
func (l *functionLog) happen(h *happening) error {
	l.emulated, l.reported = l.emulated || h.rapid, l.reported || h.what == invokeReport
	if h.stream == "" && l.named == "" && h.rapid { // the emulator has one environment
		l.named = orBase("", l.path)
	}
	if h.stream == "" {
		h.stream = l.named
	}
	e := l.envs[h.stream]
	if e == nil {
		if len(l.envs) >= maxStreams {
			return fmt.Errorf("%s: more than %d log streams", l.path, maxStreams)
		}
		e = &environment{log: l, name: h.stream, initTook: -1, used: -1}
		l.envs[h.stream] = e
		l.order = append(l.order, e)
	}
	return e.take(h)
}

func (l *functionLog) keep(*happening) { l.tally.Keep(1) }

func (l *functionLog) reject(why string, n int64) { l.tally.Reject(why, n) }

func (l *functionLog) resolution(ns int64) { l.tally.Resolution = max(l.tally.Resolution, ns) }

// request emits a request, which belongs to the one phase that a log has.
func (l *functionLog) request(r *assay.Request) error {
	r.Phase = recorded
	if l.begin == 0 || r.Due < l.begin {
		l.begin = r.Due
	}
	l.end = max(l.end, r.Due, r.End)
	return l.emit(r)
}

func (l *functionLog) event(e *assay.Event) error { return l.emit(e) }

// memory emits how much an invocation had used.
func (l *functionLog) memory(stream string, at, size, used int64) error {
	for _, m := range []struct {
		name  string
		bytes int64
	}{{"aws_lambda_memory_size_bytes", size}, {"aws_lambda_max_memory_used_bytes", used}} {
		l.sample = assay.Sample{Name: m.name, Time: at, Value: float64(m.bytes)}
		if stream != "" {
			l.sample.Labels = []assay.Label{{Name: "instance", Value: stream}}
		}
		if err := l.emit(&l.sample); err != nil {
			return err
		}
	}
	return nil
}

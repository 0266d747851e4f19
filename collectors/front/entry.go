package front

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/assay-dev/assay"
)

// An entry is what one line tells. Times are ns; -1 stands for what it does not tell.
type entry struct {
	begin, end int64 // Unix; end is 0 and begin the stamp where no time of the request is told
	resolution int64
	took       int64
	upstream   int64 // of all attempts together
	connect    int64 // of the last attempt, to its connection
	first      int64 // of the last attempt, to its first byte
	firstByte  int64 // from begin to the first byte of the upstream
	hop        int64
	retries    int64
	code       int32
	outcome    assay.Outcome
	why        string // of a failure
	gone       bool   // the client went away
	bytesIn    int64  // of the request
	bytesOut   int64
	server     []byte // address of the last server that was asked
	method     []byte
	path       []byte // without its query
	user       []byte // who asked, as the line has it
	trace      assay.TraceID
	span       assay.SpanID // the hop's own
	parent     assay.SpanID
}

// maxTook bounds the time of one request: a month.
const maxTook = 31 * 24 * 3600 * int64(1e9)

// read makes an entry of the values of a line, or says why it cannot.
func (d *decoder) read(v *values, e *entry) (why string) {
	*e = entry{took: -1, upstream: -1, connect: -1, first: -1, firstByte: -1, hop: -1, retries: -1}
	e.request(v)
	if why := d.unwanted(e, v); why != "" {
		return why
	}
	code, _ := whole(v[status])
	e.code = int32(min(code, 999))
	e.bytesIn, _ = whole(v[bytesIn])
	e.bytesOut, _ = whole(v[bytesOut])
	e.links(v)
	e.asker(v)
	if d.kind == "envoy" {
		why = d.envoy(v, e)
	} else {
		why = d.nginx(v, e)
	}
	if why == "" && (e.begin <= 0 || e.end != 0 && e.end < e.begin) {
		why = outOfRange
	}
	return why
}

const (
	noStamp    = "no time that can be read"
	outOfRange = "a time out of range"
)

// request reads what was asked for.
func (e *entry) request(v *values) {
	e.method, e.path = v[method], v[path]
	if line := v[requestLine]; len(line) > 0 {
		if i := bytes.IndexByte(line, ' '); i > 0 {
			e.method, e.path = line[:i], line[i+1:]
			if i := bytes.LastIndexByte(e.path, ' '); i >= 0 {
				e.path = e.path[:i]
			}
		}
	}
	if i := bytes.IndexByte(e.path, '?'); i >= 0 {
		e.path = e.path[:i]
	}
	if len(e.method) > 20 || !upper(e.method) { // bytes that are no HTTP
		e.method = nil
	}
}

// links reads the trace of a line.
func (e *entry) links(v *values) {
	if t := v[traceparent]; len(t) >= 55 && t[2] == '-' && t[35] == '-' && t[52] == '-' {
		if unhex(e.trace[:], t[3:35]) {
			unhex(e.parent[:], t[36:52])
		}
	}
	if e.trace.IsZero() {
		unhex(e.trace[:], v[traceID])
	}
	if e.trace.IsZero() {
		return
	}
	unhex(e.span[:], v[spanID])
	if len(v[parentID]) > 0 {
		unhex(e.parent[:], v[parentID])
	}
}

// asker reads who asked: a person before a session.
func (e *entry) asker(v *values) {
	for _, f := range []field{userID, sessionID} {
		if len(v[f]) > 0 && !dash(v[f]) {
			e.user = v[f]
			return
		}
	}
}

// unhex fills to with what text says in hexadecimal, or with zeros.
func unhex(to, text []byte) bool {
	ok := len(text) == 2*len(to)
	for i := 0; ok && i < len(to); i++ {
		hi, lo := nibble(text[2*i]), nibble(text[2*i+1])
		if ok = hi < 16 && lo < 16; ok {
			to[i] = hi<<4 | lo
		}
	}
	if !ok {
		clear(to)
	}
	return ok
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// whole reads a number without a sign.
func whole(b []byte) (int64, bool) {
	if !digits(b) || len(b) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// seconds reads a time in seconds as ns; -1: it is none, or out of range.
func seconds(b []byte) int64 {
	b = bytes.TrimSpace(b)
	point := bytes.IndexByte(b, '.')
	if point < 0 {
		point = len(b)
	}
	n, ok := whole(b[:point])
	if !ok || n > maxTook/1e9 {
		return -1
	}
	part, unit := int64(0), int64(1e9)
	for _, c := range b[min(point+1, len(b)):] {
		if c < '0' || c > '9' {
			return -1
		}
		if unit > 1 {
			unit /= 10
			part += int64(c-'0') * unit
		}
	}
	return n*1e9 + part
}

// millis reads a time in milliseconds as ns; -1: it is none, or out of range.
func millis(b []byte) int64 {
	n, ok := whole(b)
	if !ok || n > maxTook/1e6 {
		return -1
	}
	return n * 1e6
}

// attempts calls do with each element of a list and returns how many there are and how many of them were asked after another had
// been asked in vain.
func attempts(b []byte, do func(element []byte)) (n, retries int64) {
	for len(b) > 0 {
		at := bytes.IndexAny(b, ", ")
		if at < 0 {
			at = len(b)
		}
		if do != nil {
			do(b[:at])
		}
		n++
		switch rest := b[at:]; {
		case bytes.HasPrefix(rest, []byte(", ")):
			b = rest[2:]
			retries++
		case bytes.HasPrefix(rest, []byte(" : ")):
			b = rest[3:]
		default:
			return n, retries
		}
	}
	return n, retries
}

// code returns the text of a status, which is less than a thousand.
func code(n int32) string { return codes()[n] }

var codes = sync.OnceValue(func() []string {
	out := make([]string, 1000)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
})

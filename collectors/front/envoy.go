package front

import (
	"bytes"
	"net/http"
	"time"

	"github.com/assay-dev/assay"
)

// A flag is what Envoy says of a response beside its status.
type flag struct {
	name    string
	outcome assay.Outcome // that it makes, whatever the status; OutcomeUnknown: the status decides
	cut     assay.Outcome // that it makes of a status that is good; OutcomeUnknown: none
	why     string
}

// flagTable is that of Envoy's documentation, those that tell most first.
var flagTable = []flag{
	{"DC", assay.Unfinished, 0, clientGone},
	{"UO", assay.Throttled, 0, "overflow: the circuit breaker is open"},
	{"RL", assay.Throttled, 0, "rate limited"},
	{"OM", assay.Throttled, 0, "shed by the overload manager"},
	{"UAEX", assay.Credential, 0, "refused by external authorization"},
	{"UF", 0, assay.Unavailable, "no connection to the upstream"},
	{"UH", 0, assay.Unavailable, "no healthy upstream"},
	{"UT", 0, assay.Timeout, "the upstream took too long"},
	{"UC", 0, assay.CutFIN, "the upstream closed its connection"},
	{"UR", 0, assay.CutRST, "the upstream reset"},
	{"LR", 0, assay.CutRST, "the connection was reset locally"},
	{"UPE", 0, assay.BadPayload, "the upstream broke the protocol"},
	{"UMSDR", 0, assay.CutRST, "the stream reached its longest duration"},
	{"SI", 0, assay.CutStall, "the stream was idle for too long"},
	{"DT", 0, assay.Timeout, "the request took too long"},
	{"DO", 0, assay.Unavailable, "dropped for overload"},
	{"DPE", assay.ClientError, 0, "the client broke the protocol"},
	{"NR", assay.ClientError, 0, "no route"},
	{"NC", 0, assay.Unavailable, "no such cluster"},
	{"LH", 0, assay.Unavailable, "the health check of this Envoy fails"},
	{"IH", assay.ClientError, 0, "a header was refused"},
	{"NFCF", 0, assay.ServerError, "the filters' configuration is missing"},
	{"URX", 0, assay.Unavailable, "all retries were used"},
	{"FI", 0, 0, "a fault that Envoy was told to inject"},
	{"DI", 0, 0, "delayed by a fault that Envoy was told to inject"},
}

// envoy fills in what a line of Envoy tells.
func (d *decoder) envoy(v *values, e *entry) (why string) {
	e.begin, e.resolution = d.instant(v[stampStart]), int64(time.Millisecond)
	if e.begin == 0 {
		return noStamp
	}
	if t := v[durationMS]; len(t) > 0 && !dash(t) {
		if e.took = millis(t); e.took < 0 {
			return outOfRange
		}
		e.end = e.begin + e.took
	}
	e.firstByte, e.first = millis(v[firstByteMS]), millis(v[serviceMS])
	if e.took >= 0 && e.firstByte > e.took {
		e.firstByte = -1
	}
	if e.firstByte >= 0 && e.first >= 0 {
		e.hop = max(0, e.firstByte-e.first)
		if e.took >= 0 {
			e.upstream = max(0, e.took-e.hop)
		}
	}
	if n, ok := whole(v[attemptCount]); ok && n > 0 {
		e.retries = n - 1
	} else if ok {
		e.retries = 0
	}
	if e.server = v[upstreamAddr]; dash(e.server) {
		e.server = nil
	}
	e.judge(v[flags])
	return ""
}

// judge decides how a request ended from its status and flags.
func (e *entry) judge(list []byte) {
	if e.outcome = outcomeOf(e.code); e.code == 0 {
		e.outcome = assay.OutcomeUnknown
	}
	if e.outcome != assay.OK && e.outcome != assay.OutcomeUnknown {
		e.why = http.StatusText(int(e.code))
	}
	for i := range flagTable {
		f := &flagTable[i]
		if !flagged(list, f.name) {
			continue
		}
		e.gone = f.name == "DC"
		switch {
		case f.outcome != assay.OutcomeUnknown:
			e.outcome, e.why = f.outcome, f.why
		case f.cut != assay.OutcomeUnknown && (e.outcome == assay.OK || e.outcome == assay.OutcomeUnknown):
			e.outcome, e.why = f.cut, f.why
		case e.outcome != assay.OK:
			e.why = f.why
		}
		return
	}
}

// flagged reports whether a flag is in the list.
func flagged(list []byte, name string) bool {
	for len(list) > 0 {
		n := bytes.IndexByte(list, ',')
		if n < 0 {
			return string(list) == name
		}
		if string(list[:n]) == name {
			return true
		}
		list = list[n+1:]
	}
	return false
}

package logs

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

var envoyKind = input.Kind{
	Name: "envoy", Things: "lines", Proven: collectors.Documents, By: "Envoy's and Istio's documents of their access logs' default formats and of response flags",
	Help:    "Envoy access logs: its default format, Istio's, or JSON. Response flags tell why a request failed.",
	Options: accessOptions, Is: isEnvoy, Read: readEnvoy,
}

var (
	envoyLine = regexp.MustCompile(`^\[(\d{4}-\d{2}-\d{2}T[0-9:.]+Z)\] "([^"]*)" (\d{1,3}) (\S+) (?:.* )?(\d+) (\d+) (\d+) (\d+|-) "([^"]*)" "([^"]*)" "([^"]*)" "([^"]*)" "([^"]*)"`)
	envoyJSON = regexp.MustCompile(`"(response_flags|upstream_service_time)"\s*:`)
)

func isEnvoy(_ string, head []byte) bool { return envoyLine.Match(head) || envoyJSON.Match(head) }

func readEnvoy(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	return readAccess(ctx, in, emit, "envoy", func(raw []byte, h *hop) string {
		var v map[string]string
		if raw[0] == '{' {
			v = members(raw)
		} else if m := envoyLine.FindSubmatch(raw); m != nil {
			v = map[string]string{"start_time": string(m[1]), "response_code": string(m[3]), "response_flags": string(m[4]), "bytes_received": string(m[5]), "bytes_sent": string(m[6]),
				"duration": string(m[7]), "upstream_service_time": string(m[8]), "request_id": string(m[11]), "upstream_host": string(m[13])}
		}
		if v == nil {
			return "not of the format"
		}
		return envoyHop(v, h)
	})
}

// envoyHop makes a hop of the fields of a line.
func envoyHop(v map[string]string, h *hop) string {
	t, err := time.Parse(time.RFC3339Nano, v["start_time"])
	if err != nil || t.Year() < 1971 || t.Year() > 2250 {
		return "a line without a time"
	}
	if !h.judge(v["response_code"]) {
		return "a line without a status"
	}
	h.at, h.resolution = t.UnixNano(), int64(time.Millisecond)
	h.took = duration(v["duration"], int64(time.Millisecond))
	h.behind = duration(v["upstream_service_time"], int64(time.Millisecond))
	h.in, h.out = size(v["bytes_received"]), size(v["bytes_sent"])
	h.upstream = last(list(v["upstream_host"]))
	if h.tries = 1; h.upstream == "" {
		h.tries = 0
	}
	h.traceOf(or(v["traceparent"], or(v["trace_id"], v["request_id"])))
	for flag := range strings.SplitSeq(v["response_flags"], ",") {
		if f, ok := flags[strings.TrimSpace(flag)]; ok {
			h.outcome, h.error = f.outcome, f.says
			break
		}
	}
	return ""
}

type flag struct {
	outcome assay.Outcome
	says    string
}

// flags are Envoy's response flags that tell more than the status. Those that tell of a request's own errors leave it to the status.
var flags = map[string]flag{
	"UH":    {assay.Unavailable, "no healthy upstream"},
	"UF":    {assay.Unavailable, "no connection to the upstream"},
	"UC":    {assay.Unavailable, "the upstream closed the connection"},
	"UR":    {assay.Unavailable, "the upstream reset the stream"},
	"LR":    {assay.Unavailable, "reset by the proxy"},
	"URX":   {assay.Unavailable, "all retries failed"},
	"NC":    {assay.Unavailable, "no such cluster"},
	"LH":    {assay.Unavailable, "failed the health check"},
	"UT":    {assay.Timeout, "the upstream did not answer in time"},
	"UMSDR": {assay.Timeout, "the upstream's stream lasted too long"},
	"DT":    {assay.Timeout, "the request lasted too long"},
	"SI":    {assay.CutStall, "the stream stood still"},
	"UPE":   {assay.BadPayload, "the upstream broke the protocol"},
	"UO":    {assay.Throttled, "the circuit breaker is open"},
	"RL":    {assay.Throttled, "rate limited"},
	"RLSE":  {assay.Throttled, "the rate limiter failed"},
	"OM":    {assay.Throttled, "the proxy sheds load"},
	"DO":    {assay.Throttled, "the upstream sheds load"},
	"UAEX":  {assay.Credential, "denied by the authorisation service"},
	"NR":    {assay.ClientError, "no route"},
	"DPE":   {assay.ClientError, "the client broke the protocol"},
	"IH":    {assay.ClientError, "a header is not valid"},
	"DC":    {assay.Unfinished, "the client went away before the answer"},
}

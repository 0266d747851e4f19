package front

import "strings"

// A field is something that a line may tell.
type field uint8

// The fields. Those before lists hold one value, the others a list with one element an attempt.
const (
	skipped          field = iota
	stampMsec              // s since 1970
	stampISO               // ISO 8601
	stampLocal             // as the common log format has it
	stampStart             // Envoy's, of the beginning
	requestLine            // method, path and protocol
	method                 //
	path                   //
	status                 //
	bytesOut               // of the answer
	bytesIn                // of the request
	requestTime            // s
	durationMS             // ms
	firstByteMS            // ms from the beginning to the first byte of the upstream
	serviceMS              // ms that the upstream took to its first byte
	attemptCount           //
	flags                  // of Envoy
	traceparent            // W3C
	traceID                //
	spanID                 // the hop's own
	parentID               //
	agent                  //
	userID                 // of the person who asked
	sessionID              //
	upstreamAddr           // list
	upstreamStatus         // list
	upstreamConnect        // list, s
	upstreamHeader         // list, s
	upstreamResponse       // list, s
	fields
)

const lists = upstreamAddr

// variables are those of nginx's log_format that say something we record.
var variables = map[string]field{
	"msec": stampMsec, "time_iso8601": stampISO, "time_local": stampLocal, "request": requestLine, "request_method": method, "request_uri": path, "uri": path,
	"status": status, "body_bytes_sent": bytesOut, "bytes_sent": bytesOut, "request_length": bytesIn, "request_time": requestTime,
	"upstream_addr": upstreamAddr, "upstream_status": upstreamStatus, "upstream_connect_time": upstreamConnect, "upstream_header_time": upstreamHeader,
	"upstream_response_time": upstreamResponse, "http_traceparent": traceparent, "otel_trace_id": traceID, "opentelemetry_trace_id": traceID, "otel_span_id": spanID, "opentelemetry_span_id": spanID,
	"otel_parent_id": parentID, "http_user_agent": agent,
	"remote_user": userID, "http_x_user_id": userID, "http_x_user": userID, "http_x_session_id": sessionID, "cookie_session": sessionID, "cookie_sessionid": sessionID,
}

// commands are those of Envoy's formats, without their arguments but for headers.
var commands = map[string]field{
	"START_TIME": stampStart, "REQ(:METHOD)": method, "REQ(:PATH)": path, "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)": path, "RESPONSE_CODE": status, "BYTES_SENT": bytesOut,
	"BYTES_RECEIVED": bytesIn, "DURATION": durationMS, "RESPONSE_DURATION": firstByteMS, "RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)": serviceMS,
	"UPSTREAM_REQUEST_ATTEMPT_COUNT": attemptCount, "RESPONSE_FLAGS": flags, "REQ(TRACEPARENT)": traceparent, "TRACE_ID": traceID, "REQ(USER-AGENT)": agent,
	"REQ(X-USER-ID)": userID, "REQ(X-USER)": userID, "REQ(X-SESSION-ID)": sessionID,
	"UPSTREAM_HOST": upstreamAddr,
}

// keys are those of JSON and of key=value pairs beside the names of variables: what people and products call them.
var keys = map[string]map[string]field{
	"nginx": {
		"rt": requestTime, "uct": upstreamConnect, "uht": upstreamHeader, "urt": upstreamResponse, "us": upstreamStatus, "ua": upstreamAddr, "upstream_time": upstreamResponse,
		"upstreamtime": upstreamResponse, "upstreamhost": upstreamAddr, "time": stampISO, "timestamp": stampISO, "ts": stampISO, "method": method, "path": path, "url": path, "bytes": bytesOut,
		"requesttime": requestTime, "traceparent": traceparent, "trace_id": traceID, "traceid": traceID, "span_id": spanID, "user_agent": agent, "agent": agent,
		"user": userID, "user_id": userID, "userid": userID, "session_id": sessionID, "sessionid": sessionID,
	},
	"envoy": {
		"upstream_service_time": serviceMS, "x_envoy_upstream_service_time": serviceMS, "method": method, "path": path, "x_envoy_original_path": path, "traceparent": traceparent, "user_agent": agent,
		"attempt_count": attemptCount, "timestamp": stampStart, "status": status, "respflags": flags, "code": status,
		"user": userID, "user_id": userID, "x_user_id": userID, "session_id": sessionID, "x_session_id": sessionID,
	},
}

// named returns the field of a key of JSON or of a pair.
func named(kind string, key []byte) field {
	if len(key) > 40 {
		return skipped
	}
	var low [40]byte
	n := 0
	for i, c := range key {
		switch {
		case i == 0 && (c == '@' || c == '$'):
			continue
		case c == '-':
			c = '_'
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		low[n] = c
		n++
	}
	if f, ok := keys[kind][string(low[:n])]; ok {
		return f
	}
	if kind == "nginx" {
		return variables[string(low[:n])]
	}
	for i := range n {
		if c := low[i]; c >= 'a' && c <= 'z' {
			low[i] = c - 'a' + 'A'
		}
	}
	return commands[string(low[:n])]
}

// command returns the field of a command of Envoy, as it stands between two percent signs.
func command(text string) field {
	name, arg, ok := strings.Cut(text, "(")
	if !ok {
		return commands[text]
	}
	if name == "START_TIME" {
		return stampStart
	}
	arg, _, _ = strings.Cut(arg, ")")
	return commands[name+"("+strings.ToUpper(arg)+")"]
}

// fits reports whether a value can be one of the field. It tells layouts apart that differ only in what they mean.
func (f field) fits(v []byte) bool {
	switch f {
	case status, bytesOut, bytesIn, durationMS, firstByteMS, serviceMS, attemptCount:
		return dash(v) || digits(v)
	case requestTime:
		return dash(v) || decimal(v)
	case stampMsec:
		return decimal(v)
	case flags:
		return dash(v) || upper(v)
	}
	return true
}

func dash(v []byte) bool { return len(v) == 1 && v[0] == '-' }

func digits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(v) > 0
}

// decimal reports whether v is a number with a point, as nginx writes all times.
func decimal(v []byte) bool {
	point := false
	for i, c := range v {
		if c == '.' && !point && i > 0 && i < len(v)-1 {
			point = true
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return point
}

// upper reports whether v can be flags of Envoy: capitals with commas between them.
func upper(v []byte) bool {
	for _, c := range v {
		if (c < 'A' || c > 'Z') && c != ',' && (c < '0' || c > '9') {
			return false
		}
	}
	return len(v) > 0 && v[0] >= 'A'
}

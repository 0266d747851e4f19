package logs

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// combined is nginx's own format, for logs of which nothing is said.
const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

var nginxKind = input.Kind{
	Name: "nginx", Things: "lines", Proven: collectors.Live, By: "nginx 1.22 of Debian, over TLS",
	Help:    "nginx access logs: the combined format, the one that format= gives as in log_format, or JSON with variables' names; times of upstreams where logged.",
	Options: append([]input.Option{{Name: "format", Help: "the log_format's text, or @FILE that holds it"}}, accessOptions...),
	Is:      isNginx, Read: readNginx,
}

var combinedLine = regexp.MustCompile(`^\S+ - \S+ \[\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] "[^"]*" \d{3} `)

func isNginx(_ string, head []byte) bool { return combinedLine.Match(head) }

// A format reads lines of a log_format.
type format struct {
	re    *regexp.Regexp
	names []string
}

var variable = regexp.MustCompile(`\$(?:\{([a-z0-9_]+)\}|([a-z0-9_]+))`)

// parseFormat turns a log_format's text into what reads its lines.
func parseFormat(text string) (*format, error) {
	f := &format{}
	var re strings.Builder
	re.WriteString("^")
	at := 0
	for _, m := range variable.FindAllStringSubmatchIndex(text, -1) {
		re.WriteString(regexp.QuoteMeta(text[at:m[0]]))
		at = m[1]
		name := text[m[0]+1 : m[1]]
		f.names = append(f.names, strings.Trim(name, "{}"))
		re.WriteString("(.*?)")
	}
	if len(f.names) == 0 || len(f.names) > 200 {
		return nil, fmt.Errorf("format %q: want the text of a log_format with its variables, at most 200", text)
	}
	re.WriteString(regexp.QuoteMeta(text[at:]))
	if text == combined {
		re.WriteString(`(?: .*)?`) // many add to it
	}
	re.WriteString("$")
	var err error
	f.re, err = regexp.Compile(re.String())
	return f, err
}

func readNginx(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	text := in.Option("format")
	if name, ok := strings.CutPrefix(text, "@"); ok {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text = strings.TrimSpace(string(b))
	}
	if text == "" || text == "combined" {
		text = combined
	}
	f, err := parseFormat(text)
	if err != nil {
		return err
	}
	return readAccess(ctx, in, emit, "nginx", func(raw []byte, h *hop) string {
		var v map[string]string
		if raw[0] == '{' {
			v = members(raw)
		} else if m := f.re.FindSubmatch(raw); m != nil {
			v = make(map[string]string, len(f.names))
			for i, name := range f.names {
				v[name] = string(m[i+1])
			}
		}
		if v == nil {
			return "not of the format"
		}
		return nginxHop(v, in.Zone, h)
	})
}

// nginxHop makes a hop of the variables of a line. nginx writes it when the request has ended.
func nginxHop(v map[string]string, zone *time.Location, h *hop) string {
	end := int64(0)
	switch {
	case v["msec"] != "":
		end, h.resolution = max(duration0(v["msec"]), 0), int64(time.Millisecond)
	case v["time_local"] != "":
		if t, err := time.Parse("02/Jan/2006:15:04:05 -0700", v["time_local"]); err == nil {
			end, h.resolution = t.UnixNano(), int64(time.Second)
		}
	default:
		text := v["time_iso8601"] + v["time"] + v["timestamp"]
		if at, _, ok := input.Instant(text, int64(time.Second), zone); ok {
			end, h.resolution = at, fraction(text)
		}
	}
	if end <= 0 {
		return "a line without a time"
	}
	if !h.judge(v["status"]) {
		return "a line without a status"
	}
	h.at = end
	if h.took = duration(v["request_time"], int64(time.Second)); h.took >= 0 {
		h.at -= h.took
	}
	h.in, h.out = size(v["request_length"]), size(or(v["bytes_sent"], v["body_bytes_sent"]))
	h.traceOf(or(v["http_traceparent"], v["traceparent"]))
	if h.trace.IsZero() {
		h.traceOf(or(v["http_x_request_id"], or(v["x_request_id"], v["request_id"])))
	}
	responses := list(v["upstream_response_time"])
	h.tries = len(responses)
	h.behind, h.upstream = sum(responses), last(list(v["upstream_addr"]))
	if headers := list(v["upstream_header_time"]); len(headers) > 0 && len(headers) == len(responses) {
		before, header := sum(responses[:len(responses)-1]), duration(headers[len(headers)-1], int64(time.Second))
		if before >= 0 && header >= 0 {
			h.first = before + header
		}
	}
	return ""
}

// duration0 reads seconds since 1970.
func duration0(text string) int64 {
	ns, ok := input.Number(text, int64(time.Second))
	if !ok {
		return 0
	}
	return ns
}

// list takes apart "0.1, 0.2 : 0.3", one for each server that was tried and each internal redirect; "-" is nothing.
func list(text string) []string {
	var out []string
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		if part != ":" && len(out) < 1000 {
			out = append(out, part)
		}
	}
	if len(out) == 1 && out[0] == "-" {
		return nil
	}
	return out
}

// sum adds up seconds as ns; a try that was never begun took none. -1 where there is nothing to add.
func sum(parts []string) int64 {
	if parts == nil {
		return -1
	}
	total := int64(0)
	for _, p := range parts {
		if p == "-" {
			continue
		}
		d := duration(p, int64(time.Second))
		if d < 0 {
			return -1
		}
		total += d
	}
	return total
}

func last(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	s := parts[len(parts)-1]
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

func or(a, b string) string {
	if a != "" && a != "-" {
		return a
	}
	return b
}

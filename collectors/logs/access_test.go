package logs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

const timed = `$remote_addr [$time_iso8601] $msec "$request" $status $bytes_sent rt=$request_time ua="$upstream_addr" us="$upstream_status" ut="$upstream_response_time" uh="$upstream_header_time" tp=$http_traceparent`

func TestNginxLines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		options    map[string]string
		want       []string
		rejected   map[string]int64
	}{
		{"combined", `10.0.0.1 - - [01/Jan/2026:01:00:00 +0100] "POST /v1/chat/completions HTTP/1.1" 200 512 "-" "curl/8"
10.0.0.1 - bob [01/Jan/2026:01:00:02 +0100] "POST /v1/chat/completions HTTP/1.1" 499 0 "-" "a \x22quoted\x22 agent" "more"
10.0.0.1 - - [01/Jan/2026:01:00:03 +0100] "GET / HTTP/1.1" 301 0 "-" "-"
nonsense
`, nil, []string{"0+? ok unknown ", "2000+? unfinished unknown : the client went away before the answer", "3000+? ok unknown "}, map[string]int64{"not of the format": 1}},
		{"with times of upstreams", `::1 [2026-01-01T00:00:01+00:00] 1767225601.250 "POST /v1 HTTP/1.1" 200 99 rt=1.250 ua="10.0.0.1:80, 10.0.0.2:80" us="502, 200" ut="0.100, 1.000" uh="-, 0.250" tp=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
::1 [2026-01-01T00:00:02+00:00] 1767225602.000 "POST /v1 HTTP/1.1" 504 99 rt=0.500 ua="10.0.0.1:80 : 10.0.0.3:80" us="504 : 504" ut="0.200 : 0.300" uh="- : -" tp=-
::1 [2026-01-01T00:00:03+00:00] 1767225603.000 "GET /health HTTP/1.1" 200 9 rt=0.000 ua="-" us="-" ut="-" uh="-" tp=-
::1 [2026-01-01T00:00:03+00:00] - "GET /health HTTP/1.1" 200 9 rt=0.000 ua="-" us="-" ut="-" uh="-" tp=-
`, map[string]string{"format": timed}, []string{"0+1250 ok unknown 10.0.0.2:80 first 350", "1500+500 unavailable unknown 10.0.0.3:80", "3000+0 ok unknown "}, map[string]int64{"a line without a time": 1}},
		{"JSON", `{"time_iso8601":"2026-01-01T00:00:01+00:00","msec":"1767225601.250","status":"429","request_time":"0.250","upstream_response_time":"0.240","upstream_header_time":"0.230","upstream_addr":"a:1","request_length":"7","bytes_sent":"20"}` + "\n",
			nil, []string{"0+250 throttled unknown a:1 first 230"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, sum, _ := told(t, &nginxKind, put(t, "access.log", tt.text), tt.options)
			compare(t, tt.want, got)
			if diff := cmp.Diff(tt.rejected, sum.Rejected); diff != "" {
				t.Errorf("rejected (-want +got):\n%s", diff)
			}
		})
	}
	path := put(t, "access.log", "x\n")
	for options, want := range map[string]string{"format=plain": "want the text of a log_format", "as=samples": `as "samples" is unknown: want requests or spans`} {
		name, value, _ := strings.Cut(options, "=")
		if _, err := input.Open(t.Context(), []input.Spec{{Kind: &nginxKind, Path: path, Options: map[string]string{name: value}}}, input.Settings{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", options, err)
		}
	}
}

// Beside requests of clients, a line is a span of its request's trace, and what stands behind one within it.
func TestHopSpans(t *testing.T) {
	path := put(t, "access.log", `::1 [2026-01-01T00:00:01+00:00] 1767225601.250 "POST /v1 HTTP/1.1" 200 99 rt=1.250 ua="10.0.0.1:80, 10.0.0.2:80" us="502, 200" ut="0.100, 1.000" uh="-, 0.250" tp=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
::1 [2026-01-01T00:00:02+00:00] 1767225602.000 "POST /v1 HTTP/1.1" 504 99 rt=0.500 ua="-" us="-" ut="-" uh="-" tp=-
`)
	s, err := input.Open(t.Context(), []input.Spec{{Kind: &nginxKind, Path: path, Options: map[string]string{"format": timed, "as": "spans"}}}, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	ids := map[assay.SpanID]string{}
	err = s.Run(t.Context(), func(r assay.Record) error {
		if sp, ok := r.(*assay.Span); ok {
			ids[sp.SpanID] = sp.Name
			parent := sp.Parent.String()
			if name := ids[sp.Parent]; name != "" {
				parent = name
			}
			got = append(got, fmt.Sprintf("%s %v %s under %s %g+%g %v", sp.TraceID, sp.Kind, sp.Name, parent, float64(sp.Start-1e6)/1e6, float64(sp.End-sp.Start)/1e6, sp.Attrs))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, []string{
		"0af7651916cd43dd8448eb211c80319c server nginx under b7ad6b7169203331 0+1250 [{http.response.status_code 200}]",
		"0af7651916cd43dd8448eb211c80319c client nginx upstream under nginx 0+1100 [{server.address 10.0.0.2:80} {http.request.resend_count 1}]",
	}, got)
	if diff := cmp.Diff(map[string]int64{"no trace id that would join it to a request": 1}, s.Summaries[0].Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
}

func TestEnvoyLines(t *testing.T) {
	text := `[2026-01-01T00:00:00.250Z] "POST /v1 HTTP/1.1" 200 - 10 200 1500 1480 "-" "curl" "9f2a1c3e-0000-4000-8000-000000000001" "svc" "10.0.0.9:8000"
[2026-01-01T00:00:01.250Z] "POST /v1 HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure} - "delayed connect error: 111" 10 91 5 - "-" "curl" "-" "svc" "10.0.0.9:8000" outbound|8000||svc - 10.0.0.1:80 10.0.0.2:1 - default
[2026-01-01T00:00:02.250Z] "POST /v1 HTTP/1.1" 504 UT 10 24 15000 - "-" "curl" "-" "svc" "10.0.0.9:8000"
[2026-01-01T00:00:03.250Z] "POST /v1 HTTP/1.1" 503 UO 10 81 0 - "-" "curl" "-" "svc" "-"
[2026-01-01T00:00:04.250Z] "POST /v1 HTTP/1.1" 0 DC 10 0 900 - "-" "curl" "-" "svc" "10.0.0.9:8000"
[2026-01-01T00:00:05.250Z] "GET /x HTTP/1.1" 404 NR 0 0 0 - "-" "curl" "-" "svc" "-"
`
	got, _, _ := told(t, &envoyKind, put(t, "envoy.log", text), nil)
	compare(t, []string{
		"0+1500 ok unknown 10.0.0.9:8000", "1000+5 unavailable unknown 10.0.0.9:8000: no connection to the upstream", "2000+15000 timeout unknown 10.0.0.9:8000: the upstream did not answer in time",
		"3000+0 throttled unknown : the circuit breaker is open", "4000+900 unfinished unknown 10.0.0.9:8000: the client went away before the answer", "5000+0 client_error unknown : no route",
	}, got)
	line := `{"start_time":"2026-01-01T00:00:00.250Z","response_code":503,"response_flags":"UH","duration":3,"bytes_sent":19,"upstream_host":null,"x-request-id":"a"}` + "\n"
	got, _, _ = told(t, &envoyKind, put(t, "envoy.json", line), nil)
	compare(t, []string{"0+3 unavailable unknown : no healthy upstream"}, got)
}

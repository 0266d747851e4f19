package front

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

func kindOf(t *testing.T, name string) *input.Kind {
	t.Helper()
	for i := range Kinds {
		if Kinds[i].Name == name {
			return &Kinds[i]
		}
	}
	t.Fatal(name)
	return nil
}

// read reads a log as import would and says its requests and spans in short, times from base.
func read(t *testing.T, kind, path string, base time.Time, options map[string]string) (requests, spans []string, last map[string]float64, sum input.Summary) {
	t.Helper()
	last = map[string]float64{}
	sum, err := inputtest.Read(t, input.Spec{Kind: kindOf(t, kind), Path: path, Options: options}, input.Settings{}, func(set *input.Set, r assay.Record) {
		ms := func(v int64) float64 {
			if v == 0 {
				return -1
			}
			return float64(v+set.Epoch-base.UnixNano()) / 1e6
		}
		switch r := r.(type) {
		case *assay.Request:
			requests = append(requests, strings.TrimSpace(fmt.Sprintf("%v..%v first %v %d %v %s %s", ms(r.Due), ms(r.End), ms(r.FirstByte), r.Status, r.Outcome, r.Instance, r.Error)))
			if !r.NoSchedule || r.Sent != r.Due || r.Phase != recorded {
				t.Errorf("request %+v", r)
			}
		case *assay.Span:
			hop, _ := r.Attr(hopAttr)
			spans = append(spans, fmt.Sprintf("%s %s %v %v..%v parent %v %s", r.Service, r.Name, r.Kind, ms(r.Start), ms(r.End), r.Parent, hop))
		case *assay.Sample:
			name := r.Name
			for _, l := range r.Labels {
				if l.Name == "code" {
					name += " " + l.Value
				}
			}
			last[name] = r.Value
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return requests, spans, last, sum
}

func TestNginx(t *testing.T) {
	base := time.Date(2026, 11, 25, 20, 13, 17, 0, time.UTC)
	timed := []string{
		"174..296 first -1 200 ok",
		"321..443 first -1 200 ok",
		"473..594 first -1 200 ok",
		"642..642 first -1 502 unavailable  Bad Gateway, no connection to the upstream",
		"663..710 first -1 499 unfinished  the client went away",
		"732..732 first -1 200 ok",
	}
	json := append([]string{}, timed...)
	json[3] = "642..642 first -1 502 unavailable  Bad Gateway"
	for name, tt := range map[string]struct {
		file    string
		options map[string]string
		base    time.Time
		want    []string
	}{
		"pairs after a format of ours": {"nginx-timed.log", map[string]string{"format": `$remote_addr [$msec] "$request" $status $body_bytes_sent rt=$request_time ua="$upstream_addr" us="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" tp="$http_traceparent"`}, base, timed},
		"JSON":                         {"nginx-json.log", nil, base, json},
		"the address is the instance": {"nginx-json.log", map[string]string{"instance": "upstream", "path": "/v1/"}, base, []string{
			"174..296 first -1 200 ok 127.0.0.1:18082", "321..443 first -1 200 ok 127.0.0.1:18082", "473..594 first -1 200 ok 127.0.0.1:18082",
			"663..710 first -1 499 unfinished 127.0.0.1:18082 the client went away"}},
		"combined does not tell how long": {"nginx-combined.log", map[string]string{"path": "/v1/"}, base, []string{
			"0..-1 first -1 200 ok", "0..-1 first -1 200 ok", "0..-1 first -1 200 ok", "0..-1 first -1 499 unfinished  the client went away"}},
		"ingress": {"nginx-ingress.log", nil, time.Date(2026, 11, 25, 19, 0, 0, 0, time.UTC), []string{
			"-1504..1000 first -1 200 ok", "-8003..2000 first -1 504 unavailable  Gateway Timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, _, _ := read(t, "nginx", "testdata/"+tt.file, tt.base, tt.options)
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNginxTellsOfTheHop(t *testing.T) {
	format := `$remote_addr [$msec] "$request" $status $body_bytes_sent rt=$request_time ua="$upstream_addr" us="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" tp="$http_traceparent"`
	_, spans, last, sum := read(t, "nginx", "testdata/nginx-timed.log", time.Date(2026, 11, 25, 20, 13, 17, 0, time.UTC), map[string]string{"format": format})
	if diff := gocmp.Diff([]string{
		"nginx GET server 174..296 parent b7ad6b7169203331 apart", "nginx upstream client 175..296 parent " + serverID(1) + " ",
		"nginx GET server 321..443 parent b7ad6b7169203332 apart", "nginx upstream client 321..443 parent " + serverID(2) + " ",
		"nginx GET server 473..594 parent b7ad6b7169203333 apart", "nginx upstream client 473..594 parent " + serverID(3) + " ",
	}, spans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	want := map[string]float64{"nginx_log_requests_total 200": 4, "nginx_log_requests_total 499": 1, "nginx_log_requests_total 502": 1, "nginx_log_client_gone_total": 1,
		"nginx_log_upstream_retries_total": 2, "nginx_log_request_seconds_count": 6, "nginx_log_request_seconds_sum": 0.412, "nginx_log_upstream_seconds_count": 5,
		"nginx_log_upstream_seconds_sum": 0.412, "nginx_log_upstream_connect_seconds_count": 4, "nginx_log_upstream_connect_seconds_sum": 0.001,
		"nginx_log_upstream_first_byte_seconds_count": 3, "nginx_log_upstream_first_byte_seconds_sum": 0.364, "nginx_log_hop_seconds_count": 5, "nginx_log_hop_seconds_sum": 0.001}
	if diff := gocmp.Diff(want, last); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"1 requests ended because their client went away: neither served nor failed", "nginx asked another upstream 2 times behind its clients' backs"}, sum.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// serverID is the id that the span of line n of nginx-timed.log has.
func serverID(n int) string {
	e := entry{begin: []int64{0, 1795637597174e6, 1795637597321e6, 1795637597473e6}[n], end: []int64{0, 1795637597296e6, 1795637597443e6, 1795637597594e6}[n]}
	unhex(e.trace[:], []byte("0af7651916cd43dd8448eb211c80319c"))
	unhex(e.parent[:], fmt.Appendf(nil, "b7ad6b716920333%d", n))
	return e.id(0).String()
}

func TestEnvoy(t *testing.T) {
	for file, tt := range map[string]struct {
		base            time.Time
		requests, spans []string
		counters        map[string]float64
	}{
		"envoy.log": {time.Date(2016, 4, 15, 20, 17, 0, 0, time.UTC), []string{
			"310..536 first -1 204 ok", "1000..3005 first -1 503 unavailable  no connection to the upstream", "2000..7000 first -1 0 unfinished  the client went away",
			"3000..3000 first -1 503 throttled  overflow: the circuit breaker is open", "4000..5200 first -1 200 cut_fin  the upstream closed its connection"}, nil,
			map[string]float64{"envoy_log_requests_total 0": 1, "envoy_log_requests_total 200": 1, "envoy_log_requests_total 204": 1, "envoy_log_requests_total 503": 2, "envoy_log_client_gone_total": 1,
				"envoy_log_request_seconds_sum": 8.431, "envoy_log_request_seconds_count": 5, "envoy_log_upstream_first_byte_seconds_sum": 0.19, "envoy_log_upstream_first_byte_seconds_count": 2}},
		"istio.log": {time.Date(2020, 11, 25, 21, 26, 18, 0, time.UTC), []string{"409..412 first -1 418 client_error  I'm a teapot"}, nil,
			map[string]float64{"envoy_log_requests_total 418": 1, "envoy_log_client_gone_total": 0, "envoy_log_request_seconds_sum": 0.003, "envoy_log_request_seconds_count": 1,
				"envoy_log_upstream_first_byte_seconds_sum": 0.001, "envoy_log_upstream_first_byte_seconds_count": 1}},
		"envoy-json.log": {time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC), []string{"100..740 first 305 200 ok", "1100..1101 first -1 429 throttled  rate limited"},
			[]string{"envoy POST server 100..740 parent b7ad6b7169203331 apart", "envoy upstream client 105..740"},
			map[string]float64{"envoy_log_requests_total 200": 1, "envoy_log_requests_total 429": 1, "envoy_log_client_gone_total": 0, "envoy_log_upstream_retries_total": 1,
				"envoy_log_request_seconds_sum": 0.641, "envoy_log_request_seconds_count": 2, "envoy_log_upstream_seconds_sum": 0.635, "envoy_log_upstream_seconds_count": 1,
				"envoy_log_upstream_first_byte_seconds_sum": 0.2, "envoy_log_upstream_first_byte_seconds_count": 1, "envoy_log_hop_seconds_sum": 0.005, "envoy_log_hop_seconds_count": 1}},
	} {
		t.Run(file, func(t *testing.T) {
			requests, spans, last, _ := read(t, "envoy", "testdata/"+file, tt.base, nil)
			for i := range spans {
				if s, _, ok := strings.Cut(spans[i], " parent "); ok && strings.Contains(s, "upstream") {
					spans[i] = s
				}
			}
			for what, diff := range map[string]string{"requests": gocmp.Diff(tt.requests, requests), "spans": gocmp.Diff(tt.spans, spans), "counters": gocmp.Diff(tt.counters, last)} {
				if diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		code    int32
		flags   string
		outcome assay.Outcome
		gone    bool
	}{
		{200, "-", assay.OK, false}, {304, "-", assay.OK, false}, {101, "-", assay.OK, false}, {0, "-", assay.OutcomeUnknown, false},
		{503, "UH", assay.Unavailable, false}, {503, "URX,UF", assay.Unavailable, false}, {504, "UT", assay.Unavailable, false}, {0, "UF", assay.Unavailable, false},
		{0, "UT", assay.Timeout, false}, {200, "SI", assay.CutStall, false}, {200, "UR", assay.CutRST, false}, {200, "DC", assay.Unfinished, true}, {404, "NR", assay.ClientError, false},
		{429, "RL", assay.Throttled, false}, {403, "UAEX", assay.Credential, false}, {500, "FI", assay.ServerError, false}, {200, "DI", assay.OK, false}, {200, "DCX", assay.OK, false},
	} {
		e := entry{code: tt.code}
		e.judge([]byte(tt.flags))
		if e.outcome != tt.outcome || e.gone != tt.gone {
			t.Errorf("%d %s: got %v, gone %v; want %v, %v", tt.code, tt.flags, e.outcome, e.gone, tt.outcome, tt.gone)
		}
	}
}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte("http {\n # log_format old '$msec';\n log_format a '$remote_addr '\n   '[$msec] $status';\n log_format b escape=json \"{$time_iso8601}\";\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ kind, format, line, want string }{
		{"nginx", "@" + conf + ":a", "1.2.3.4 [1795637597.296] 200", "1795637597.296 200"},
		{"nginx", "@" + conf, "", "want the name of one log_format after a colon: it has a, b"},
		{"nginx", "@" + dir + "/none", "", "format: open "},
		{"nginx", "$remote_addr $status", "", "tells no time: want $msec, $time_iso8601 or $time_local"},
		{"nginx", "$msec$status", "", "nothing stands before $status"},
		{"nginx", "$msec|${status}|$upstream_response_time|$upstream_addr", "1795637597.296|502|0.1, 0.2 : -|10.0.0.1:80, 10.0.0.2:80 : unix:/run/a", "1795637597.296 502 0.1, 0.2 : - 10.0.0.1:80, 10.0.0.2:80 : unix:/run/a"},
		{"nginx", "[$time_local] $status", "[25/Nov/2026:20:13:17 +0000] 200 more", "no match"},
		{"nginx", "[$time_local] $status", "[25/Nov/2026:20:13:17 +0000] 2x0", "no match"},
		{"envoy", "%START_TIME(%s.%3f)% %RESPONSE_CODE% %REQ(USER-AGENT):10%\n", "1795637597.296 200 curl", "1795637597.296 200"},
		{"envoy", "%RESPONSE_CODE%", "", "want %START_TIME% in it"},
	} {
		l, err := parseFormat(tt.kind, tt.format)
		got := ""
		if err != nil {
			got = err.Error()
		} else if v := (values{}); !l.match([]byte(tt.line), &v) {
			got = "no match"
		} else {
			var parts []string
			for _, f := range []field{stampMsec, stampStart, status, upstreamResponse, upstreamAddr} {
				if len(v[f]) > 0 {
					parts = append(parts, string(v[f]))
				}
			}
			got = strings.Join(parts, " ")
		}
		if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("%s %q: got %q, want %q", tt.kind, tt.format, got, tt.want)
		}
	}
}

// TestRequestsCountOnce: a hop's requests are left out where another input tells of them, and those of a second hop.
func TestRequestsCountOnce(t *testing.T) {
	client := input.Kind{Name: "client", Things: "lines", Read: kindOf(t, "nginx").Read}
	ng, en := kindOf(t, "nginx"), kindOf(t, "envoy")
	log, json := "testdata/nginx-json.log", "testdata/envoy-json.log"
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.log") // that of a second server, which happens to tell the same
	if err := os.WriteFile(other, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	no, yes := map[string]string{"requests": "no"}, map[string]string{"requests": "yes"}
	for name, tt := range map[string]struct {
		specs []input.Spec
		want  []int64
		ids   int
	}{
		"alone":           {[]input.Spec{{Kind: ng, Path: log}}, []int64{6}, 6},
		"two of one kind": {[]input.Spec{{Kind: ng, Path: log}, {Kind: ng, Path: other}}, []int64{6, 6}, 12},
		"twice the same":  {[]input.Spec{{Kind: ng, Path: log}, {Kind: ng, Path: log}}, []int64{6, 0}, 6},
		"two kinds":       {[]input.Spec{{Kind: en, Path: json}, {Kind: ng, Path: log}}, []int64{2, 0}, 2},
		"beside a client": {[]input.Spec{{Kind: ng, Path: log}, {Kind: &client, Path: log}}, []int64{0, 6}, 6},
		"asked for":       {[]input.Spec{{Kind: ng, Path: log, Options: yes}, {Kind: &client, Path: log}}, []int64{6, 6}, 12},
		"asked not to":    {[]input.Spec{{Kind: ng, Path: log, Options: no}, {Kind: en, Path: json}}, []int64{0, 2}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := input.Open(t.Context(), tt.specs, input.Settings{})
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, sum := range s.Summaries {
				got = append(got, sum.Requests)
			}
			ids := map[uint64]bool{}
			if err := s.Run(t.Context(), func(r assay.Record) error {
				if q, ok := r.(*assay.Request); ok {
					ids[q.ID] = true
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" || len(ids) != tt.ids || s.Requests != int64(tt.ids) {
				t.Errorf("%d requests, of the set %d, want %d (-want +got):\n%s", len(ids), s.Requests, tt.ids, diff)
			}
		})
	}
}

func TestIs(t *testing.T) {
	for _, tt := range []struct{ file, want string }{{"nginx-combined.log", "nginx"}, {"nginx-json.log", "nginx"}, {"nginx-ingress.log", "nginx"}, {"envoy.log", "envoy"}, {"istio.log", "envoy"}, {"envoy-json.log", "envoy"}, {"README", ""}} {
		b, err := os.ReadFile("testdata/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i := range Kinds {
			if Kinds[i].Is("x", b[:min(len(b), input.MaxHead)]) {
				got = cmp.Or(got, Kinds[i].Name)
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.file, got, tt.want)
		}
	}
}

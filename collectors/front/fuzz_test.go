package front

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// FuzzRead reads any text as each kind: it must end, in records that make sense or an error, and count each line.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.log")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, s := range []string{
		`1.1.1.1 - - [25/Nov/2026:20:13:17 +0000] "` + "\x16\x03\\x01" + `" 400 157 "-" "-"`,
		`1.1.1.1 - - [25/Nov/2026:20:13:17 +0000] "GET / HTTP/1.1" 200 1 "-" "-" rt=99999999999999.000 urt="9999999.999, 9999999.999"`,
		`1.1.1.1 - - [31/Feb/9999:20:13:17 +0000] "GET / HTTP/1.1" 99999999999999999999 1 "-" "-" -1.000`,
		`{"msec":"NaN","status":200,"request_time":1e300}`, `{"status":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, `{"status":"200","request_time`,
		`{"start_time":"2000-01-01 00:00:00","response_code":200,"response_duration":0}`,
		`[9999-01-01T00:00:00.000Z] "- - -" 0 DC 0 0 99999999999999999 99999999999999999 "-" "-" "-" "-" "-"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for i := range Kinds {
			lines := int64(0)
			for line := range bytes.Lines(text) {
				if len(bytes.TrimSpace(line)) > 0 {
					lines++
				}
			}
			tally, err := inputtest.Made(t, &Kinds[i], text, nil, 64, func(r assay.Record) {
				if s, ok := r.(*assay.Sample); ok && !(s.Value >= 0) {
					t.Fatalf("sample %+v", s)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := tally.Read(); n > lines || n < lines-1 { // a mark of the order of bytes is no line
				t.Fatalf("%s: counted %d of %d lines", Kinds[i].Name, n, lines)
			}
		}
	})
}

func TestHostile(t *testing.T) {
	in := func(text string) (*input.Input, error) {
		in := &input.Input{File: input.NewFile("x", strings.NewReader(text), nil), Tally: &input.Tally{}}
		return in, Kinds[0].Read(t.Context(), in, func(assay.Record) error { return nil })
	}
	if got, err := in(strings.Repeat("x", 10<<20)); err != nil || got.Long() != 1 {
		t.Errorf("a line of 10 MB: %v, %d passed over", err, got.Long())
	}
	got, err := in(`{"status":"200","msec":"1795637597.296","a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}\n")
	if err != nil || got.Tally.Rejected[unknown] != 1 {
		t.Errorf("deep JSON: %v, %v", err, got.Tally)
	}
	for line, why := range map[string]string{
		`1.1.1.1 - - [25/Nov/2026:20:13:17 +0000] "GET / HTTP/1.1" 200 1 "-" "-" 9999999.000`:  outOfRange,
		`1.1.1.1 - - [31/Feb/2026:20:13:17 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`:              noStamp,
		`1.1.1.1 - - [25/Nov/2026:20:13:17 +0000] "GET /healthz?x HTTP/1.1" 200 1 "-" "-"`:     "probes and scrapes",
		`1.1.1.1 - - [25/Nov/2026:20:13:17 +0000] "GET / HTTP/1.1" 200 1 "-" "-" -1.000`:       unknown,
		`1.1.1.1 - - [25/Nov/1800:20:13:17 +0000] "GET / HTTP/1.1" 200 1 "-" "kube-probe/1.3"`: "probes and scrapes",
	} {
		if got, err := in(line + "\n"); err != nil || got.Tally.Rejected[why] != 1 {
			t.Errorf("%s: got %v (%v), want %s", line, got.Tally.Rejected, err, why)
		}
	}
}

func BenchmarkLine(b *testing.B) {
	for _, name := range []string{"nginx-timed.log", "nginx-json.log", "nginx-combined.log", "envoy.log"} {
		b.Run(name, func(b *testing.B) {
			raw, err := os.ReadFile("testdata/" + name)
			if err != nil {
				b.Fatal(err)
			}
			kind, _, _ := strings.Cut(strings.TrimSuffix(name, ".log"), "-")
			d := &decoder{kind: kind, log: name, requests: true, run: unmoved, emit: func(assay.Record) error { return nil }, keep: func(int64) {}, reject: func(string, int64) {}, note: func(string, int64) {}}
			if name == "nginx-timed.log" {
				d.given, err = compile("nginx", `$remote_addr [$msec] "$request" $status $body_bytes_sent rt=$request_time ua="$upstream_addr" us="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" tp="$http_traceparent"`)
				if err != nil {
					b.Fatal(err)
				}
			}
			lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := d.line(lines[i%len(lines)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

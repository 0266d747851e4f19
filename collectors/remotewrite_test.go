package collectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	promhist "github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/flatten"
)

const v2Type = typeProtobuf + ";proto=" + typeWriteV2

// write sends a message as a Prometheus does.
func writeTo(t testing.TB, addr, contentType string, body []byte, headers ...string) (int, http.Header, string) {
	t.Helper()
	code, out, h := post(t, "http://"+addr+"/api/v1/write", snappy.Encode(nil, body), append([]string{"Content-Type", contentType, "Content-Encoding", "snappy"}, headers...)...)
	return code, h, strings.TrimSpace(string(out))
}

func receiver(t testing.TB, r *RemoteWrite) *RemoteWrite {
	t.Helper()
	r.Clock = clock.New()
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	return r
}

func shown(s *sink, c Clock, now time.Time) (out []string) {
	for _, m := range s.samples {
		out = append(out, fmt.Sprintf("%s @%d %g", flatten.Series(m.Name, m.Labels), (m.Time-c.FromUnix(now.UnixMilli()*1e6))/1e6, m.Value))
	}
	for _, e := range s.events {
		out = append(out, strings.TrimSpace(e.Kind+" "+e.Attrs["series"]+" "+e.Attrs["trace"]+e.Text))
	}
	return out
}

func native3(now time.Time) *promhist.Histogram {
	return &promhist.Histogram{Count: 3, Sum: 5, PositiveSpans: []promhist.Span{{Offset: 1, Length: 1}}, PositiveBuckets: []int64{3}}
}

func TestRemoteWrite(t *testing.T) {
	now := time.Now()
	ms := now.UnixMilli()
	stale := math.Float64frombits(value.StaleNaN)
	lbls := labels.FromStrings("__name__", "n", "z", "1", "a", "2")
	one := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: prompb.FromLabels(lbls, nil), Samples: []prompb.Sample{{Value: 1, Timestamp: ms}, {Value: stale, Timestamp: ms + 5}, {Value: 1, Timestamp: ms - 1e9}},
			Exemplars: []prompb.Exemplar{{Labels: prompb.FromLabels(labels.FromStrings("trace_id", "t1"), nil), Value: 2, Timestamp: ms}}},
		{Labels: prompb.FromLabels(labels.FromStrings("__name__", "h"), nil), Histograms: []prompb.Histogram{prompb.FromIntHistogram(ms, native3(now))}},
		{Labels: prompb.FromLabels(labels.FromStrings("x", "nameless"), nil), Samples: []prompb.Sample{{Value: 1, Timestamp: ms}}},
	}}
	first, err := one.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sym := writev2.NewSymbolTable()
	two := writev2.Request{Timeseries: []writev2.TimeSeries{
		{LabelsRefs: sym.SymbolizeLabels(lbls, nil), Samples: []writev2.Sample{{Value: 1, Timestamp: ms}, {Value: stale, Timestamp: ms + 5}, {Value: 1, Timestamp: ms - 1e9}},
			Exemplars: []writev2.Exemplar{{LabelsRefs: sym.SymbolizeLabels(labels.FromStrings("trace_id", "t1"), nil), Value: 2, Timestamp: ms}}},
		{LabelsRefs: sym.SymbolizeLabels(labels.FromStrings("__name__", "h"), nil), Histograms: []writev2.Histogram{writev2.FromIntHistogram(0, ms, native3(now))}},
		{LabelsRefs: sym.SymbolizeLabels(labels.FromStrings("x", "nameless"), nil), Samples: []writev2.Sample{{Value: 1, Timestamp: ms}}},
	}}
	two.Symbols = sym.Symbols()
	second, err := two.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for contentType, body := range map[string][]byte{typeProtobuf: first, v2Type: second} {
		t.Run(contentType, func(t *testing.T) {
			r := receiver(t, &RemoteWrite{})
			s := new(sink)
			stop := start(t, r, s)
			code, h, text := writeTo(t, r.Addr(), contentType, body)
			if code != http.StatusBadRequest || text != "some samples were left out: of a series without a name, whose time lies too far from now" {
				t.Errorf("status %d, %q", code, text)
			}
			if got := h.Get("X-Prometheus-Remote-Write-Samples-Written"); contentType == v2Type && got != "2" {
				t.Errorf("%s samples written, want 2", got)
			}
			stop()
			want := []string{`n{a="2",z="1"} @0 1`, `n{a="2",z="1"} @5 NaN`, `h_bucket{le="1"} @0 0`, `h_bucket{le="2"} @0 3`, `h_bucket{le="+Inf"} @0 3`, "h_sum @0 5", "h_count @0 3",
				`metric.exemplar n{a="2",z="1"} t1`, "run.warning  1 samples were not recorded: of a series without a name", "run.warning  1 samples were not recorded: whose time lies too far from now"}
			if d := cmp.Diff(want, shown(s, r.Clock, now)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if math.Float64bits(s.samples[1].Value) != value.StaleNaN {
				t.Error("a marker of a stale series became another NaN")
			}
		})
	}
}

func TestRemoteWriteIsPushedBack(t *testing.T) {
	r := receiver(t, &RemoteWrite{})
	full := true
	s := &sink{refuse: func() error {
		if full {
			return errors.New("full")
		}
		return nil
	}}
	stop := start(t, r, s)
	body, _ := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: prompb.FromLabels(labels.FromStrings("__name__", "n"), nil), Samples: []prompb.Sample{{Value: 1, Timestamp: time.Now().UnixMilli()}}}}}).Marshal()
	code, h, text := writeTo(t, r.Addr(), typeProtobuf, body)
	if code != http.StatusServiceUnavailable || h.Get("Retry-After") != "1" || text != "the run cannot take samples now: full" {
		t.Errorf("status %d, %v, %q", code, h, text)
	}
	s.do(func() { full = false })
	if code, _, text := writeTo(t, r.Addr(), typeProtobuf, body); code != http.StatusNoContent {
		t.Errorf("again: status %d, %q", code, text)
	}
	stop()
	if got := r.Counts(); got.PushedBack != 1 || got.Samples != 1 || len(s.samples) != 1 {
		t.Errorf("%+v, %d samples", got, len(s.samples))
	}
}

func TestRemoteWriteRefuses(t *testing.T) {
	r := receiver(t, &RemoteWrite{Token: "secret", MaxBody: 1 << 16})
	start(t, r, new(sink))
	auth := []string{"Authorization", "Bearer secret"}
	for name, tt := range map[string]struct {
		contentType string
		body        []byte
		headers     []string
		status      int
		want        string
	}{
		"no token":       {typeProtobuf, nil, nil, 401, "demands its token"},
		"another token":  {typeProtobuf, nil, []string{"Authorization", "Bearer other"}, 401, "demands its token"},
		"JSON":           {"application/json", nil, auth, 415, "is not application/x-protobuf"},
		"a message":      {typeProtobuf + ";proto=x.Y", nil, auth, 415, `message "x.Y" is neither`},
		"no snappy":      {typeProtobuf, nil, append(auth, "Content-Encoding", "gzip"), 415, "is not snappy"},
		"too large":      {typeProtobuf, make([]byte, 1<<17), auth, 413, "larger than 65536 bytes"},
		"no message":     {typeProtobuf, []byte("\x0a\xff"), auth, 400, "malformed remote write"},
		"a wrong symbol": {v2Type, []byte("\x2a\x03\x0a\x01\x07"), auth, 400, "a reference to no symbol"},
	} {
		if code, _, text := writeTo(t, r.Addr(), tt.contentType, tt.body, tt.headers...); code != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s: status %d, %q; want %d and %q", name, code, text, tt.status, tt.want)
		}
	}
	// What a few bytes promise is not unpacked.
	code, out, _ := post(t, "http://"+r.Addr()+"/api/v1/write", []byte("\xff\xff\xff\xff\x0f"), append(auth, "Content-Encoding", "snappy")...)
	if code != 413 && code != 400 {
		t.Errorf("a bomb: status %d %s", code, out)
	}
	if err := (&RemoteWrite{Listen: "0.0.0.0:0", Clock: clock.New()}).Open(); err == nil || !strings.Contains(err.Error(), "needs a token") {
		t.Errorf("beyond loopback without a token: %v", err)
	}
}

// TestRemoteWriteFromPrometheus has Debian's Prometheus send what it sees of itself.
func TestRemoteWriteFromPrometheus(t *testing.T) {
	server, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed (Debian: apt-get install prometheus)")
	}
	r := receiver(t, &RemoteWrite{})
	s := new(sink)
	stop := start(t, r, s)
	defer stop()
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nremote_write: [{url: 'http://%s/api/v1/write', queue_config: {batch_send_deadline: 200ms}}]\n"+
		"scrape_configs: [{job_name: gone, static_configs: [{targets: ['127.0.0.1:1']}]}]\n", r.Addr())
	path := filepath.Join(dir, "p.yml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, server, "--config.file", path, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", "127.0.0.1:0")
	log := new(bytes.Buffer)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); cmd.Wait() }()
	up := func() (found *assay.Sample) {
		s.do(func() {
			for i := range s.samples {
				if s.samples[i].Name == "up" {
					found = &s.samples[i]
				}
			}
		})
		return found
	}
	for deadline := time.Now().Add(30 * time.Second); up() == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing arrived; %+v\n%s", r.Counts(), log)
		}
	}
	want := []assay.Label{{Name: "instance", Value: "127.0.0.1:1"}, {Name: "job", Value: "gone"}}
	if m := up(); m.Value != 0 || !cmp.Equal(m.Labels, want) {
		t.Errorf("got %+v", m)
	}
}

func FuzzRemoteWrite(f *testing.F) {
	now := time.Now()
	one := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: prompb.FromLabels(labels.FromStrings("__name__", "n"), nil), Samples: []prompb.Sample{{Value: 1, Timestamp: now.UnixMilli()}},
		Histograms: []prompb.Histogram{prompb.FromIntHistogram(now.UnixMilli(), native3(now))}}}}
	b, _ := one.Marshal()
	f.Add(b, false)
	f.Add([]byte("\x22\x00\x22\x08__name__\x22\x01n\x2a\x10\x0a\x02\x01\x02\x12\x0a\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x01"), true)
	f.Fuzz(func(t *testing.T, b []byte, two bool) {
		r := &RemoteWrite{Clock: clock.New(), native: map[string]*flatten.Histogram{}}
		emitted := int64(0)
		r.emit = func(rec assay.Record) error {
			if s, ok := rec.(*assay.Sample); ok {
				emitted++
				if s.Name == "" {
					t.Fatalf("a sample without a name: %+v", s)
				}
			}
			return nil
		}
		w := &writing{r: r, now: r.Clock.Now(), offset: math.MaxInt64 / 4}
		var err error
		if two {
			err = w.v2(b)
		} else {
			err = w.v1(b)
		}
		if w.emitted != emitted {
			t.Fatalf("%d emitted, %d counted, %v", emitted, w.emitted, err)
		}
	})
}

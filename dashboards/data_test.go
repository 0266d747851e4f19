package dashboards

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// sameNum takes missing values for equal.
var sameNum = cmp.Comparer(func(a, b assay.Num) bool { return a == b || a != a && b != b })

// TestRoundTrip makes every view again from result.json, byte for byte.
func TestRoundTrip(t *testing.T) {
	for _, s := range samples() {
		b := render(t, JSON, s.report)
		back, err := Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if d := cmp.Diff(s.report, back, sameNum, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); d != "" && s.name != "hostile" {
			t.Errorf("%s: %s", s.name, d)
		}
		for _, k := range Kinds() {
			if !bytes.Equal(render(t, k.Render, s.report), render(t, k.Render, back)) {
				t.Errorf("%s of %s differs when made from result.json", k.Name, s.name)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{"schema":"assay/result/v9"}`:           `schema is "assay/result/v9"`,
		`{}`:                                     `schema is ""`,
		`<html>`:                                 "decode report",
		`{"schema":"assay/result/v1","seed":-1}`: "decode report",
	} {
		if _, err := Decode(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":"assay/result/v1","objectives":[{"objective":{"metric":"ttft/p95","max":1},"quantity":{"value":null,"lo":1}}]}`))
	f.Add([]byte(`{"schema":"assay/result/v1","begin_ns":5,"end_ns":9,"series":[{"name":"ttft/p95","times_ns":[1,2],"values":[1,null]}],"faults":[{}],"starts":[{"phases":[{"name":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, k := range Kinds() {
			if k.Name == "json" {
				continue
			}
			begin := time.Now()
			if err := k.Render(io.Discard, r); err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("%s took %v for %d bytes", k.Name, d, len(b))
			}
		}
	})
}

func TestJUnit(t *testing.T) {
	type message struct {
		Message string `xml:"message,attr"`
	}
	type count struct{ Tests, Failures, Errors, Skipped int }
	for _, c := range []struct {
		name string
		r    *assay.Report
		want count
	}{
		{"clean", clean(), count{6, 0, 0, 0}}, {"full", full(), count{11, 2, 0, 4}}, {"empty", empty(), count{0, 0, 0, 0}},
		{"invalid", invalid(), count{7, 0, 5, 2}}, {"remains", remains(), count{7, 1, 1, 0}}, {"hostile", hostile(), count{6, 2, 0, 1}},
	} {
		var got struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Suite    struct {
				Cases []struct {
					Failure *message `xml:"failure"`
					Error   *message `xml:"error"`
					Skipped *message `xml:"skipped"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal(render(t, JUnit, c.r), &got); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if n := (count{got.Tests, got.Failures, got.Errors, got.Skipped}); n != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, n, c.want)
		}
		var seen count
		for _, k := range got.Suite.Cases {
			seen.Tests++
			for _, v := range []struct {
				has bool
				n   *int
			}{{k.Failure != nil, &seen.Failures}, {k.Error != nil, &seen.Errors}, {k.Skipped != nil, &seen.Skipped}} {
				if v.has {
					*v.n++
				}
			}
			if k.Skipped != nil && k.Skipped.Message == "" {
				t.Errorf("%s: skipped without a reason", c.name)
			}
		}
		if seen != c.want {
			t.Errorf("%s: the cases say %+v, the head %+v", c.name, seen, c.want)
		}
	}
}

// TestMarkdownSafe makes sure that no string of a run opens markup or adds a column.
func TestMarkdownSafe(t *testing.T) {
	for _, s := range samples() {
		columns := 0
		for _, l := range strings.Split(string(render(t, Markdown, s.report)), "\n") {
			if strings.Contains(l, "<script") || strings.ContainsAny(l, "\x1b\u202e") {
				t.Errorf("%s: %q", s.name, l)
			}
			if !strings.HasPrefix(l, "|") {
				columns = 0
				continue
			}
			n := strings.Count(l, "|") - strings.Count(l, `\|`)
			if columns != 0 && n != columns {
				t.Errorf("%s: %d columns where the table has %d: %s", s.name, n-1, columns-1, l)
			}
			columns = n
		}
	}
}

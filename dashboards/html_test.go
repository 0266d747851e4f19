package dashboards

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/assay-dev/assay"
)

// TestPages compares two pages with their golden files. ASSAY_PAGES names a directory to keep the pages
// of all samples in, for a person to look at.
func TestPages(t *testing.T) {
	for _, s := range samples() {
		b := render(t, HTML, s.report)
		if s.name == "full" || s.name == "empty" {
			golden(t, filepath.Join("testdata", s.name+".html"), b)
		}
		if dir := os.Getenv("ASSAY_PAGES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, s.name+".html"), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// allowed are the elements of the page; nothing that loads or runs is among them.
var allowed = strings.Fields(`html head meta title style body svg defs pattern path circle line rect text desc g main header h1 h2 h3 p span dl div dt dd
	section strong b small table thead tbody tr th td ul li details summary code`)

// TestPageSafe walks the parsed page of every sample: only known elements, no handler, no address, unique ids,
// well-formed drawings with names, nothing invisible.
func TestPageSafe(t *testing.T) {
	drawing := regexp.MustCompile(`(?s)<svg.*?</svg>`)
	for _, s := range samples() {
		page := render(t, HTML, s.report)
		doc, err := html.Parse(bytes.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for n := range doc.Descendants() {
			if n.Type == html.TextNode && n.Parent.Data != "style" {
				for _, c := range n.Data {
					if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
						t.Errorf("%s: text holds %U", s.name, c)
					}
				}
			}
			if n.Type != html.ElementNode {
				continue
			}
			if !slices.Contains(allowed, n.Data) {
				t.Errorf("%s: element <%s>", s.name, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" || a.Key == "src" {
					t.Errorf("%s: <%s %s=%q>", s.name, n.Data, a.Key, a.Val)
				}
				if a.Key == "id" {
					if ids[a.Val] {
						t.Errorf("%s: id %q is used twice", s.name, a.Val)
					}
					ids[a.Val] = true
				}
			}
		}
		for _, svg := range drawing.FindAll(page, -1) {
			dec := xml.NewDecoder(bytes.NewReader(svg))
			for {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: a drawing is not well formed: %v\n%.300s", s.name, err, svg)
				}
			}
			if bytes.Contains(svg, []byte(`role="img"`)) && !bytes.Contains(svg, []byte("<desc")) {
				t.Errorf("%s: a drawing without a description", s.name)
			}
			if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
				t.Errorf("%s: a drawing holds a coordinate that is no number", s.name)
			}
		}
		sum := sha256.Sum256([]byte(styleSheet))
		if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(html.UnescapeString(string(page)), want) {
			t.Errorf("%s: the policy does not allow exactly the page's style sheet", s.name)
		}
		if !strings.Contains(string(page), "<style>"+styleSheet+"</style>") {
			t.Errorf("%s: the style sheet was changed on the way", s.name)
		}
	}
}

// TestPageSays looks for what a reader must find, and for words instead of drawings where there is no data.
func TestPageSays(t *testing.T) {
	for _, c := range []struct {
		r    *assay.Report
		want []string
	}{
		{clean(), []string{">GO<", "4/4 gated objectives hold", "✓ pass", "SIMULATED", "≥23.7 s", "720 h needs 90 clean days", `class="injected"`, `class="recovering"`, "unattributed", "where the time went"}},
		{full(), []string{">NO-GO<", "✗ fail", "? inconclusive", "2.5 nines", "void, because the instance had already left", "3 of this plan"}},
		{empty(), []string{">INCONCLUSIVE<", "Not drawn, because the run holds no series for it: Requests per second", "bottleneck, scaling: not measured, because the run has no fault, no span and no event of an instance"}},
		{invalid(), []string{"! INVALID", "send lateness p99 41 ms is above 8 ms", "✗ not ok"}},
		{remains(), []string{"FAULT MAY REMAIN", "MAY REMAIN: process 4711 may still be stopped", "assay heal"}},
	} {
		page := html.UnescapeString(string(render(t, HTML, c.r)))
		for _, w := range c.want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page does not say %q", c.r.Decision, w)
			}
		}
	}
}

// TestPageSize fills the report to its bounds: a page stays below a megabyte.
func TestPageSize(t *testing.T) {
	r := full()
	for i := range r.Series {
		s := &r.Series[i]
		if s.Kind == "ecdf" {
			continue
		}
		v := s.Values
		s.Times, s.Values = nil, nil
		for k := range 1000 {
			s.Times = append(s.Times, r.Begin+int64(k)*(r.End-r.Begin)/1000)
			s.Values = append(s.Values, v[k%len(v)]+assay.Num(k%7)/13)
		}
	}
	for len(r.Starts) < 200 {
		r.Starts = append(r.Starts, r.Starts[0])
	}
	for len(r.Findings) < 400 {
		r.Findings = append(r.Findings, r.Findings[2])
	}
	if n := len(render(t, HTML, r)); n > 1<<20 {
		t.Errorf("the page has %d bytes, more than a megabyte", n)
	} else {
		t.Logf("%d bytes", n)
	}
}

func BenchmarkHTML(b *testing.B) {
	r := full()
	b.ReportAllocs()
	for b.Loop() {
		if err := HTML(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSearchPath: the page shows what each step of a search showed, also where the run saw requests only.
func TestSearchPath(t *testing.T) {
	r := clean()
	page := string(render(t, HTML, r))
	r.Faults, r.Lives, r.Starts, r.Attribution, r.Scaling = nil, nil, nil, nil, nil
	bare := string(render(t, HTML, r))
	for name, got := range map[string]string{"full": page, "plain": bare} {
		for _, want := range []string{"what each of the 2 steps showed", "stress/2 12/s broke", "Throughput by concurrency", "How late requests were sent", "<b>Knee</b> 10/s"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
	}
}

package input

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// seconds are lines of seconds since 1970: each is an event, a request and a span of a second.
var seconds = &Kind{Name: "seconds", Things: "lines", Options: []Option{{Name: "instance"}},
	Read: func(_ context.Context, in *Input, emit func(assay.Record) error) error {
		l := Lines{File: in.File}
		for {
			b, err := l.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			s, err := strconv.ParseInt(string(b), 10, 64)
			if err != nil {
				in.Tally.Reject("no number", 1)
				continue
			}
			in.Tally.Keep(1)
			in.Tally.Resolution = 1e9
			at := s * 1e9
			r := &assay.Request{ID: 7, Due: at, End: at + 1e9, Arrivals: []int64{at + 5e8}}
			for _, rec := range []assay.Record{r, r, &assay.Span{Start: at, End: at + 1e9},
				&assay.Event{Time: at, Kind: assay.EventInstancePhase, Instance: in.Option("instance"), Attrs: map[string]string{"start_ns": fmt.Sprint(at)}},
				&assay.Event{Time: at, Kind: assay.EventPhaseBegin, Phase: "all", Attrs: map[string]string{"role": "steady"}},
				&assay.Event{Time: at + 1e9, Kind: assay.EventPhaseEnd, Phase: "all"}} {
				if err := emit(rec); err != nil {
					return err
				}
			}
		}
	},
	Fetch: func(ctx context.Context, f *Fetching, to io.Writer) error {
		q, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s?from=%d", f.URL, f.From/1e9), nil)
		q.Header.Set("Authorization", "Bearer "+f.Token)
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if a.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", a.Status)
		}
		_, err = io.Copy(to, a.Body)
		return err
	}}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.txt")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const base = 1_700_000_000

// A directory stands for the files in it and below, but for what is none of its kind.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	licence, below := put("LICENSE", "none of them\n"), put("ns_pod/c/0.log", fmt.Sprintf("%d\n", base))
	put(".hidden/x", "1\n")
	s, err := Open(t.Context(), []Spec{{Kind: seconds, Path: dir}}, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, sum := range s.Summaries {
		got = append(got, fmt.Sprintf("%s %d of %d %s %v", sum.Path, sum.Kept, sum.Read, sum.Things, sum.Rejected))
	}
	want := []string{licence + " 0 of 1 files map[nothing in it is of the kind seconds:1]", below + " 1 of 1 lines map[]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	if err := s.Run(t.Context(), func(assay.Record) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "ns_pod")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), []Spec{{Kind: seconds, Path: dir}}, Settings{}); err == nil || !strings.Contains(err.Error(), "LICENSE: nothing to keep of 1 lines") {
		t.Errorf("nothing but a licence: %v", err)
	}
}

func TestSetIsOneRunOfManyInputs(t *testing.T) {
	a, b := file(t, fmt.Sprintf("%d\nx\n%d\n", base+5, base+6)), file(t, fmt.Sprintf("%d\n12\n%d\n", base+3600, base+9999))
	s, err := Open(t.Context(), []Spec{{Kind: seconds, Path: a}, {Kind: seconds, Path: b, Options: map[string]string{"shift": "-1h", "instance": "w-1"}}},
		Settings{Latest: (base + 9000) * 1e9, To: (base + 7000) * 1e9})
	if err != nil {
		t.Fatal(err)
	}
	want := []Summary{
		{Kind: "seconds", Path: a, Things: "lines", Read: 3, Kept: 2, Rejected: map[string]int64{"no number": 1}, Requests: 4, Spans: 2, Events: 6, Begin: (base + 5) * 1e9, End: (base + 7) * 1e9},
		{Kind: "seconds", Path: b, Things: "lines", Read: 3, Kept: 3, Requests: 4, Spans: 2, Events: 6, Begin: base * 1e9, End: (base + 9999 - 3600 + 1) * 1e9,
			Notes: []string{"6 records left out: stamped before the year 2000"}},
	}
	if diff := cmp.Diff(want, s.Summaries); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}
	if s.Epoch != base*1e9-1e6 || s.Resolution != 1e9 {
		t.Errorf("epoch %d, resolution %d", s.Epoch, s.Resolution)
	}
	var got []string
	ids := map[uint64]bool{}
	err = s.Run(t.Context(), func(r assay.Record) error {
		switch r := r.(type) {
		case *assay.Request:
			ids[r.ID] = true
			got = append(got, fmt.Sprintf("request %d %d %d", r.Due, r.End-r.Due, r.Arrivals[0]-r.Due))
		case *assay.Event:
			got = append(got, fmt.Sprintf("%s %d %s%s%s", r.Kind, r.Time, r.Instance, r.Attrs["start_ns"], strings.ReplaceAll(r.Text, " ", "_")))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 8 {
		t.Errorf("%d ids for 8 requests", len(ids))
	}
	last := int64((base+9999-3600+1)*1e9) - s.Epoch
	wantEvents := []string{
		"request 5001000000 1000000000 500000000", "request 5001000000 1000000000 500000000", "instance.phase 5001000000 1700000005000000000",
		"request 6001000000 1000000000 500000000", "request 6001000000 1000000000 500000000", "instance.phase 6001000000 1700000006000000000",
		"request 1000000 1000000000 500000000", "request 1000000 1000000000 500000000", "instance.phase 1000000 w-11700000000000000000",
		"request 6399001000000 1000000000 500000000", "request 6399001000000 1000000000 500000000", "instance.phase 6399001000000 w-11700006399000000000",
		"phase.begin 1000000 ", fmt.Sprintf("phase.end %d ", last), fmt.Sprintf("load.end %d ", last),
		fmt.Sprintf("run.warning %d in.txt:_1_of_3_lines_were_not_recorded_(1_no_number)", last),
		fmt.Sprintf("run.warning %d in.txt:_6_records_left_out:_stamped_before_the_year_2000", last),
	}
	if diff := cmp.Diff(wantEvents[:12], got[:12]); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{wantEvents[12], wantEvents[13], wantEvents[14], wantEvents[15], wantEvents[16]}, got[12:]); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestSetJoinsInputsOfAKindThatFinishes(t *testing.T) {
	sum := func(in *Input) int64 { n, _ := in.State.(int64); return n }
	joint := &Kind{Name: "joint", Things: "files", Read: func(_ context.Context, in *Input, _ func(assay.Record) error) error {
		b, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		in.Tally.Keep(1)
		in.State = sum(in) + n
		return err
	}, Finish: func(_ context.Context, in *Input, emit func(assay.Record) error) error {
		at := sum(in) * 1e9
		in.State = nil
		return emit(&assay.Event{Time: at, Kind: assay.EventAnnotation, Text: fmt.Sprint(in.From)})
	}}
	s, err := Open(t.Context(), []Spec{{Kind: joint, Path: file(t, fmt.Sprint(base))}, {Kind: seconds, Path: file(t, fmt.Sprint(base))}, {Kind: joint, Path: file(t, "5")}},
		Settings{From: base * 1e9, To: (base + 9) * 1e9})
	if err != nil {
		t.Fatal(err)
	}
	if first, last := s.Summaries[0], s.Summaries[2]; first.Events != 0 || first.Kept != 1 || last.Events != 1 || last.Begin != (base+5)*1e9 {
		t.Errorf("summaries %+v, want one event, of both, after the last", s.Summaries)
	}
	var got []assay.Event
	err = s.Run(t.Context(), func(r assay.Record) error {
		if e, ok := r.(*assay.Event); ok && e.Kind == assay.EventAnnotation {
			got = append(got, *e)
		}
		return nil
	})
	want := []assay.Event{{Time: 5e9 + lead, Kind: assay.EventAnnotation, Text: fmt.Sprint(int64(base * 1e9))}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, events (-want +got):\n%s", err, diff)
	}
}

func TestSetFetchesFromAStore(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "%s\n", r.URL.Query().Get("from"))
	}))
	defer srv.Close()
	temp := t.TempDir()
	settings := Settings{From: base * 1e9, To: (base + 10) * 1e9, Token: "secret", Temp: temp}
	s, err := Open(t.Context(), []Spec{{Kind: seconds, Path: srv.URL}}, settings)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Summaries[0]; got.Path != srv.URL || got.Kept != 1 || got.Begin != base*1e9 {
		t.Errorf("summary %+v", got)
	}
	s.Close()
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	settings.Token = "wrong"
	if _, err := Open(t.Context(), []Spec{{Kind: seconds, Path: srv.URL}}, settings); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong token: %v", err)
	}
	settings.From = 0
	if _, err := Open(t.Context(), []Spec{{Kind: seconds, Path: srv.URL}}, settings); err == nil || !strings.Contains(err.Error(), "want --from and --to") {
		t.Errorf("without a window: %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		options map[string]string
		want    string
	}{
		"nothing to keep": {"a\nb\n", nil, "nothing to keep of 2 lines (2 no number): is it of the kind seconds?"},
		"a wild row":      {fmt.Sprintf("%d\n%d\n", base, base+400*86400), nil, "the records span 400 days, from 2023-11-14"},
		"nothing in time": {"12\n", nil, "nothing with a time in any input"},
		"a zone":          {"12\n", map[string]string{"zone": "Berlin"}, `zone "Berlin" is unknown: want a name such as Europe/Berlin, or UTC`},
		"a shift":         {"12\n", map[string]string{"shift": "1 hour"}, `shift "1 hour": want a duration such as -1h or 250ms`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), []Spec{{Kind: seconds, Path: file(t, tt.text), Options: tt.options}}, Settings{Latest: time.Now().UnixNano()})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
	if _, err := Open(t.Context(), []Spec{{Kind: seconds, Path: t.TempDir()}}, Settings{}); err == nil || !strings.Contains(err.Error(), "holds no file") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Spec{
		"a.txt":                    {Kind: seconds, Path: "a.txt"},
		"a,b.txt":                  {Kind: seconds, Path: "a,b.txt"},
		"a=1,b.txt,zone=UTC":       {Kind: seconds, Path: "a=1,b.txt", Options: map[string]string{"zone": "UTC"}},
		"x,instance=w-1,shift=-1h": {Kind: seconds, Path: "x", Options: map[string]string{"instance": "w-1", "shift": "-1h"}},
		"http://h/p?a=1,zone=UTC":  {Kind: seconds, Path: "http://h/p?a=1", Options: map[string]string{"zone": "UTC"}},
	} {
		got, err := ParseSpec(seconds, text)
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *Kind) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"a.txt,zome=UTC":          `option "zome" is unknown; did you mean "zone"?`,
		"a.txt,zone=UTC,zone=UTC": `option "zone" is given twice`,
		",zone=UTC":               "want a file before the options",
	} {
		if _, err := ParseSpec(seconds, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}

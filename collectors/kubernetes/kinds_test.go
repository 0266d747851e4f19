package kubernetes

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

var update = flag.Bool("update", false, "write the golden files")

// line is an event as the golden files show it: its time of day, how far it may lie back, and what it says.
func line(e *assay.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", time.Unix(0, e.Time).UTC().Format("15:04:05.999999"))
	if e.Resolution != second {
		fmt.Fprintf(&b, "~%v", time.Duration(e.Resolution))
	}
	fmt.Fprintf(&b, " %s", e.Kind)
	if e.Instance != "" {
		fmt.Fprintf(&b, " %s", e.Instance)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Attrs)) {
		v := e.Attrs[k]
		if k == "source" {
			continue
		}
		if k == "start_ns" || k == "end_ns" {
			var ns int64
			fmt.Sscan(v, &ns)
			v = time.Unix(0, ns).UTC().Format("15:04:05.999")
		}
		fmt.Fprintf(&b, " %s=%s", strings.TrimSuffix(k, "_ns"), v)
	}
	if e.Text != "" {
		fmt.Fprintf(&b, " | %s", e.Text)
	}
	return b.String()
}

// lines reads inputs as import does, and returns their events and what became of the objects.
func lines(t testing.TB, settings input.Settings, options map[string]string, paths ...string) ([]string, []input.Summary, error) {
	var specs []input.Spec
	for _, p := range paths {
		specs = append(specs, input.Spec{Kind: &Kinds[0], Path: p, Options: options})
	}
	s, err := input.Open(t.Context(), specs, settings)
	if err != nil {
		return nil, nil, err
	}
	var out []string
	err = s.Run(t.Context(), func(r assay.Record) error {
		e := *r.(*assay.Event)
		if e.Source == source {
			e.Time += s.Epoch
			out = append(out, line(&e))
		}
		return nil
	})
	return out, s.Summaries, err
}

func golden(t *testing.T, file string, got []string) {
	t.Helper()
	text := strings.Join(got, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// Two dumps and the events between them: a cold start with a storage initializer, one that ran out of memory, a rollout.
func TestDumpsOfARollout(t *testing.T) {
	got, sums, err := lines(t, input.Settings{}, nil, "testdata/rollout")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/rollout.golden", got)
	var kept []string
	for _, s := range sums {
		kept = append(kept, fmt.Sprintf("%s %d/%d %v", filepath.Base(s.Path), s.Kept, s.Read, s.Rejected))
	}
	if d := cmp.Diff([]string{"1-before.json 6/6 map[]", "2-after.json 7/7 map[]", "3-events.json 16/16 map[]"}, kept); d != "" {
		t.Errorf("summaries (-want +got):\n%s", d)
	}
}

// A watch stream: a crash, a crash loop, and a deletion after which the container ends with 143, which is no crash.
func TestWatchStream(t *testing.T) {
	got, sums, err := lines(t, input.Settings{}, nil, "testdata/watch.json")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/watch.golden", got)
	if s := sums[0]; s.Kept != 13 || s.Rejected["that tell of the watch alone"] != 1 || len(s.Notes) != 0 {
		t.Errorf("summary %+v", s)
	}
}

// What Knative, KServe and a node tell, in YAML.
func TestKnativeAndKServe(t *testing.T) {
	got, sums, err := lines(t, input.Settings{}, nil, "testdata/knative.yaml")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/knative.golden", got)
	if all := strings.Join(got, "\n"); strings.Contains(all, "hush") {
		t.Error("a credential of a URL was kept")
	}
	if s := sums[0]; s.Read != 11 || s.Kept != 10 || s.Rejected["of a kind that says nothing of instances"] != 1 {
		t.Errorf("summary %+v", s)
	}
}

// The order of the files does not matter to what is known of pods, and YAML is read as JSON is.
func TestOrderAndFormOfFiles(t *testing.T) {
	want, _, err := lines(t, input.Settings{}, nil, "testdata/rollout")
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := lines(t, input.Settings{}, nil, "testdata/rollout/3-events.json", "testdata/rollout/1-before.json", "testdata/rollout/2-after.json")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(events)
	if d := cmp.Diff(want, events); d != "" {
		t.Errorf("events first (-want +got):\n%s", d)
	}
}

func TestSettingsOfARecording(t *testing.T) {
	pods := func(got []string) (out []string) {
		for _, l := range got {
			for _, w := range strings.Fields(l) {
				if strings.HasPrefix(w, "llama-predictor-") && !slices.Contains(out, w) {
					out = append(out, w)
				}
			}
		}
		slices.Sort(out)
		return out
	}
	const a, b, c, e = "llama-predictor-6d9f7c-aaaaa", "llama-predictor-6d9f7c-bbbbb", "llama-predictor-7c5b88-ccccc", "llama-predictor-7c5b88-ddddd"
	for _, tt := range []struct {
		name     string
		options  map[string]string
		settings input.Settings
		pods     []string
		has, not string
	}{
		{"selector", map[string]string{"selector": "component=predictor+pod-template-hash=7c5b88"}, input.Settings{}, []string{c, e}, "reason=rollout", "oom"},
		{"namespace", map[string]string{"namespace": "models"}, input.Settings{}, []string{a, b, c, e}, "oom", ""},
		{"container", map[string]string{"container": "queue-proxy"}, input.Settings{}, []string{a, b, c, e}, "created", "oom"},
		{"at", map[string]string{"at": "2026-11-20T12:00:00Z"}, input.Settings{}, []string{a, b, c, e}, "12:00:00 annotation | the latest", ""},
		{"from", nil, input.Settings{From: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).UnixNano(), To: 1 << 62}, []string{a, b, c, e}, "10:00:00~0s instance.ready " + a, "start=09"},
	} {
		got, _, err := lines(t, tt.settings, tt.options, "testdata/rollout")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		all := strings.Join(got, "\n")
		if d := cmp.Diff(tt.pods, pods(got)); d != "" || !strings.Contains(all, tt.has) || tt.not != "" && strings.Contains(all, tt.not) {
			t.Errorf("%s: want …%s…, not …%s…; pods (-want +got):\n%s\n%s", tt.name, tt.has, tt.not, d, all)
		}
	}
	for text, options := range map[string]map[string]string{
		"selector: ":                 {"selector": "a in (b"},
		`at "noon": want an instant`: {"at": "noon"},
		"nothing to keep of 6":       {"namespace": "other"},
	} {
		if _, _, err := lines(t, input.Settings{}, options, "testdata/rollout/1-before.json"); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: error %v, want …%s…", options, err, text)
		}
	}
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func manyPods(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"metadata":{"name":"p%d"}}`, i)
	}
	return b.String()
}

func TestHostileInput(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	for name, tt := range map[string]struct{ text, want string }{
		"an alias bomb":             {"apiVersion: v1\nkind: Pod\n" + bomb, "anchors and aliases are not read"},
		"deep YAML":                 {"apiVersion: v1\nkind: Pod\nx: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested deeper than 100"},
		"very deep YAML":            {"apiVersion: v1\nkind: Pod\nx: " + strings.Repeat("[", 200_000), "yaml: "},
		"YAML that never ends":      {"apiVersion: v1\nkind: Pod\nx: \"" + strings.Repeat("y", 9<<20), "a document of more than 8 MiB"},
		"deep JSON":                 {`{"apiVersion":"v1","metadata":{},"kind":"Pod","spec":` + strings.Repeat(`{"a":`, 200_000), "exceeded max depth"},
		"an object that never ends": {`{"apiVersion":"v1","metadata":{"name":"` + strings.Repeat("y", 10<<20), "a row of more than 4 MiB"},
		"an item that never ends":   {`{"apiVersion":"v1","items":[{"metadata":{"name":"` + strings.Repeat("y", 10<<20), "a row of more than 4 MiB"},
		"a list of numbers":         {`{"apiVersion":"v1","items":[1,2,3],"kind":"List"}`, "nothing to keep of 3 objects (3 that are no objects)"},
		"items that are no list":    {`{"apiVersion":"v1","items":7,"kind":"List"}`, "items: want a list"},
		"stamps of another age":     {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","creationTimestamp":"9999-01-01T00:00:00Z"}}`, "nothing with a time"},
		"a stamp that is none":      {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","creationTimestamp":"yesterday"}}`, "nothing to keep of 1 objects"},
		"pods without end":          {`{"kind":"PodList","apiVersion":"v1","items":[` + manyPods(20_002) + `]}`, "more than 20000 pods: want fewer by namespace= and selector="},
		"no JSON":                   {`{"apiVersion":"v1","metadata":{`, "nothing to keep of 1 objects (1 cut short)"},
		"a list at the top":         {"{}\n[]", "want objects of Kubernetes"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := lines(t, input.Settings{}, nil, write(t, tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
}

// The items of a list that the API server itself answers do not name their kind.
func TestListOfTheServer(t *testing.T) {
	got, _, err := lines(t, input.Settings{}, nil, write(t, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"p","creationTimestamp":"2026-11-20T09:00:00Z"}}]}`))
	if d := cmp.Diff([]string{"09:00:00 instance.created p", "09:00:00 annotation | the latest that is known of the cluster"}, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

func TestWhatIsKubernetes(t *testing.T) {
	for head, want := range map[string]bool{
		`{"apiVersion": "v1", "items": [`:                                    true,
		`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}}`:           true,
		`{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"p"}}}`:   true,
		"apiVersion: v1\nkind: Pod\n":                                        true,
		"apiVersion: assay/v1\nname: plan\n":                                 false,
		`{"resourceSpans":[]}`:                                               false,
		`{"type":"Point","metric":"http_req_duration","data":{}}`:            false,
		`{"latency":1,"code":200,"timestamp":"2026-11-20T09:00:00Z"}`:        false,
		"timeStamp,elapsed,label,responseCode,success\n1700000000,12,a,200,": false,
	} {
		if got := is("x", []byte(head)); got != want {
			t.Errorf("%s: got %v, want %v", head, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, path := range []string{"testdata/rollout/1-before.json", "testdata/rollout/3-events.json", "testdata/watch.json", "testdata/knative.yaml"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("apiVersion: v1\nkind: List\nitems:\n- {kind: Pod, metadata: {name: p, creationTimestamp: 2026-11-20T09:00:00Z}}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		in := &input.Input{File: input.NewFile("x", strings.NewReader(string(b)), nil), Tally: &input.Tally{}}
		if read(context.Background(), in, nil) != nil {
			return
		}
		kept := in.Tally.Read()
		err := finish(context.Background(), in, func(r assay.Record) error {
			if e := r.(*assay.Event); e.Time <= 0 || e.Resolution < 0 || e.Kind == "" {
				t.Errorf("event %+v", e)
			}
			return nil
		})
		if err != nil || in.Tally.Read() != kept {
			t.Errorf("error %v", err)
		}
	})
}

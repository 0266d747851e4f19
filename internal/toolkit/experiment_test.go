package toolkit

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func good(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/replica.json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParse(t *testing.T) {
	x, err := Parse("replica.json", good(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &Experiment{Title: "Answers go on while a replica is broken", Description: "Breaks a replica and mends it.",
		Hypothesis: &Hypothesis{Title: "the service is up", Probes: []Activity{
			{Type: "probe", Name: "answers", HTTP: &HTTP{URL: "${base}/health", Method: "GET", Timeout: 2 * time.Second}, Tolerance: &Tolerance{Type: "equal", Values: []any{200.0}}},
			{Type: "probe", Name: "ready", HTTP: &HTTP{URL: "${base}/models", Method: "GET", Timeout: DefaultTimeout}, Tolerance: &Tolerance{Type: "jsonpath", Text: "$.models[*].ready", Target: "body", Expect: []byte("[true]")}},
		}},
		Method: []Activity{
			{Type: "action", Name: "break", Secrets: []string{"api"}, After: 500 * time.Millisecond,
				HTTP: &HTTP{URL: "${base}/break", Method: "POST", Headers: map[string]string{"Authorization": "Bearer ${token}"}, Body: []byte(`{"who":"${who}"}`), Timeout: DefaultTimeout}},
			{Type: "probe", Name: "list", Background: true, Process: &Process{Path: "echo", Args: []string{"--zone", "b", "--all", "--name", "a c"}, Timeout: 5 * time.Second}},
			{Type: "probe", Name: "answers", HTTP: &HTTP{URL: "${base}/health", Method: "GET", Timeout: 2 * time.Second}, Tolerance: &Tolerance{Type: "equal", Values: []any{200.0}}},
		},
		Rollbacks: []Activity{{Type: "action", Name: "mend", Before: 100 * time.Millisecond, HTTP: &HTTP{URL: "${base}/mend", Method: "POST", Expected: 202, Timeout: DefaultTimeout}}},
		Settings: Settings{Configuration: map[string]Value{"base": {Text: "http://127.0.0.1:8000"}, "who": {Env: "WHO", Default: "nobody", Has: true}},
			Secrets: map[string]map[string]Value{"api": {"token": {Env: "API_TOKEN"}}}},
		Doubts: []string{"controls are Python and are not played"},
	}
	if diff := cmp.Diff(want, x, cmpopts.IgnoreFields(Activity{}, "Raw"), cmpopts.IgnoreFields(Experiment{}, "Raw")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if target, asked := x.URL(); target != "http://127.0.0.1:8000/health" || !asked {
		t.Errorf("target: got %s, %t", target, asked)
	}
}

// Each wrong setting is refused with its file, line, path, value and what would be right.
func TestParseRefuses(t *testing.T) {
	method := func(activity string) string { return `{"title":"t","description":"d","method":[` + activity + `]}` }
	provider := func(p string) string { return method(`{"type":"action","name":"a","provider":` + p + `}`) }
	probe := func(tolerance string) string {
		return `{"title":"t","description":"d","steady-state-hypothesis":{"title":"h","probes":[{"type":"probe","name":"p","tolerance":` + tolerance +
			`,"provider":{"type":"http","url":"http://h/"}}]},"method":[{"type":"probe","name":"q","provider":{"type":"process","path":"ls"}}]}`
	}
	for _, c := range []struct{ text, want string }{
		{"", "x.json: is empty"},
		{"[1]", "is no mapping; want title, description, method"},
		{"{", "is neither JSON nor YAML"},
		{`{"title": "t", "description": "d"}`, "method: is empty; want at least one action or probe"},
		{`{"title": 3, "description": "d", "method": []}`, "x.json:1:11: title: 3 is no text"},
		{"title: t\ndescription: d\nmethods: []\n", `x.json:3:10: methods: unknown key "methods"; did you mean "method"?`},
		{method(`{"type":"dance","name":"a","provider":{"type":"process","path":"ls"}}`), `method[0].type: "dance" is unknown; probe or action`},
		{method(`{"ref":"b"}`), `method[0].ref: "b" names no activity before it`},
		{provider(`{"type":"python","module":"chaosk8s.pod.actions","func":"terminate_pods"}`), "method[0].provider.type: python is not run here, since chaosk8s.pod.actions.terminate_pods would need a Python"},
		{provider(`{"type":"grpc"}`), `method[0].provider.type: "grpc" is unknown; http or process`},
		{provider(`{"type":"http","url":"host/x"}`), `method[0].provider.url: "host/x" is no URL of HTTP`},
		{provider(`{"type":"http","url":"http://h/","timeout":9999}`), "method[0].provider.timeout: 9999 is no time; want seconds, at most 600"},
		{provider(`{"type":"http","url":"http://h/","expected_status":"ok"}`), `method[0].provider.expected_status: "ok" is no status of HTTP`},
		{provider(`{"type":"process","path":"sh","arguments":"-c ls | wc"}`), `method[0].provider.arguments: "|" would need a shell, which is not run`},
		{provider(`{"type":"process"}`), "method[0].provider.path: is missing"},
		{method(`{"type":"action","name":"a","pauses":{"after":-1},"provider":{"type":"process","path":"ls"}}`), "method[0].pauses.after: -1 is no time"},
		{`{"title":"t","description":"d","method":[{"type":"probe","name":"q","provider":{"type":"process","path":"ls"}}],"rollbacks":[{"type":"probe","name":"r","provider":{"type":"process","path":"ls"}}]}`,
			"rollbacks[0].type: is probe; rollbacks are actions"},
		{`{"title":"t","description":"d","secrets":{"g":{"k":"hunter2"}},"method":[]}`, "secrets.g.k: stands in the file, where no secret may; want {type: env, key: NAME}"},
		{`{"title":"t","description":"d","secrets":{"g":{"k":{"type":"vault","path":"p"}}},"method":[]}`, "secrets.g.k.type: vaults are not asked here"},
		{`{"title":"t","description":"d","configuration":{"k":{"type":"probe"}},"method":[]}`, "configuration.k.type: a probe's result is not taken as configuration"},
		{probe(`null`), "tolerance: null is no tolerance"},
		{probe(`[9, 4]`), "tolerance: [9,4]: the lower bound comes first"},
		{probe(`{"type":"regex","pattern":"("}`), "tolerance.pattern: \"(\": error parsing regexp"},
		{probe(`{"type":"jsonpath","path":"$.a[?(@.b)]"}`), `tolerance.path: "$.a[?(@.b)]": [?(@.b)] is not known`},
		{probe(`{"type":"range","range":[1]}`), "tolerance.range: [1] is no range; want the least and the most"},
		{probe(`{"type":"probe","name":"v"}`), "a probe that judges another's value is Python"},
	} {
		_, err := Parse("x.json", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is in the message: %v", err)
		}
	}
}

func TestTolerance(t *testing.T) {
	answer := &Output{Status: 200, Headers: map[string]string{"Server": "x"}, Body: map[string]any{"n": 4.0, "items": []any{map[string]any{"id": "a"}, map[string]any{"id": "b"}}}}
	text := &Output{Status: 503, Body: "OK\n"}
	proc := &Output{Status: 0, Stdout: "42\n", process: true}
	one := 1
	for _, c := range []struct {
		name string
		t    Tolerance
		o    *Output
		want bool
	}{
		{"a number is the status", Tolerance{Type: "equal", Values: []any{200.0}}, answer, true},
		{"another status", Tolerance{Type: "equal", Values: []any{200.0}}, text, false},
		{"exit status", Tolerance{Type: "equal", Values: []any{0.0}}, proc, true},
		{"a text is the body", Tolerance{Type: "equal", Values: []any{"OK"}}, text, true},
		{"a text is the output", Tolerance{Type: "equal", Values: []any{"42"}}, proc, true},
		{"true is success", Tolerance{Type: "equal", Values: []any{true}}, answer, true},
		{"true is no failure", Tolerance{Type: "equal", Values: []any{true}}, text, false},
		{"false is failure", Tolerance{Type: "equal", Values: []any{false}}, text, true},
		{"one of", Tolerance{Type: "in", Values: []any{200.0, 201.0, 503.0}}, text, true},
		{"none of", Tolerance{Type: "in", Values: []any{"no", "nein"}}, text, false},
		{"bounds of the status", Tolerance{Type: "range", Values: []any{200.0, 299.0}}, answer, true},
		{"beyond them", Tolerance{Type: "range", Values: []any{200.0, 299.0}}, text, false},
		{"bounds of the output", Tolerance{Type: "range", Values: []any{40.0, 42.0}, Target: "stdout"}, proc, true},
		{"no number", Tolerance{Type: "range", Values: []any{0.0, 1.0}, Target: "body"}, text, false},
		{"a pattern", Tolerance{Type: "regex", Text: "^O.$", Target: "body"}, &Output{Body: "OK"}, true},
		{"no match", Tolerance{Type: "regex", Text: "^4$", Target: "stdout"}, proc, false},
		{"a pattern in JSON", Tolerance{Type: "regex", Text: `"id":"b"`}, answer, true},
		{"a path", Tolerance{Type: "jsonpath", Text: "$.items[*].id"}, answer, true},
		{"a path that leads nowhere", Tolerance{Type: "jsonpath", Text: "$.none"}, answer, false},
		{"a number of matches", Tolerance{Type: "jsonpath", Text: "$.items[*]", Count: &one}, answer, false},
		{"the values it leads to", Tolerance{Type: "jsonpath", Text: "$..id", Expect: []byte(`["a","b"]`), Target: "body"}, answer, true},
		{"the one value", Tolerance{Type: "jsonpath", Text: "$.n", Expect: []byte(`4`)}, answer, true},
		{"JSON in a text", Tolerance{Type: "jsonpath", Text: "$.n", Expect: []byte(`4`)}, &Output{Body: `{"n":4}`}, true},
	} {
		if got, why := c.t.Met(c.o); got != c.want || why == "" {
			t.Errorf("%s: got %t (%s)", c.name, got, why)
		}
	}
}

func TestJSONPath(t *testing.T) {
	v := map[string]any{"a": map[string]any{"b c": 1.0, "d": []any{1.0, 2.0, 3.0}}, "x": []any{map[string]any{"a": 9.0}}}
	for path, want := range map[string][]any{
		"$": {v}, "$.a['b c']": {1.0}, `$.a["d"][0]`: {1.0}, "$.a.d[-1]": {3.0}, "$.a.d[9]": {}, "$.a.d[*]": {1.0, 2.0, 3.0}, "$.a.*": {1.0, []any{1.0, 2.0, 3.0}}, "$..a": {v["a"], 9.0}, "$.x..a": {9.0},
	} {
		p, err := compilePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, p.find(v)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
	for _, path := range []string{"a", "$a", "$.", "$[", "$[1:2]", "$..", "$.a..", "$['a"} {
		if _, err := compilePath(path); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}

func TestSplit(t *testing.T) {
	got, err := split(` -a  'b c' "d'e" f""g '' `)
	if diff := cmp.Diff([]string{"-a", "b c", "d'e", "fg", ""}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"a; b", "a > b", "$(a)", "`a`", `a\ b`, "'a"} {
		if _, err := split(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good(f))
	f.Add([]byte("title: t\ndescription: d\nmethod:\n- {type: probe, name: p, provider: {type: process, path: ls, arguments: \"-a 'b\"}}\n"))
	f.Add([]byte(`{"method":[{"ref":"a"}],"steady-state-hypothesis":{"probes":[{"tolerance":[1,2]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Parse("x", data)
		if err != nil {
			return
		}
		if x.Title == "" || len(x.Method) == 0 {
			t.Errorf("taken without title or method: %+v", x)
		}
		x.URL()
		if _, err := Parse("x", x.Raw); err != nil {
			t.Errorf("what is kept of it is refused: %v\n%s", err, x.Raw)
		}
	})
}

func FuzzJSONPath(f *testing.F) {
	f.Add("$.a[0]['b']..c[*]")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := compilePath(s); err == nil {
			p.find(map[string]any{"a": []any{map[string]any{"b": 1.0}}})
		}
	})
}

func TestFill(t *testing.T) {
	t.Setenv("ASSAY_TEST_WHO", "me")
	vars := map[string]Value{"a": {Text: "1"}, "who": {Env: "ASSAY_TEST_WHO"}, "none": {Env: "ASSAY_NO_SUCH_VARIABLE", Has: true}}
	for text, want := range map[string]string{"${a}-$a": "1-1", "${who}": "me", "${none}.": ".", "$HOME ${b} $1": "$HOME ${b} $1", "$$a": "$a", "$.a[0]": "$.a[0]"} {
		if got, err := fill(text, vars); err != nil || got != want {
			t.Errorf("%s: got %q %v, want %q", text, got, err, want)
		}
	}
}

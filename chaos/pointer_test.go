package chaos

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPointer(t *testing.T) {
	var o any
	if err := json.Unmarshal([]byte(`{"a":{"x/y":1,"m~n":[{"b":"c"}]},"n":null}`), &o); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path string
		want any
		ok   bool
	}{
		{pointer("a", "x/y"), 1.0, true}, {"/a/m~0n/0/b", "c", true}, {"/a/m~0n/1/b", nil, false}, {"/a/m~0n/-1", nil, false}, {"/a/m~0n/b", nil, false},
		{"/a/none", nil, false}, {"/a/x~1y/z", nil, false}, {"/n", nil, true}, {"", o, true},
	} {
		if got, ok := lookup(o, tc.path); ok != tc.ok || !cmp.Equal(tc.want, got) {
			t.Errorf("%s: %v, %v, want %v, %v", tc.path, got, ok, tc.want, tc.ok)
		}
	}
	f := changed(o, "/a/m~0n/0/b", "d")
	if !f.stands(o, f.Was) || f.stands(o, f.Ours) || f.stands(o, nil) || string(f.Was) != `"c"` {
		t.Errorf("%+v", f)
	}
	if f := changed(o, "/a/new", "d"); f.Was != nil || !f.stands(o, nil) || f.stands(o, f.Ours) {
		t.Errorf("%+v", f)
	}
	ops := parents(o, "/a/k/l/m", map[string]bool{})
	if d := cmp.Diff([]operation{{"add", "/a/k", json.RawMessage("{}")}, {"add", "/a/k/l", json.RawMessage("{}")}}, ops); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func FuzzPointer(f *testing.F) {
	f.Add("a/b", "~1")
	f.Add("", "~01")
	f.Fuzz(func(t *testing.T, a, b string) {
		p := pointer(a, b)
		if got := keysOf(p); !slices.Equal(got, []string{a, b}) {
			t.Errorf("%q gives %q", p, got)
		}
		if v, ok := lookup(map[string]any{a: map[string]any{b: "here"}}, p); !ok || v != "here" {
			t.Errorf("nothing at %q", p)
		}
	})
}

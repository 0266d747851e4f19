package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestDrift compares the committed dashboard with what the catalogue gives now.
func TestDrift(t *testing.T) {
	want, err := overview()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../run-overview.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("run-overview.json is not what the catalogue gives; go generate ./dashboards/grafana writes it:\n%s", d)
	}
	again, err := overview()
	if err != nil || string(again) != string(want) {
		t.Errorf("a second build differs from the first (err %v)", err)
	}
}

// TestStrict reads the dashboard with the SDK's strict decoder, options of panels included.
func TestStrict(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	b, err := overview()
	if err != nil {
		t.Fatal(err)
	}
	strict := func(b []byte) int {
		var d dashboard.Dashboard
		err := d.UnmarshalJSONStrict(b)
		if errs, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range errs.Unwrap() {
				t.Log(e)
			}
			return len(errs.Unwrap())
		}
		if err != nil && err.Error() != "" {
			t.Log(err)
			return 1
		}
		return 0
	}
	if n := strict(b); n > 0 {
		t.Errorf("the strict decoder has %d objections", n)
	}
	wrong := append([]byte(`{"invented": 1,`), b[1:]...)
	if strict(wrong) == 0 {
		t.Error("the strict decoder accepts an invented field: it checks nothing")
	}
}

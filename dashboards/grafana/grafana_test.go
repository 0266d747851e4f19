package grafana

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestExport(t *testing.T) {
	dir := t.TempDir()
	paths, err := Export(dir, Options{Prometheus: "http://prom:9090", Dashboards: "/dash", Live: "127.0.0.1:1234"})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 4 {
		t.Fatalf("got %q", paths)
	}
	b, err := os.ReadFile(filepath.Join(dir, "dashboards", "run-overview.json"))
	if err != nil || !bytes.Equal(b, overview) {
		t.Errorf("the dashboard is not the embedded one (err %v)", err)
	}
	read := func(path string) map[string]any {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := yaml.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return m
	}
	source := read("provisioning/datasources/assay.yaml")["datasources"].([]any)[0].(map[string]any)
	if source["url"] != "http://prom:9090" || source["type"] != "prometheus" || source["jsonData"].(map[string]any)["timeInterval"] != "1s" {
		t.Errorf("data source %v", source)
	}
	provider := read("provisioning/dashboards/assay.yaml")["providers"].([]any)[0].(map[string]any)
	if provider["options"].(map[string]any)["path"] != "/dash" {
		t.Errorf("provider %v", provider)
	}
	scrape := read("prometheus.yml")["scrape_configs"].([]any)[0].(map[string]any)
	if got := fmt.Sprint(scrape["static_configs"]); got != "[map[targets:[127.0.0.1:1234]]]" {
		t.Errorf("targets %s", got)
	}
	if _, err := Export(filepath.Join(paths[0], "below-a-file"), Options{}); err == nil {
		t.Error("an export below a file gave no error")
	}
}

func ExampleFiles() {
	for _, f := range Files(Options{}) {
		fmt.Println(f.Path)
	}
	// Output:
	// dashboards/run-overview.json
	// provisioning/datasources/assay.yaml
	// provisioning/dashboards/assay.yaml
	// prometheus.yml
}

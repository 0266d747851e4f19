// Package grafana holds the Grafana dashboards that package catalogue describes, ready to be
// provisioned. The JSON is generated, committed and embedded: assay exports it without linking the
// library that drew it.
//
// Queries and schema are checked by tests: every query of every panel, variable and annotation is
// executed against a real Prometheus. How Grafana renders the panels is not; they keep to core panels with plain options.
package grafana

import (
	_ "embed" // the generated dashboard
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

//go:generate go run ./gen run-overview.json

//go:embed run-overview.json
var overview []byte

// A File is one file of an export, its path relative to the export's directory.
type File struct {
	Path string
	Data []byte
}

// Options say where the exported files will find one another.
type Options struct {
	Prometheus string // URL of the Prometheus that Grafana asks; http://127.0.0.1:9090 when empty
	Dashboards string // directory of the dashboards as Grafana sees it; /var/lib/grafana/dashboards/assay when empty
	Live       string // host:port of the run's live /metrics; 127.0.0.1:9464 when empty
}

// Files returns the dashboards with the files that provision them: a data source, a dashboard
// provider and the scrape configuration that the queries expect.
func Files(o Options) []File {
	if o.Prometheus == "" {
		o.Prometheus = "http://127.0.0.1:9090"
	}
	if o.Dashboards == "" {
		o.Dashboards = "/var/lib/grafana/dashboards/assay"
	}
	if o.Live == "" {
		o.Live = "127.0.0.1:9464"
	}
	return []File{
		{"dashboards/run-overview.json", overview},
		{"provisioning/datasources/assay.yaml", []byte(`# Grafana reads this from its provisioning/datasources directory.
apiVersion: 1
datasources:
  - name: assay
    uid: assay-prometheus
    type: prometheus
    access: proxy
    url: ` + strconv.Quote(o.Prometheus) + `
    jsonData:
      timeInterval: 1s # the scrape interval: windows of seconds need it
      httpMethod: POST
`)},
		{"provisioning/dashboards/assay.yaml", []byte(`# Grafana reads this from its provisioning/dashboards directory.
apiVersion: 1
providers:
  - name: assay
    folder: assay
    type: file
    disableDeletion: true
    options:
      path: ` + strconv.Quote(o.Dashboards) + `
`)},
		{"prometheus.yml", []byte(`# The scrape configuration that the dashboards expect.
scrape_configs:
  - job_name: assay
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs:
      - targets: [` + strconv.Quote(o.Live) + `]
`)},
	}
}

// Export writes the files under dir and returns their paths.
func Export(dir string, o Options) ([]string, error) {
	var paths []string
	for _, f := range Files(o) {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return paths, fmt.Errorf("export dashboards: %w", err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return paths, fmt.Errorf("export dashboards: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

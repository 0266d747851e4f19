package grafana

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/assay-dev/assay/dashboards/catalogue"
)

type target struct {
	Expr       string `json:"expr"`
	RefID      string `json:"refId"`
	Interval   string `json:"interval"`
	Datasource ref    `json:"datasource"`
}

type ref struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type dash struct {
	Title, UID, Description string
	Editable                bool
	SchemaVersion           int
	Panels                  []struct {
		ID          uint32
		Type, Title string
		Description string
		Datasource  ref
		GridPos     struct{ H, W, X, Y uint32 }
		FieldConfig struct {
			Defaults struct{ Unit string }
		}
		Targets []target
	}
	Templating struct {
		List []struct {
			Name, Type, Label string
			Query             any
			Datasource        ref
		}
	}
	Annotations struct {
		List []struct {
			Name       string
			Datasource ref
			Target     target
			TagKeys    string
		}
	}
}

func load(t *testing.T) *dash {
	t.Helper()
	d := new(dash)
	if err := json.Unmarshal(overview, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// exposed are the metrics of a run's live endpoint.
var exposed = []string{"assay_run_info", "assay_phase", "assay_requests_total", "assay_request_ttft_seconds_bucket", "assay_request_e2e_seconds_bucket",
	"assay_request_itl_seconds_bucket", "assay_send_lateness_seconds_bucket", "assay_requests_in_flight", "assay_offered_rate", "assay_instances",
	"assay_instance_starts_total", "assay_fault_active", "assay_objective_goal", "assay_refused_by_cap_total", "assay_spans_total", "assay_scrape_errors_total", "assay_warnings_total"}

var variable = regexp.MustCompile(`\$\{?\w+`)

// lintExpr checks one query: it parses, asks for this run only, for metrics that exist, and takes
// histograms by their increase.
func lintExpr(expr string) (problems []string) {
	for _, v := range variable.FindAllString(expr, -1) {
		if !slices.Contains([]string{"$run", "$phase", "$__rate_interval"}, v) {
			problems = append(problems, "unknown variable "+v)
		}
	}
	e, err := parser.NewParser(parser.Options{}).ParseExpr(catalogue.Expand(expr, "r", ".+", "5s"))
	if err != nil {
		return append(problems, err.Error())
	}
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if !slices.Contains(exposed, s.Name) {
			problems = append(problems, "metric "+s.Name+" is not exposed by a run")
		}
		byRun := false
		for _, m := range s.LabelMatchers {
			byRun = byRun || m.Name == "run" && m.Value == "r"
		}
		if !byRun && s.Name != "assay_run_info" {
			problems = append(problems, s.Name+" is not limited to the run")
		}
		if strings.HasSuffix(s.Name, "_bucket") {
			rated := false
			for _, p := range path {
				c, ok := p.(*parser.Call)
				rated = rated || ok && (c.Func.Name == "rate" || c.Func.Name == "increase")
			}
			if !rated {
				problems = append(problems, s.Name+" is not under rate or increase")
			}
		}
		return nil
	})
	return problems
}

func TestLint(t *testing.T) {
	d := load(t)
	if d.Title == "" || d.UID == "" || d.Description == "" || d.Editable || d.SchemaVersion == 0 {
		t.Errorf("title %q, uid %q, description %q, editable %v, schema %d", d.Title, d.UID, d.Description, d.Editable, d.SchemaVersion)
	}
	ids := map[uint32]string{}
	cells := map[[2]uint32]string{}
	for _, p := range d.Panels {
		name := fmt.Sprintf("panel %d %q", p.ID, p.Title)
		if other, twice := ids[p.ID]; twice || p.ID == 0 {
			t.Errorf("%s: id is missing or that of %s", name, other)
		}
		ids[p.ID] = name
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 || p.GridPos.H == 0 {
			t.Errorf("%s: position %+v", name, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]uint32{x, y}]; other != "" {
					t.Fatalf("%s overlaps %s", name, other)
				}
				cells[[2]uint32{x, y}] = name
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || !strings.Contains(p.Description, "?") || p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%s: title, a question as description and a unit are needed; got %q, %q", name, p.Description, p.FieldConfig.Defaults.Unit)
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: data source %q, %d queries", name, p.Datasource.UID, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.Datasource.UID != "${datasource}" || refs[q.RefID] || q.RefID == "" {
				t.Errorf("%s query %s: data source %q, or its id is used twice", name, q.RefID, q.Datasource.UID)
			}
			refs[q.RefID] = true
			for _, problem := range lintExpr(q.Expr) {
				t.Errorf("%s query %s: %s", name, q.RefID, problem)
			}
		}
	}
	vars := map[string]string{}
	for _, v := range d.Templating.List {
		vars[v.Name] = v.Type
		if v.Label == "" || v.Type == "query" && v.Datasource.UID != "${datasource}" {
			t.Errorf("variable %s: label %q, data source %q", v.Name, v.Label, v.Datasource.UID)
		}
	}
	if vars["datasource"] != "datasource" || vars["run"] != "query" || vars["phase"] != "query" {
		t.Errorf("variables %v, want datasource, run and phase", vars)
	}
	for _, a := range d.Annotations.List {
		// At Grafana's default step of a minute, windows of seconds vanish or merge.
		if a.Target.Interval != "5s" || a.Datasource.UID != "${datasource}" || a.TagKeys == "" {
			t.Errorf("annotation %q: interval %q, data source %q, tags %q", a.Name, a.Target.Interval, a.Datasource.UID, a.TagKeys)
		}
		for _, problem := range lintExpr(a.Target.Expr) {
			t.Errorf("annotation %q: %s", a.Name, problem)
		}
	}
}

// TestLintFinds makes sure that the rules can fail.
func TestLintFinds(t *testing.T) {
	for expr, want := range map[string]string{
		`sum(`:                                          "parse error",
		`assay_requests_in_flight`:                      "not limited to the run",
		`assay_nothing{run="$run"}`:                     "not exposed",
		`assay_instances{run="$run",x="$other"}`:        "unknown variable $other",
		`assay_request_ttft_seconds_bucket{run="$run"}`: "not under rate",
	} {
		if got := strings.Join(lintExpr(expr), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	if got := lintExpr(`assay_instances{run="$run"}`); got != nil {
		t.Errorf("a good query: %q", got)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/assay-dev/assay/dashboards/catalogue"
)

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

// overview returns the JSON of the run overview.
func overview() ([]byte, error) {
	d := catalogue.Overview()
	b := dashboard.NewDashboardBuilder(d.Title).Uid(d.UID).Description(d.Description).Tags([]string{"assay", "reliability"}).
		Time("now-15m", "now").Refresh("5s").Timezone("browser").Readonly().Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range d.Variables {
		q := dashboard.NewQueryVariableBuilder(v.Name).Label(v.Label).Datasource(source()).Query(dashboard.StringOrMap{String: cog.ToPtr(v.Query)}).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalDesc)
		if v.Multi {
			q = q.Multi(true).IncludeAll(true).AllValue(".+").Current(dashboard.VariableOption{
				Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}}})
		}
		b = b.WithVariable(q)
	}
	for _, a := range d.Annotations {
		b = b.Annotation(dashboard.NewAnnotationQueryBuilder().Name(a.Name).Datasource(source()).Enable(true).IconColor(a.Colour).
			TitleFormat(a.Title).TextFormat(a.Text).TagKeys(a.Tags).
			Target(prometheus.NewDataqueryBuilder().RefId("Anno").Expr(a.Expr).Interval(a.Interval).Range()))
	}
	var y uint32
	for _, r := range d.Rows {
		b = b.WithRow(dashboard.NewRowBuilder(r.Title).Id(r.ID).GridPos(dashboard.GridPos{H: 1, W: 24, X: 0, Y: y}))
		y++
		var x, tall uint32
		for _, p := range r.Panels {
			if x+p.Width > 24 {
				x, y, tall = 0, y+tall, 0
			}
			pb, err := panel(p, dashboard.GridPos{H: p.Height, W: p.Width, X: x, Y: y})
			if err != nil {
				return nil, err
			}
			b = b.WithPanel(pb)
			x, tall = x+p.Width, max(tall, p.Height)
		}
		y += tall
	}
	out, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("build dashboard: %w", err)
	}
	return encode(out)
}

// built hands a finished panel to the dashboard's builder.
type built dashboard.Panel

func (b built) Build() (dashboard.Panel, error) { return dashboard.Panel(b), nil }

func panel(p catalogue.Panel, pos dashboard.GridPos) (built, error) {
	var b cog.Builder[dashboard.Panel]
	switch p.Form {
	case catalogue.Stat:
		b = stat.NewPanelBuilder().Thresholds(thresholds(p.Warn)).GraphMode(common.BigValueGraphModeArea).ColorMode(common.BigValueColorModeValue).
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
	case catalogue.TimeSeries, catalogue.Stacked:
		t := timeseries.NewPanelBuilder().Min(0).LineWidth(1).ShowPoints(common.VisibilityModeNever).
			Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
			Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti))
		if p.Form == catalogue.Stacked {
			t = t.FillOpacity(40).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
		}
		for _, q := range p.Queries {
			if q.Goal {
				t = t.OverrideByName(q.Legend, []dashboard.DynamicConfigValue{
					{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": "red"}},
					{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{10, 10}}},
					{Id: "custom.fillOpacity", Value: 0},
				})
			}
		}
		b = t
	case catalogue.StateTimeline:
		b = statetimeline.NewPanelBuilder().Mappings(mappings(p.States)).MergeValues(true).ShowValue(common.VisibilityModeAuto).RowHeight(0.8)
	case catalogue.Table:
		b = table.NewPanelBuilder().ShowHeader(true).WithTransformation(dashboard.DataTransformerConfig{Id: "organize",
			Options: map[string]any{"excludeByName": map[string]any{"Time": true}, "indexByName": map[string]any{"metric": 0, "bound": 1, "Value": 2}}})
	case catalogue.Heatmap:
		b = heatmap.NewPanelBuilder().Calculate(false).YAxis(heatmap.NewYAxisConfigBuilder().Unit(p.Unit)).
			Color(heatmap.NewHeatmapColorOptionsBuilder().Mode(heatmap.HeatmapColorModeScheme).Scheme("Blues").Steps(32))
	default:
		return built{}, fmt.Errorf("panel %q: form %q is not known", p.Title, p.Form)
	}
	out, err := b.Build()
	if err != nil {
		return built{}, fmt.Errorf("panel %q: %w", p.Title, err)
	}
	// What all forms share is set on the built panel: the SDK has one builder a form and no common one.
	ds := source()
	out.Id, out.Title, out.Description, out.GridPos, out.Datasource = cog.ToPtr(p.ID), cog.ToPtr(p.Title), cog.ToPtr(p.Question), cog.ToPtr(pos), &ds
	if out.FieldConfig == nil {
		out.FieldConfig = &dashboard.FieldConfigSource{}
	}
	out.FieldConfig.Defaults.Unit = cog.ToPtr(p.Unit)
	if p.NoValue != "" {
		out.FieldConfig.Defaults.NoValue = cog.ToPtr(p.NoValue)
	}
	for i, q := range p.Queries {
		t := prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Expr(q.Expr).LegendFormat(q.Legend).Datasource(source())
		switch p.Form {
		case catalogue.Table:
			t = t.Instant().Format(prometheus.PromQueryFormatTable)
		case catalogue.Heatmap:
			t = t.Range().Format(prometheus.PromQueryFormatHeatmap)
		default:
			t = t.Range()
		}
		if q.Exemplar {
			t = t.Exemplar(true)
		}
		target, err := t.Build()
		if err != nil {
			return built{}, fmt.Errorf("panel %q, query %d: %w", p.Title, i+1, err)
		}
		out.Targets = append(out.Targets, target)
	}
	return built(out), nil
}

func thresholds(warn float64) cog.Builder[dashboard.ThresholdsConfig] {
	steps := []dashboard.Threshold{{Value: nil, Color: "green"}}
	if warn > 0 {
		steps = append(steps, dashboard.Threshold{Value: cog.ToPtr(warn), Color: "red"})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

func mappings(states map[string]catalogue.State) []dashboard.ValueMapping {
	options := map[string]dashboard.ValueMappingResult{}
	for i, value := range slices.Sorted(maps.Keys(states)) {
		s := states[value]
		options[value] = dashboard.ValueMappingResult{Text: cog.ToPtr(s.Text), Color: cog.ToPtr(s.Colour), Index: cog.ToPtr(int32(i))}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// encode writes the dashboard with sorted keys and without the tables' footers.
func encode(d dashboard.Dashboard) ([]byte, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode dashboard: %w", err)
	}
	var tree map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("encode dashboard: %w", err)
	}
	panels, _ := tree["panels"].([]any)
	for i, p := range panels {
		m, ok := p.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("encode dashboard: panel %s is not an object", strconv.Itoa(i))
		}
		if o, ok := m["options"].(map[string]any); ok {
			delete(o, "footer")
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(tree); err != nil {
		return nil, fmt.Errorf("encode dashboard: %w", err)
	}
	return b.Bytes(), nil
}

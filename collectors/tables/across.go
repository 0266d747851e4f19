package tables

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// A level that isName holds names of metrics. Beside it, levels of tellsName are part of the name too, rather than of what it is measured on.
var (
	isName    = []string{"metric", "metrics", "metric_name", "name", "measure", "measurement", "quantity"}
	tellsName = append([]string{"statistic", "stat", "aggregation", "agg", "quantile", "unit"}, isName...)
)

// across finds the metrics of a wide table whose columns are named by several rows. Levels that option name lists make the metric's name and those that option
// labels lists its labels; where either is given, the levels that neither lists go to the other one.
func (s *samples) across(h *input.Header) error {
	var names, labels []int
	for i, level := range h.Levels {
		label := slices.Contains(s.labels, level)
		switch {
		case label:
		case s.name != "":
			label = !slices.Contains(split(s.name), level)
		case !slices.ContainsFunc(s.labels, func(l string) bool { return h.Level(l) >= 0 }) && s.speaks(h):
			label = !slices.Contains(tellsName, strings.ToLower(level))
		}
		if label {
			labels = append(labels, i)
			continue
		}
		names = append(names, i)
	}
	for _, n := range split(s.name) {
		if h.Level(n) < 0 {
			return fmt.Errorf("%s: no row of the header is called %q: there are %s", s.in.Path, n, strings.Join(h.Levels, ", "))
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s: all rows of the header, %s, are labels: want one for the metric's name", s.in.Path, strings.Join(h.Levels, ", "))
	}
	s.labels = slices.DeleteFunc(s.labels, func(l string) bool { return h.Level(l) >= 0 })
	if n := len(s.labels) + len(labels); n > maxLabels {
		return fmt.Errorf("%s: %d labels: want at most %d", s.in.Path, n, maxLabels)
	}
	found := map[string]bool{}
	for _, column := range slices.Sorted(maps.Keys(h.Of)) {
		of := h.Of[column]
		if slices.Contains(s.labels, column) {
			continue
		}
		base := pick(of, names)
		if len(base) == 0 {
			continue
		}
		m := metric{column: column, name: metricName(s.prefix + strings.Join(base, "_"))}
		if i := slices.IndexFunc(s.named, func(n metric) bool { return n.column == strings.Join(base, "_") }); i >= 0 {
			m = s.named[i]
			found[m.column] = true
			m.column = column
		} else if len(s.named) > 0 {
			continue
		}
		for _, l := range labels {
			if of[l] != "" {
				m.labels = append(m.labels, assay.Label{Name: metricName(h.Levels[l]), Value: of[l][:min(len(of[l]), maxText)]})
			}
		}
		s.wide = append(s.wide, m)
	}
	for _, m := range s.named {
		if !found[m.column] {
			return fmt.Errorf("%s: values: no column is called %q: there are %s", s.in.Path, m.column, strings.Join(called(h, names), ", "))
		}
	}
	if len(s.wide) > maxValues*10 {
		return fmt.Errorf("%s: %d columns of values: want at most %d, named by values=COLUMN|COLUMN", s.in.Path, len(s.wide), maxValues*10)
	}
	s.in.Tally.Note("the header has several rows: names are of "+levelsOf(h, names)+", labels are "+levelsOf(h, labels), 1)
	return nil
}

// speaks reports whether a level of the header says that it is the metric's name.
func (s *samples) speaks(h *input.Header) bool {
	return slices.ContainsFunc(h.Levels, func(l string) bool { return slices.Contains(isName, strings.ToLower(l)) })
}

// pick returns what a column is on some levels, without those on which it is nothing.
func pick(of []string, levels []int) (out []string) {
	for _, l := range levels {
		if of[l] != "" {
			out = append(out, of[l])
		}
	}
	return out
}

// called lists the names of the columns of values, at most twenty.
func called(h *input.Header, names []int) (out []string) {
	seen := map[string]bool{}
	for _, of := range h.Of {
		seen[strings.Join(pick(of, names), "_")] = true
	}
	out = slices.Sorted(maps.Keys(seen))
	if len(out) > 20 {
		out = append(out[:20:20], "…")
	}
	return out
}

func levelsOf(h *input.Header, levels []int) string {
	if len(levels) == 0 {
		return "none"
	}
	return strings.Join(pick(h.Levels, levels), ", ")
}

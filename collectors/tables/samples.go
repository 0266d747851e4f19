package tables

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

const (
	maxValues = 1000 // metrics of a wide table
	maxLabels = 32
	maxText   = 1024 // bytes of a label
)

// A metric is one column of values.
type metric struct{ column, name string }

// samples reads a table of metrics.
type samples struct {
	in     *input.Input
	emit   func(assay.Record) error
	time   stamp
	value  string // long
	name   string // long: a column, or the name itself
	labels []string
	prefix string
	wide   []metric // nil until the first row where none are named
	sample assay.Sample
}

func readSamples(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	s := &samples{in: in, emit: emit, value: in.Option("value"), name: in.Option("name"), labels: split(in.Option("labels")), prefix: in.Option("prefix")}
	switch {
	case in.Option("time") == "":
		return fmt.Errorf("%s: want the option time, for example --samples FILE,time=ts:ms,labels=pod,values=cpu|memory", in.Path)
	case s.value != "" && in.Option("values") != "":
		return fmt.Errorf("%s: value is for a long table and values for a wide one: want one of them", in.Path)
	case (s.value == "") != (s.name == ""):
		return fmt.Errorf("%s: a long table has a name and a value: want both options, for example --samples FILE,time=ts,name=metric,value=value", in.Path)
	case len(s.labels) > maxLabels:
		return fmt.Errorf("%s: %d labels: want at most %d", in.Path, len(s.labels), maxLabels)
	}
	s.time = stampOf(in.Option("time"))
	for _, c := range split(in.Option("values")) {
		column, name, renamed := strings.Cut(c, ":")
		if !renamed {
			name = s.prefix + column
		}
		if name = metricName(name); name == "" || column == "" {
			return fmt.Errorf("%s: values: %q: want COLUMN or COLUMN:metric_name", in.Path, c)
		}
		s.wide = append(s.wide, metric{column, name})
	}
	return each(ctx, in, s.row, func() int64 { return int64(max(1, len(s.wide))) })
}

func (s *samples) row(rows input.Rows, line int) error {
	at, err := s.time.at(s.in, rows, line, "time")
	if err != nil {
		return err
	}
	s.sample = assay.Sample{Time: at, Labels: s.sample.Labels[:0]}
	for _, c := range s.labels {
		text, err := input.Need(rows, s.in.File, line, c, "labels")
		if err != nil {
			return err
		}
		if len(text) > maxText {
			return s.in.BadRow(line, c, text, fmt.Sprintf("at most %d bytes", maxText))
		}
		if text != "" {
			s.sample.Labels = append(s.sample.Labels, assay.Label{Name: metricName(c), Value: text})
		}
	}
	slices.SortFunc(s.sample.Labels, func(a, b assay.Label) int { return strings.Compare(a.Name, b.Name) })
	if s.value != "" {
		name := s.name
		if text, ok := rows.Get(s.name); ok {
			name = text
		}
		return s.cell(rows, line, metric{s.value, metricName(s.prefix + name)})
	}
	if s.wide == nil {
		if err := s.find(rows, line); err != nil {
			return err
		}
	}
	for _, m := range s.wide {
		if err := s.cell(rows, line, m); err != nil {
			return err
		}
	}
	return nil
}

// find takes the columns that hold a number in the first row for metrics.
func (s *samples) find(rows input.Rows, line int) error {
	for _, c := range rows.Columns() {
		text, _ := rows.Get(c)
		if _, err := strconv.ParseFloat(text, 64); err == nil && c != s.time.column && !slices.Contains(s.labels, c) {
			s.wide = append(s.wide, metric{c, metricName(s.prefix + c)})
		}
	}
	switch {
	case len(s.wide) == 0:
		return fmt.Errorf("%s:%d: no column holds a number: want values=COLUMN|COLUMN; there are %s", s.in.Path, line, strings.Join(rows.Columns(), ", "))
	case len(s.wide) > maxValues:
		return fmt.Errorf("%s:%d: %d columns hold numbers: want at most %d, named by values=COLUMN|COLUMN", s.in.Path, line, len(s.wide), maxValues)
	}
	return nil
}

// cell emits one value.
func (s *samples) cell(rows input.Rows, line int, m metric) error {
	text, err := input.Need(rows, s.in.File, line, m.column, "a metric")
	if err != nil {
		return err
	}
	if text == "" {
		s.in.Tally.Reject("empty cells", 1)
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if text == "true" || text == "false" {
		v, err = map[string]float64{"true": 1, "false": 0}[text], nil
	}
	if err != nil || math.IsNaN(v) || m.name == "" {
		s.in.Tally.Reject("cells that hold no number", 1)
		return nil
	}
	s.in.Tally.Keep(1)
	s.sample.Name, s.sample.Value = m.name, v
	return s.emit(&s.sample)
}

// metricName makes a name that Prometheus takes: letters, digits and _ (: too), no digit first.
func metricName(text string) string {
	var b strings.Builder
	for i, c := range text {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':':
			b.WriteRune(c)
		case c >= '0' && c <= '9':
			if i == 0 {
				b.WriteByte('_')
			}
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}

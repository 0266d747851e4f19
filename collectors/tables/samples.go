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

// samples reads a table of metrics.
type samples struct {
	in     *input.Input
	emit   func(assay.Record) error
	time   stamp
	value  string // long
	name   string // long: a column, or the name itself
	labels []string
	prefix string
	named  []metric // by option values
	wide   []metric // nil until the first row where none are named
	sample assay.Sample
	told   told
	same   string          // why another value of a series and instant is not kept; "" until there is one
	series map[string]bool // names that are not said to be a quantity, and whether a vocabulary has them
}

func readSamples(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	s := &samples{in: in, emit: emit, value: in.Option("value"), name: in.Option("name"), labels: split(in.Option("labels")), prefix: in.Option("prefix"), series: map[string]bool{}}
	if in.Option("time") == "" {
		return fmt.Errorf("%s: want the option time, for example --samples FILE,time=ts:ms,labels=pod,values=cpu|memory", in.Path)
	}
	s.time = stampOf(in.Option("time"))
	for _, c := range split(in.Option("values")) {
		column, what, said := strings.Cut(c, ":")
		m := metric{column: column, name: metricName(s.prefix + column)}
		var err error
		if said {
			m, err = meant(column, what)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
		if m.name == "" || column == "" {
			return fmt.Errorf("%s: values: %q: want COLUMN, COLUMN:quantity, COLUMN:quantity:unit or COLUMN:metric_name", in.Path, c)
		}
		s.named = append(s.named, m)
	}
	rows, header, err := s.open()
	if err != nil {
		return err
	}
	switch {
	case header != nil && s.value != "":
		err = fmt.Errorf("%s: a long table has a header of one row: value and header do not go together", in.Path)
	case header != nil:
		err = s.across(header)
	case (s.value == "") != (s.name == ""):
		err = fmt.Errorf("%s: a long table has a name and a value: want both options, for example --samples FILE,time=ts,name=metric,value=value", in.Path)
	case len(s.labels) > maxLabels:
		err = fmt.Errorf("%s: %d labels: want at most %d", in.Path, len(s.labels), maxLabels)
	case s.value == "":
		s.wide = s.named
	}
	if err != nil {
		rows.Close()
		return err
	}
	if err := each(ctx, in, rows, s.row, func() int64 { return int64(max(1, len(s.wide))) }); err != nil {
		return err
	}
	s.tell()
	return nil
}

// open reads the header, which may have several rows.
func (s *samples) open() (input.Rows, *input.Header, error) {
	n := 0
	if text := s.in.Option("header"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > 16 {
			return nil, nil, fmt.Errorf("%s: header %q: want how many rows name the columns, 1 to 16", s.in.Path, text)
		}
	}
	return input.OpenRowsUnder(s.in.File, n, s.time.column)
}

// tell notes which series are kept and mean nothing to us.
func (s *samples) tell() {
	var names []string
	for name, known := range s.series {
		if !known {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	shown := strings.Join(names[:min(len(names), 6)], ", ")
	if len(names) > 6 {
		shown += ", …"
	}
	s.in.Tally.Note(fmt.Sprintf("kept under names whose meaning is not known, so that no finding reads them: %s; values=COLUMN:QUANTITY says what a column is (assay list quantities)", shown), 1)
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
	slices.SortFunc(s.sample.Labels, byName)
	if s.value != "" {
		return s.long(rows, line)
	}
	if s.wide == nil {
		if err := s.find(rows, line); err != nil {
			return err
		}
	}
	for i := range s.wide {
		if err := s.cell(rows, line, &s.wide[i]); err != nil {
			return err
		}
	}
	return nil
}

// long emits the value of a row that names its metric.
func (s *samples) long(rows input.Rows, line int) error {
	name := s.name
	if text, ok := rows.Get(s.name); ok {
		name = text
	}
	m := metric{name: metricName(s.prefix + name)}
	if i := slices.IndexFunc(s.named, func(m metric) bool { return m.column == name }); i >= 0 {
		m = s.named[i]
	}
	m.column = s.value
	return s.cell(rows, line, &m)
}

// find takes the columns that hold a number in the first row for metrics, and those that hold nothing in it.
func (s *samples) find(rows input.Rows, line int) error {
	numbers := 0
	for _, c := range rows.Columns() {
		text, _ := rows.Get(c)
		_, err := strconv.ParseFloat(text, 64)
		if (err == nil || text == "") && c != s.time.column && !slices.Contains(s.labels, c) {
			s.wide = append(s.wide, metric{column: c, name: metricName(s.prefix + c)})
		}
		if err == nil && c != s.time.column {
			numbers++
		}
	}
	switch {
	case numbers == 0:
		return fmt.Errorf("%s:%d: no column holds a number: want values=COLUMN|COLUMN; there are %s", s.in.Path, line, strings.Join(rows.Columns(), ", "))
	case len(s.wide) > maxValues:
		return fmt.Errorf("%s:%d: %d columns hold numbers: want at most %d, named by values=COLUMN|COLUMN", s.in.Path, line, len(s.wide), maxValues)
	}
	return nil
}

// cell emits one value.
func (s *samples) cell(rows input.Rows, line int, m *metric) error {
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
	if m.scale != 0 {
		v *= m.scale
	}
	if m.share && !(v >= 0 && v <= 1) {
		reason := fmt.Sprintf("%s is a share of 0 to 1, and the cell another number: values=%s:%s:percent is for percent", m.quantity, m.column, m.quantity)
		if m.scale == units[assay.Ratio]["percent"] {
			reason = m.quantity + " in percent is 0 to 100, and the cell another number"
		}
		s.in.Tally.Reject(reason, 1)
		return nil
	}
	if _, seen := s.series[m.name]; !seen && m.quantity == "" && len(s.series) < maxValues {
		s.series[m.name] = hasMeaning(m.name)
	}
	was := s.sample.Labels
	if len(m.labels) > 0 {
		s.sample.Labels = slices.Concat(was, m.labels)
		slices.SortFunc(s.sample.Labels, byName)
	}
	s.sample.Name, s.sample.Value = m.name, v
	if s.told.otherwise(&s.sample) {
		s.in.Tally.Reject(s.untold(rows), 1)
	} else {
		s.in.Tally.Keep(1)
		err = s.emit(&s.sample)
	}
	s.sample.Labels = was
	return err
}

func byName(a, b assay.Label) int { return strings.Compare(a.Name, b.Name) }

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

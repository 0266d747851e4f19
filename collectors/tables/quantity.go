package tables

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
	"github.com/assay-dev/assay/internal/suggest"
)

// vocabulary holds the quantities that a column can be said to be, and the names that their series get.
var vocabulary = profile.For("table")

// A Quantity is what a column can be said to hold.
type Quantity struct {
	Name  string
	Help  string
	Unit  assay.Unit
	Units []string // in which the column may be, its own unit being what stands for none
}

// Quantities returns those that option values knows, by name.
func Quantities() (out []Quantity) {
	for _, q := range slices.Sorted(maps.Keys(vocabulary.Quantities)) {
		s := vocabulary.Quantities[q]
		out = append(out, Quantity{Name: string(q), Help: s.Help, Unit: s.Unit, Units: slices.Sorted(maps.Keys(units[s.Unit]))})
	}
	return out
}

// units are what a column may be in besides the unit of its quantity: by how much a value is multiplied to be in that.
var units = map[assay.Unit]map[string]float64{
	assay.Ratio:   {"percent": 0.01},
	assay.Seconds: {"ms": 1e-3, "us": 1e-6, "min": 60},
	assay.Bytes:   {"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30},
	assay.Watts:   {"mW": 1e-3},
	assay.Hertz:   {"MHz": 1e6, "GHz": 1e9},
}

// A metric is one column of values, or one name of a long table.
type metric struct {
	column, name string
	labels       []assay.Label // beside those of the row
	scale        float64       // 0 stands for 1
	share        bool          // above 1 it can not be
	quantity     string        // that it is said to be; "" where it is not
}

// meant reads what stands after a column: a quantity and the unit of the column, or the name of a series.
func meant(column, text string) (metric, error) {
	name, unit, united := strings.Cut(text, ":")
	q := profile.Quantity(strings.ReplaceAll(name, ".", "_"))
	s, known := vocabulary.Spec(q)
	switch {
	case !known && (united || strings.Contains(name, ".") || nearly(name)):
		return metric{}, fmt.Errorf("values: %q of column %q is no quantity: %s", name, column, nearTo(name))
	case !known:
		if text = metricName(text); text == "" {
			return metric{}, fmt.Errorf("values: %q: want COLUMN, COLUMN:quantity, COLUMN:quantity:unit or COLUMN:metric_name", column+":"+text)
		}
		return metric{column: column, name: text}, nil
	}
	m := metric{column: column, name: s.Names[0].Metric, share: s.Unit == assay.Ratio, quantity: string(q)}
	if united {
		if m.scale = units[s.Unit][unit]; m.scale == 0 && unit != string(s.Unit) {
			return metric{}, fmt.Errorf("values: %q of column %q is no unit of %s: want %s", unit, column, q, unitsOf(s.Unit))
		}
	}
	return m, nil
}

// hasMeaning reports whether a vocabulary knows the name of a series.
func hasMeaning(series string) bool {
	return slices.ContainsFunc(profile.Kinds(), func(kind string) bool { return len(profile.For(kind).Shows(series)) > 0 })
}

// nearly reports whether a name is a slip of the pen for a quantity.
func nearly(name string) bool {
	_, distance := suggest.Nearest(name, quantityNames())
	return distance <= 2 && len(name) > 4
}

// nearTo lists the quantities that a word may mean: the misspelt one, those that share a part with it, or all.
func nearTo(word string) string {
	names := quantityNames()
	if nearly(strings.ReplaceAll(word, ".", "_")) {
		return suggest.Meant(strings.ReplaceAll(word, ".", "_"), names)
	}
	var near []string
	for _, n := range names {
		for _, part := range strings.FieldsFunc(strings.ToLower(word), func(r rune) bool { return r == '.' || r == '_' }) {
			if len(part) > 1 && (slices.Contains(strings.Split(n, "_"), part) || len(part) > 3 && strings.Contains(strings.ToLower(vocabulary.Quantities[profile.Quantity(n)].Help), part)) && !slices.Contains(near, n) {
				near = append(near, n)
			}
		}
	}
	if len(near) == 0 {
		return "want one of " + strings.Join(names, ", ")
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(shared(b, word), shared(a, word)) })
	return "near are " + strings.Join(near, ", ") + "; assay list quantities tells what they are"
}

// shared counts the parts of a word that a quantity's name or help has.
func shared(name, word string) (n int) {
	text := name + " " + strings.ToLower(vocabulary.Quantities[profile.Quantity(name)].Help)
	for _, part := range strings.FieldsFunc(strings.ToLower(word), func(r rune) bool { return r == '.' || r == '_' }) {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

func quantityNames() (out []string) {
	for _, q := range Quantities() {
		out = append(out, q.Name)
	}
	return out
}

// unitsOf lists the units that a column may be in.
func unitsOf(u assay.Unit) string {
	names := slices.Sorted(maps.Keys(units[u]))
	if len(names) == 0 {
		return strconv.Quote(string(u)) + " or none"
	}
	return strings.Join(names, ", ") + ", or none for " + map[bool]string{true: "a share of 1", false: strconv.Quote(string(u))}[u == assay.Ratio]
}

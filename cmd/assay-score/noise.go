package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A noise is a benchmark that was repeated on several machines: for each of them the values in the order of their execution.
type noise struct {
	name     string
	machines [][]float64
}

// maxValues bounds what is read of one file.
const maxValues = 10_000_000

// readNoise reads all CSV files of a directory, in the order of their names.
func readNoise(dir string) ([]noise, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, errors.Unwrap(err))
		}
		return nil, fmt.Errorf("%s holds no *.csv; want one file for each series, with the columns value, starttime and VM_id", dir)
	}
	slices.Sort(files)
	var out []noise
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		machines, err := readSeries(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s:%w", file, err)
		}
		out = append(out, noise{strings.TrimSuffix(filepath.Base(file), ".csv"), machines})
	}
	return out, nil
}

// readSeries reads one series, with a header that names the columns value, starttime and VM_id: machines in the order of their names, values in that of their start.
func readSeries(r io.Reader) ([][]float64, error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("1: %w; want a header", err)
	}
	var at [3]int
	for i, column := range []string{"value", "starttime", "VM_id"} {
		if at[i] = slices.Index(header, column); at[i] < 0 {
			return nil, fmt.Errorf("1: no column %s among %s", column, strings.Join(header, ", "))
		}
	}
	type one struct {
		start string // sorts as time does
		value float64
	}
	by := map[string][]one{}
	for n := 0; ; n++ {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		line, _ := rows.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", line, err)
		}
		v, err := strconv.ParseFloat(row[at[0]], 64)
		if err != nil || !(v > 0) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%d: value %q; want a number above 0", line, row[at[0]])
		}
		if n == maxValues {
			return nil, fmt.Errorf("%d: more than %d values", line, maxValues)
		}
		machine := strings.Clone(row[at[2]])
		by[machine] = append(by[machine], one{strings.Clone(row[at[1]]), v})
	}
	var names []string
	for name := range by {
		names = append(names, name)
	}
	slices.Sort(names)
	var out [][]float64
	for _, name := range names {
		all := by[name]
		slices.SortStableFunc(all, func(a, b one) int { return cmp.Compare(a.start, b.start) })
		values := make([]float64, len(all))
		for i, o := range all {
			values[i] = o.value
		}
		out = append(out, values)
	}
	return out, nil
}

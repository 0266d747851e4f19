package tables

import (
	"context"
	"io"
	"math"
	"strings"

	"github.com/assay-dev/assay/collectors/input"
)

// A stamp is a column of times and its unit.
type stamp struct {
	column string
	unit   int64
}

// stampOf reads COLUMN or COLUMN:unit. Without a unit it is what the column's name ends with, else seconds.
func stampOf(text string) stamp {
	if at := strings.LastIndexByte(text, ':'); at > 0 && input.Units[text[at+1:]] != 0 {
		return stamp{text[:at], input.Units[text[at+1:]]}
	}
	if at := strings.LastIndexByte(text, '_'); at >= 0 && input.Units[text[at+1:]] != 0 {
		return stamp{text, input.Units[text[at+1:]]}
	}
	return stamp{text, 1e9}
}

// at returns the instant of a row in Unix ns; an error for a column that is not there or a value that is no time.
func (s stamp) at(in *input.Input, rows input.Rows, line int, what string) (int64, error) {
	text, err := input.Need(rows, in.File, line, s.column, what)
	if err != nil {
		return 0, err
	}
	ns, dated, ok := in.Instant(text, s.unit)
	if want := input.Misdated(ns); ok && dated && want != "" {
		return 0, in.BadRow(line, s.column, text, want)
	}
	if !ok || ns > math.MaxInt64/2 || ns < 0 {
		return 0, in.BadRow(line, s.column, text, "a date, or a number with the right unit")
	}
	return ns, nil
}

// each calls row for each row of a table. Rows that cannot be read are rejected, each as the number of things that cells tells, unless they are most of it.
func each(ctx context.Context, in *input.Input, rows input.Rows, row func(rows input.Rows, line int) error, cells func() int64) error {
	defer rows.Close()
	var bad input.Unread
	for n := 0; ; n++ {
		line, err := rows.Next()
		if err == io.EOF {
			for reason, n := range bad.Reasons() {
				in.Tally.Reject(reason, n)
			}
			return bad.Err(in.Tally.Read() - bad.N())
		}
		if err != nil && !bad.Take(err, cells()) {
			return err
		}
		if err != nil {
			continue
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := row(rows, line); err != nil && !bad.Take(err, cells()) {
			return err
		}
	}
}

// split cuts a list with | between its parts.
func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "|")
}

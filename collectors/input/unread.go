package input

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A RowError says that one row of a table cannot be read. Those after it can.
type RowError struct {
	Reason string // without values of the row
	Line   int
	Err    error // what is wrong, with the place and the value
}

func (e *RowError) Error() string { return e.Err.Error() }

// BadRow says what is wrong with a value of one row of a table.
func (i *File) BadRow(line int, what, value, want string) error {
	return &RowError{Reason: what + ": want " + want, Line: line, Err: i.Bad(line, what, value, want)}
}

// Unread gathers the rows of a table that cannot be read. The zero value is ready.
type Unread struct {
	first error
	by    map[string]unreadRows
	n     int64
}

type unreadRows struct {
	n     int64
	first int // line
}

// Take takes err where it is that of one row, and reports whether it is. n is how many things are counted for the row.
func (u *Unread) Take(err error, n int64) bool {
	var row *RowError
	if !errors.As(err, &row) {
		return false
	}
	u.Add(row.Reason, row.Line, n, err)
	return true
}

// Add takes a row; line is 0 where it is not known.
func (u *Unread) Add(reason string, line int, n int64, err error) {
	if u.first == nil {
		u.first, u.by = err, map[string]unreadRows{}
	}
	was, ok := u.by[reason]
	if !ok {
		was.first = line
	}
	was.n += n
	u.by[reason] = was
	u.n += n
}

// N returns how many things were taken.
func (u *Unread) N() int64 { return u.n }

// Err returns an error where more was taken than kept: the table is not what it was taken for.
func (u *Unread) Err(kept int64) error {
	switch {
	case u.n <= kept:
		return nil
	case u.n == 1:
		return u.first
	}
	return fmt.Errorf("%w (%d of %d are like that or as bad)", u.first, u.n, u.n+kept)
}

// Reasons returns what was taken, by reason with the line of the first.
func (u *Unread) Reasons() map[string]int64 {
	out := map[string]int64{}
	for reason, r := range u.by {
		if r.first > 0 {
			reason = fmt.Sprintf("%s (first on line %d)", reason, r.first)
		}
		out[reason] += r.n
	}
	return out
}

// Words lists what was taken in words, the most frequent first; nil for nothing.
func (u *Unread) Words() (out []string) {
	of := u.Reasons()
	for _, k := range slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) }) {
		out = append(out, fmt.Sprintf("%d %s", of[k], k))
	}
	return out
}

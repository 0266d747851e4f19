package importers

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/input"
)

// jtlCSV reads a .jtl in CSV.
type jtlCSV struct {
	jtl
	table *table
	s     sample
}

// plainColumns returns the columns of a file without a header whose lines have n fields: those that JMeter 5 writes by default, or before it,
// without the URL; nil for any other number.
func plainColumns(n int) []string {
	columns := strings.Split("timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect", ",")
	switch n {
	case len(columns):
		return columns
	case len(columns) - 1:
		return slices.DeleteFunc(columns, func(c string) bool { return c == "URL" })
	}
	return nil
}

// plainJTL reports whether the line is the first of a .jtl without a header.
func plainJTL(first string) bool {
	for _, comma := range []string{",", ";", "\t", "|"} {
		f := strings.Split(first, comma)
		_, _, ok := input.Instant(f[0], 1e6, time.UTC)
		if ok && len(f) >= 16 {
			_, ok = input.Number(f[1], 1e6)
			return ok
		}
	}
	return false
}

func newJTLCSV(j jtl) (reader, error) {
	t, err := newTable(j.in, j.tally)
	if err != nil {
		return nil, err
	}
	c := &jtlCSV{jtl: j, table: t}
	err = t.next()
	if err == io.EOF {
		return c, nil // nothing but a torn line
	}
	if err != nil {
		return nil, err
	}
	first := strings.Join(t.fields, ",")
	if _, _, ok := j.in.Instant(t.fields[0], 1e6); ok {
		columns := plainColumns(len(t.fields))
		if columns == nil {
			return nil, j.in.Bad(1, "the first line", first, "a header, or the 17 columns that JMeter writes by default (16 without the URL)")
		}
		t.header, t.width, t.again = map[string]int{}, len(columns), true
		for i, name := range columns {
			t.header[name] = i
		}
		return c, nil
	}
	t.named()
	for _, names := range [][2]string{{"timeStamp"}, {"elapsed"}, {"success", "responseCode"}} {
		_, one := t.header[names[0]]
		if _, other := t.header[names[1]]; !one && !other {
			return nil, j.in.Bad(1, "the header", first, "a column "+strings.TrimSuffix(names[0]+" or "+names[1], " or "))
		}
	}
	return c, nil
}

func (c *jtlCSV) next(r *row) error {
	for {
		if err := c.table.next(); err != nil {
			return err
		}
		t := c.table
		c.s = sample{stamp: t.get("timeStamp"), elapsed: t.get("elapsed"), latency: t.get("Latency"), idle: t.get("IdleTime"), label: t.get("label"),
			code: t.get("responseCode"), message: t.get("responseMessage"), success: t.get("success"), failure: t.get("failureMessage"),
			bytes: t.get("bytes"), sent: t.get("sentBytes"), threads: t.get("allThreads"), thread: t.get("threadName"), count: t.get("SampleCount"), host: t.get("Hostname")}
		ok, err := c.row(&c.s, t.line, r)
		if err != nil {
			return t.torn(err)
		}
		if ok {
			return nil
		}
	}
}

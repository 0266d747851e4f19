package store

import (
	"fmt"
	"unicode/utf8"

	"github.com/assay-dev/assay"
)

// Limits on one record. Text beyond them is cut, and a span's attributes left out, and counted; a sample beyond them is refused.
const (
	maxText     = 64 << 10 // bytes of an attribute's value or any other text of a record
	maxUser     = 128      // bytes of a request's user: a longer one is no pseudonym
	maxAttrs    = 256      // of a span
	maxArrivals = 1 << 20  // of a request
	maxLabels   = 64       // of a series
	maxLabel    = 4 << 10  // bytes of a label's name or value
)

// cut shortens s to maxText bytes at a character's edge.
func cut(s string, cuts *int64) string {
	if len(s) <= maxText {
		return s
	}
	*cuts++
	n := maxText
	for n > maxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// limitRequest returns r, or a copy of it that keeps to the limits, and how much was cut.
func limitRequest(r *assay.Request) (*assay.Request, int64) {
	if len(r.Phase) <= maxText && len(r.Class) <= maxText && len(r.User) <= maxUser && len(r.Instance) <= maxText && len(r.Error) <= maxText &&
		len(r.Arrivals) <= maxArrivals && len(r.Counts) <= maxArrivals {
		return r, 0
	}
	c, cuts := *r, int64(0)
	for _, s := range []*string{&c.Phase, &c.Class, &c.Instance, &c.Error} {
		*s = cut(*s, &cuts)
	}
	if len(c.User) > maxUser { // to cut it would make one user of several
		c.User = assay.Pseudonym(c.User)
		cuts++
	}
	if len(c.Arrivals) > maxArrivals {
		c.Arrivals = c.Arrivals[:maxArrivals]
		cuts++
	}
	if len(c.Counts) > maxArrivals {
		c.Counts = c.Counts[:maxArrivals]
		cuts++
	}
	return &c, cuts
}

// limitSpan is limitRequest for spans.
func limitSpan(s *assay.Span) (*assay.Span, int64) {
	ok := len(s.Name) <= maxText && len(s.Service) <= maxText && len(s.Instance) <= maxText && len(s.Attrs) <= maxAttrs
	for i := 0; ok && i < len(s.Attrs); i++ {
		ok = len(s.Attrs[i].Key) <= maxText && len(s.Attrs[i].Value) <= maxText
	}
	if ok {
		return s, 0
	}
	c, cuts := *s, int64(0)
	for _, t := range []*string{&c.Name, &c.Service, &c.Instance} {
		*t = cut(*t, &cuts)
	}
	if n := len(c.Attrs); n > maxAttrs {
		cuts += int64(n - maxAttrs)
		c.Attrs = c.Attrs[:maxAttrs]
	}
	c.Attrs = append([]assay.Attr(nil), c.Attrs...)
	for i := range c.Attrs {
		c.Attrs[i].Key = cut(c.Attrs[i].Key, &cuts)
		c.Attrs[i].Value = cut(c.Attrs[i].Value, &cuts)
	}
	return &c, cuts
}

// limitEvent is limitRequest for events.
func limitEvent(e *assay.Event) (*assay.Event, int64) {
	ok := len(e.Text) <= maxText
	for k, v := range e.Attrs {
		ok = ok && len(k) <= maxText && len(v) <= maxText
	}
	if ok {
		return e, 0
	}
	c, cuts := *e, int64(0)
	c.Text = cut(c.Text, &cuts)
	c.Attrs = make(map[string]string, len(e.Attrs))
	for k, v := range e.Attrs {
		c.Attrs[cut(k, &cuts)] = cut(v, &cuts)
	}
	return &c, cuts
}

// checkSample says what is wrong with a sample, or nil.
func checkSample(s *assay.Sample) error {
	if s.Name == "" {
		return fmt.Errorf("sample without a name")
	}
	if len(s.Name) > maxLabel {
		return fmt.Errorf("sample %.40s…: its name has %d bytes, the limit is %d", s.Name, len(s.Name), maxLabel)
	}
	if len(s.Labels) > maxLabels {
		return fmt.Errorf("sample %s: it has %d labels, the limit is %d", s.Name, len(s.Labels), maxLabels)
	}
	for i := range s.Labels {
		l := &s.Labels[i]
		if l.Name == "" || l.Name == "__name__" {
			return fmt.Errorf("sample %s: label name %q is not allowed", s.Name, l.Name)
		}
		if len(l.Name) > maxLabel || len(l.Value) > maxLabel {
			return fmt.Errorf("sample %s: label %.40s has %d bytes, the limit is %d", s.Name, l.Name, max(len(l.Name), len(l.Value)), maxLabel)
		}
		if !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) {
			return fmt.Errorf("sample %s: label %.40q is not valid UTF-8", s.Name, l.Name)
		}
	}
	return nil
}

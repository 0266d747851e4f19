package importers

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/assay-dev/assay/collectors/input"
)

// jtlXML reads a .jtl in XML: <testResults> of <httpSample> and <sample>, which may lie in one another. The outermost sample
// that is no transaction controller is the request.
type jtlXML struct {
	jtl
	xml   *xml.Decoder
	begun bool
}

func newJTLXML(j jtl) reader {
	return &jtlXML{jtl: j, xml: xml.NewDecoder(j.in)}
}

func (x *jtlXML) next(r *row) error {
	for {
		x.in.Row()
		tok, err := x.xml.Token()
		if err != nil {
			return x.end(err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch name := el.Name.Local; {
		case !x.begun && name != "testResults":
			line, _ := x.xml.InputPos()
			return x.in.Bad(line, "the element", name, "testResults")
		case name == "testResults":
			x.begun = true
		case name == "sample" || name == "httpSample":
			s := attributes(el)
			if strings.HasPrefix(s.message, whole) {
				x.tally.note(transactionText, 1)
				continue // into it
			}
			line, _ := x.xml.InputPos()
			if err := x.inside(&s); err != nil {
				return x.end(err)
			}
			if ok, err := x.row(&s, line, r); err != nil || ok {
				return err
			}
		}
	}
}

// attributes reads those of a sample.
func attributes(el xml.StartElement) (s sample) {
	to := map[string]*string{"ts": &s.stamp, "t": &s.elapsed, "lt": &s.latency, "it": &s.idle, "lb": &s.label, "rc": &s.code, "rm": &s.message,
		"s": &s.success, "by": &s.bytes, "sby": &s.sent, "na": &s.threads, "tn": &s.thread, "sc": &s.count, "hn": &s.host}
	for _, a := range el.Attr {
		if p := to[a.Name.Local]; p != nil {
			*p = a.Value
		}
	}
	return s
}

// inside reads up to the end of a sample and keeps what its own assertions say.
func (x *jtlXML) inside(s *sample) error {
	var name, failed, message strings.Builder // of the assertion at hand
	into := map[string]*strings.Builder{"name": &name, "failure": &failed, "error": &failed, "failureMessage": &message}
	var text *strings.Builder
	for depth, assertion := 1, 0; depth > 0; {
		tok, err := x.xml.Token()
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			depth++
			x.in.Row()
			if depth == 2 && tok.Name.Local == "assertionResult" {
				assertion = depth
				name.Reset()
				failed.Reset()
				message.Reset()
			} else if assertion != 0 {
				text = into[tok.Name.Local]
			}
		case xml.CharData:
			if text != nil && text.Len() < input.MaxHead {
				text.Write(tok[:min(len(tok), input.MaxHead)])
			}
		case xml.EndElement:
			if depth == assertion {
				if strings.Contains(failed.String(), "true") && (s.failure == "" || strings.HasPrefix(s.failure, slow)) {
					s.assertion, s.failure = strings.TrimSpace(name.String()), strings.TrimSpace(message.String())
					if s.failure == "" {
						s.failure = "failed"
					}
				}
				assertion = 0
			}
			text = nil
			depth--
		}
	}
	return nil
}

// end says why the file ended: io.EOF where it is complete, or was cut where a killed generator would leave it.
func (x *jtlXML) end(err error) error {
	line, _ := x.xml.InputPos()
	var bad *xml.SyntaxError
	switch {
	case err == io.EOF && !x.begun:
		return fmt.Errorf("%s: no element testResults", x.in.Path)
	case err == io.EOF:
		return io.EOF
	case errors.As(err, &bad) && bad.Msg == "unexpected EOF" || input.CutShort(err):
		x.tally.note(tornText, 1)
		return io.EOF
	case errors.As(err, &bad):
		return fmt.Errorf("%s:%d: %s: want XML", x.in.Path, bad.Line, bad.Msg)
	case errors.Is(err, input.ErrLong):
		return fmt.Errorf("%s:%d: %w", x.in.Path, line, err)
	}
	return fmt.Errorf("read %s: %w", x.in.Path, err)
}

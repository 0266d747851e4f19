package dashboards

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Time     string     `xml:"time,attr,omitempty"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Failure *junitResult `xml:"failure,omitempty"`
	Error   *junitResult `xml:"error,omitempty"`
	Skipped *junitResult `xml:"skipped,omitempty"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes one test case for each objective and one for each fault. Inconclusive, void and unmeasured are skipped, with the
// reason, never passed; invalid is an error. A run that ended badly whatever its objectives say, for
// example with a fault that may remain, is one more case with an error, so that CI cannot take it for a success. A run whose times are made up has no time.
func JUnit(w io.Writer, r *assay.Report) error {
	class := "assay." + orElse(r.Name, "run")
	s := junitSuite{Name: orElse(r.Name, "run")}
	if !r.Untimed {
		s.Time = strconv.FormatFloat(seconds(r.End-r.Begin), 'f', 3, 64)
	}
	s.Properties = []junitProperty{
		{"decision", string(r.Decision)}, {"exit", strconv.Itoa(r.Exit)}, {"target", r.Target},
		{"seed", strconv.FormatUint(r.Seed, 10)}, {"attempt", strconv.Itoa(r.Attempt)}, {"simulated", strings.Join(r.Simulated, ", ")},
	}
	switch r.Decision {
	case assay.Go, assay.NoGo, assay.Undecided:
	default:
		s.Errors++
		s.Cases = append(s.Cases, junitCase{Name: "the run itself", Class: class,
			Error: &junitResult{Message: orElse(r.Why, string(r.Decision)), Type: string(r.Decision), Text: strings.Join(r.Trust.Problems, "\n")}})
	}
	for _, j := range r.Objectives {
		c := junitCase{Name: objectiveTitle(j) + " " + Goal(j.Objective, j.Quantity.Unit), Class: class,
			Out: fmt.Sprintf("measured %s, interval %s, n %s, method %s", Measure(j.Quantity), Interval(j.Quantity), NText(j.Quantity), orElse(j.Quantity.Method, "not told"))}
		res := &junitResult{Message: orElse(because(j), string(j.Verdict)), Type: string(j.Verdict)}
		switch j.Verdict {
		case assay.VerdictPass:
		case assay.VerdictFail:
			s.Failures++
			c.Failure = res
		case assay.VerdictInconclusive:
			s.Skipped++
			res.Type = "" // the schema of skipped has no type
			c.Skipped = res
		default:
			s.Errors++
			c.Error = res
		}
		s.Cases = append(s.Cases, c)
	}
	for i, f := range r.Faults {
		c := junitCase{Name: fmt.Sprintf("fault %d: %s of %s", i+1, kindName(f), orElse(f.Window.Target, "what is not named")), Class: class + ".faults",
			Out: fmt.Sprintf("score %s; users well after %s; %d lost; %s", Measure(f.Score), Value(f.User), f.Lost, orElse(lifeText(f.Life), "its stages were not recorded"))}
		if s := basisNote(f); s != "" {
			c.Out += "; " + s
		}
		v := verdictOf(f)
		res := &junitResult{Message: orElse(f.Why, orElse(f.Window.Remains, orElse(f.Window.Void, string(v)))), Type: string(v), Text: f.Advice}
		switch v {
		case assay.FaultPass:
		case assay.FaultFail:
			s.Failures++
			c.Failure = res
		default:
			s.Skipped++
			res.Type = ""
			c.Skipped = res
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	out := junitSuites{Name: "assay", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Skipped: s.Skipped, Time: s.Time, Suite: s}
	b, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("encode junit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(b)+"\n")
	return err
}

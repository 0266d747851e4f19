package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// A loadOutlook is what the load of a plan will do, drawn as the run draws it.
type loadOutlook struct {
	Schedule string // hash
	Phases   []loadgen.Outlook
}

// outlook draws the schedule of a plan.
func outlook(p *plan.Plan) (*loadOutlook, error) {
	ph, err := phases(p)
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	s, err := loadgen.NewSchedule(ph, p.Seed)
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	o := &loadOutlook{Schedule: s.Hash()}
	if o.Phases, err = s.Outlook(); err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	if i := p.Soak(); i >= 0 {
		o.Phases[i].Law += "; this is the most: it ends as soon as its test is decided"
	}
	what, err := carried(p)
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	for i := range o.Phases {
		if x := &o.Phases[i]; what != "" && x.Work != "" {
			x.Work = what
		}
	}
	return o, nil
}

// expected returns what an estimate needs of each phase.
func (o *loadOutlook) expected() []plan.Expected {
	var out []plan.Expected
	for i := range o.Phases {
		ph := &o.Phases[i]
		e := plan.Expected{For: ph.For, Requests: float64(ph.Requests)}
		if ph.Requests < 0 {
			e.Requests = math.NaN()
		}
		out = append(out, e)
	}
	return out
}

// print writes what each phase will do.
func (o *loadOutlook) print(w io.Writer, e plan.Estimate) {
	open := ""
	if len(e.Open) > 0 {
		open = fmt.Sprintf(", and what %s makes in the run", strings.Join(e.Open, ", "))
	}
	fmt.Fprintf(w, "  load      about %d requests in %v%s; schedule %.16s\n", e.Requests, e.For.Round(time.Second), open, o.Schedule)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i := range o.Phases {
		ph := &o.Phases[i]
		n := fmt.Sprintf("%d requests", ph.Requests)
		switch {
		case ph.Requests < 0:
			n = "decided in the run"
		case ph.Work == "":
			n = "no requests"
		}
		fmt.Fprintf(t, "            %s\t%s\t%v\t%s\n", ph.Name, ph.Role, ph.For.Round(time.Millisecond), n)
		for _, line := range []string{ph.Law, ph.Work, ph.Trace} {
			if line != "" {
				fmt.Fprintf(t, "              %s\n", line)
			}
		}
	}
	t.Flush()
}

package plan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/soak"
	"github.com/assay-dev/assay/internal/stat"
)

// untilDecided is the only end of a phase that its own length is not.
const untilDecided = "decided"

// defaultRisk is what a sequential test may err by, on either side.
const defaultRisk = 0.05

// soakDefaults fills in the risk of objectives that are tested in sequence.
func (p *Plan) soakDefaults() {
	for i := range p.Objectives {
		if o := &p.Objectives[i]; o.Against != nil {
			orElse(&o.Risk, defaultRisk)
		}
	}
}

// Soak returns the index of the phase that ends when its test is decided; -1 if there is none.
func (p *Plan) Soak() int {
	for i := range p.Load {
		if p.Load[i].Until != "" {
			return i
		}
	}
	return -1
}

// soak checks the phase that ends when its test is decided, and the objective that is tested.
//
// There is one test, since an end that another test put off or brought forward is in no interval of the first. It is of natural failures, so that no fault stands beside it, and its phase
// is the last: what came after the end would say more of the same without a test.
func (c *checker) soak(p *Plan) {
	tested := 0
	for i := range p.Objectives {
		o := &p.Objectives[i]
		at := o.path(i)
		switch {
		case o.Against == nil && o.Risk != 0:
			c.bad(at+".risk", "belongs to against, the value that must not be taken for good; give against too")
		case o.Against == nil:
			continue
		case !(o.Risk > 0 && o.Risk < 0.5):
			c.bad(at+".risk", "%g is out of range; more than 0%% and less than 50%%", float64(o.Risk))
		}
		if tested++; tested > 1 {
			c.bad(at+".against", "is the second test; one decides when the load ends, so leave against out of one")
		}
		if why := untestable(o.Metric); why != "" {
			c.bad(at+".against", "%s: %s", o.Metric, why)
		}
		if o.Phase != "" || o.Class != "" {
			c.bad(at+".against", "tests the natural failures of the whole run; leave phase and class out")
		}
	}
	soaks := 0
	for i := range p.Load {
		l := &p.Load[i]
		if l.Until == "" {
			continue
		}
		soaks++
		at := l.at
		if l.at == "" {
			at = fmt.Sprintf("load[%d]", i)
		}
		at += ".until"
		c.oneOf(at, l.Until, untilDecided)
		switch {
		case soaks > 1:
			c.bad(at, "ends a second phase by the same test; leave it out of one")
		case l.Arrivals == nil || l.Role != assay.RoleSteady:
			c.bad(at, "belongs to a phase with arrivals and role steady, whose failures are natural ones")
		case i != len(p.Load)-1:
			c.bad(at, "belongs to the last phase: what comes after its end would be no part of the test")
		case tested == 0:
			c.bad(at, "has nothing to decide; give an objective that is tested against a worse value, for example {metric: mtbf/service, min: 30m, against: 10m}")
		case len(p.Chaos) > 0 || p.Suite != nil:
			c.bad(at, "tests natural failures, and faults on the clock of a phase that may end at any time would be cut short; leave them out or give them a plan of their own")
		case p.Mode != "":
			c.bad(at, "does not go with mode %s, where a person decides when it goes on", p.Mode)
		}
	}
	if tested > 0 && soaks == 0 {
		for i := range p.Objectives {
			if o := &p.Objectives[i]; o.Against != nil {
				c.bad(o.path(i)+".against", "is tested while the load goes on; say until: decided in the last phase of the load")
			}
		}
	}
}

// untestable says why a metric has no sequential test while the load goes on; "" for those that have.
func untestable(metric string) string {
	head, last, _ := strings.Cut(metric, "/")
	switch {
	case metric == "mtbf/service" || metric == "failure_rate/service":
		return ""
	case head == "mtbf" || head == "failure_rate":
		return "what becomes of instances and GPUs is told late, by logs and platforms, and not all of it while the load goes on; only those of the service are tested, and assay evidence --sequential tests the others over many runs"
	case head == "availability" || head == "error_ratio" || head == "slo" || head == "goodput":
		return "what is lost comes in failures that last: between two of them every look is perfect, so that a share tested at every instant is taken for good before the first one comes. Test mtbf/service or failure_rate/service, and let this be judged at the end"
	case head == "cold":
		return fmt.Sprintf("instance starts are few and not the load's to make; give cold: {force: n} its own phase, for which assay validate says how many %s needs", last)
	case head == "ttft" || head == "itl" || head == "tpot" || head == "e2e":
		return "latencies that come one after another are alike, so that no test of single requests holds at every instant; assay validate says how many requests it needs"
	}
	return "only mtbf/service and failure_rate/service have a test that holds at every instant"
}

// test adds the sequential test to an objective in base units.
func (c *checker) test(in func(string) string, o *Objective, out *assay.Objective) {
	if o.Against == nil || untestable(o.Metric) != "" {
		return
	}
	v, err := o.Against.In(out.Unit)
	if err != nil {
		c.bad(in("against"), "%v", err)
		return
	}
	t := &assay.SequentialTest{Against: v, Risk: float64(o.Risk)}
	switch out.Test = t; {
	case o.Metric == "mtbf/service" && (out.Min == nil || out.Max != nil):
		c.bad(in("against"), "goes with min, the MTBF that is hoped for, and without max")
	case o.Metric == "failure_rate/service" && (out.Max == nil || out.Min != nil):
		c.bad(in("against"), "goes with max, the rate that is hoped for, and without min")
	default:
		if err := soak.Test(*out).Check(); err != nil {
			c.bad(in("against"), "is no worse than the goal: want an MTBF below min, or a rate above max")
		}
	}
}

// foretold says how long a soak lasts until its test is decided, and whether it can be within the natural time that is planned.
func foretold(o assay.Objective, calm time.Duration) (bool, string) {
	s := soak.Test(o)
	sure := s.Sure()
	longest := calm.Seconds()
	if need := sure.Accept(0); need > longest {
		return false, fmt.Sprintf("%v of natural time planned at most; the test accepts after %v without a failure at the soonest", calm.Round(time.Second), seconds(math.Ceil(need)))
	}
	good, bad := sure.Course(s.Good, longest), sure.Course(s.Bad, longest)
	worst := good
	for i := 1; i < 10; i++ {
		if c := sure.Course(s.Bad*math.Pow(s.Good/s.Bad, float64(i)/10), longest); c.Mean > worst.Mean {
			worst = c
		}
	}
	said := func(c stat.Course) string {
		return fmt.Sprintf("it takes %v on average, at most %v in 95 of 100, and is undecided within %v in %s", seconds(c.Mean), seconds(c.Most), calm.Round(time.Second), percent(c.Undecided))
	}
	why := fmt.Sprintf("tested against %v while the load goes on, with risks of %g %%: accepted after %v without a failure; where the MTBF is %v, %s; where it is %v, %s; at worst, between them, it takes %v on average",
		seconds(s.Bad), 100*s.Alpha, seconds(math.Ceil(sure.Accept(0))), seconds(s.Good), said(good), seconds(s.Bad), said(bad), seconds(worst.Mean))
	if t, r, ok := s.Fixed(); ok {
		why += fmt.Sprintf("; a test of a set time with these risks takes %v and allows %d", seconds(t), r)
	}
	return math.Max(good.Undecided, bad.Undecided) <= 0.5, why
}

// percent writes a chance for a sentence.
func percent(p float64) string {
	if p < 0.001 {
		return "less than 0.1 %"
	}
	return fmt.Sprintf("%.2g %%", 100*p)
}

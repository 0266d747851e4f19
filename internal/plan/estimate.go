package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// An Estimate says what a plan will do and whether its sample can decide each objective.
type Estimate struct {
	For        time.Duration // load, faults and searches; without start and drain
	Requests   int           // expected; searches counted at their start rate at least
	Open       []string      // phases whose number of requests is decided in the run and not counted: closed loops and holds
	Faults     int
	Searches   []Searching `json:",omitempty"`
	Objectives []Decidable
}

// Decidable says whether an objective can be decided by what the plan will sample.
type Decidable struct {
	Objective assay.Objective
	OK        bool
	Why       string // expected n and what is needed
}

// washout is the longest time after a fault that the natural ledger leaves out.
const washout = 30 * time.Second

// Expected is what one phase of the load will do, as its schedule shows.
type Expected struct {
	For      time.Duration
	Requests float64 // NaN where the run decides it
}

// Estimate computes what the plan will do. leastN gives the fewest independent observations for
// a two-sided interval of quantile q at confidence c; drawn is what the schedule shows of each phase, or nil for what the settings say.
func (p *Plan) Estimate(objectives []assay.Objective, leastN func(q, c float64) int, drawn []Expected) Estimate {
	e := Estimate{Faults: int(math.Round(p.strikes("")))}
	type phase struct {
		begin, end time.Duration
		n          float64
	}
	phases := map[string]phase{}
	var sent float64
	for i := range p.Load {
		l := &p.Load[i]
		d, _ := l.length()
		n := l.expect()
		if i < len(drawn) {
			if d = drawn[i].For; !math.IsNaN(drawn[i].Requests) {
				n = drawn[i].Requests
			}
		}
		if math.IsNaN(n) {
			n = 0
			e.Open = append(e.Open, l.Name)
		}
		if l.Search != nil {
			e.Searches = append(e.Searches, l.Search.outlook(l.Name))
		}
		phases[l.Name] = phase{e.For, e.For + d, n}
		e.For += d
		sent += n
	}
	hurtIn := func(b, t time.Duration) time.Duration {
		var sum time.Duration
		for _, f := range p.Chaos {
			for _, from := range f.nominal() {
				if phase := f.phase(); phase != "" {
					from += phases[phase].begin
				}
				to := from + f.For.D() + washout/3
				if lo, hi := max(from, b), min(to, t); hi > lo {
					sum += hi - lo
				}
			}
		}
		return min(sum, t-b)
	}
	// natural is how many requests outside faults an objective can count on, and the time that brings them.
	natural := func(o assay.Objective) (n float64, calm time.Duration) {
		name, one := o.Labels["phase"]
		for i := range p.Load {
			l := &p.Load[i]
			ph := phases[l.Name]
			if one && l.Name != name || !one && l.Role != assay.RoleSteady || ph.end == ph.begin {
				continue
			}
			left := ph.end - ph.begin - hurtIn(ph.begin, ph.end)
			n += ph.n * l.share(o.Labels["class"]) * float64(left) / float64(ph.end-ph.begin)
			calm += left
		}
		return n, calm
	}
	var calm time.Duration // in which failures would be natural
	for i := range p.Load {
		if ph := phases[p.Load[i].Name]; p.Load[i].watches() {
			calm += ph.end - ph.begin - hurtIn(ph.begin, ph.end)
		}
	}
	e.Requests = int(math.Ceil(sent))
	if p.Budget.Requests > 0 {
		e.Requests = min(e.Requests, p.Budget.Requests)
	}
	for _, o := range objectives {
		n, steady := natural(o)
		e.Objectives = append(e.Objectives, p.decidable(o, e.Open, n, steady, calm, leastN))
	}
	return e
}

func (p *Plan) decidable(o assay.Objective, open []string, natural float64, steady, calm time.Duration, leastN func(q, c float64) int) Decidable {
	d := Decidable{Objective: o, OK: true}
	head, last, _ := strings.Cut(o.Metric, "/")
	switch {
	case (head == "ttft" || head == "itl" || head == "tpot") && !p.Target.Tokens():
		d.OK = false
		d.Why = fmt.Sprintf("what this target of kind %s is asked knows no tokens; ask for e2e", p.Target.Kind)
	case strings.HasPrefix(last, "p") && (head == "ttft" || head == "itl" || head == "tpot" || head == "e2e"):
		q, err := strconv.ParseFloat(last[1:], 64)
		if err != nil {
			break
		}
		need, n := leastN(q/100, 0.95), natural
		if name := o.Labels["phase"]; name != "" && slices.Contains(open, name) || name == "" && len(open) > 0 && n < float64(need) {
			d.Why = fmt.Sprintf("if the load makes %d independent requests, the least for a 95 %% interval of %s: how many it makes is decided in the run", need, last)
			break
		}
		d.OK = n >= float64(need)
		d.Why = fmt.Sprintf("about %.0f natural requests expected; %d independent ones are the least for a 95 %% interval of %s", n, need, last)
		if !d.OK {
			d.Why += longer(n, need, steady)
		}
	case o.Test != nil:
		d.OK, d.Why = foretold(o, calm)
	case o.Metric == "error_ratio" && o.Max != nil && *o.Max < 1:
		undrawn := slices.Contains(open, o.Labels["phase"]) || o.Labels["phase"] == "" && len(open) > 0
		d.OK, d.Why = failing(*o.Max, natural, steady, undrawn)
	case head == "mtbf" && o.Min != nil:
		d.OK, d.Why = rare(last, *o.Min, calm)
	case head == "failure_rate" && o.Max != nil && *o.Max > 0:
		d.OK, d.Why = rare(last, 3600 / *o.Max, calm)
	case o.Labels["fault"] != "" || strings.HasPrefix(o.Metric, "recovery/") || o.Metric == "fault_tolerance":
		n := int(math.Round(p.strikes(o.Labels["fault"])))
		d.OK = n > 0
		d.Why = fmt.Sprintf("%d such faults planned; the worst of them is measured, not estimated", n)
		if n == 1 {
			d.Why = "1 such fault planned; it is measured, not estimated"
		}
		if o.Metric == "recovery/rate" || o.Metric == "fault_tolerance" {
			if o.Min != nil && *o.Min > 0 && *o.Min < 1 {
				need := int(math.Ceil(math.Log(0.025) / math.Log(*o.Min)))
				d.OK = n >= need
				d.Why = fmt.Sprintf("%d planned; %d that all succeed are needed to show %g at 95 %%", n, need, *o.Min)
			}
		}
	case strings.HasPrefix(o.Metric, "availability/during/"):
		kind := strings.TrimPrefix(o.Metric, "availability/during/")
		d.OK = slices.ContainsFunc(p.Chaos, func(f Fault) bool { return f.Fault == kind })
		d.Why = map[bool]string{true: "what happened during the planned faults is measured", false: "no fault " + kind + " is planned"}[d.OK]
	case strings.HasPrefix(o.Metric, "availability/natural"):
		d.OK = false
		d.Why = "a run without a natural failure cannot estimate it, since nothing bounds how long one would last" + perMinute(o) + "; assay evidence adds up the failures of many runs"
	case o.Metric == "slo/good":
		d.OK = false
		d.Why = "where none is bad by itself nothing bounds how many will be when some are; it can fail, and what the run spends of the budget is told in any case"
	case o.Metric == "limit/knee" || head == "usl":
		d.OK = slices.ContainsFunc(p.Load, func(l Load) bool { return l.Search != nil })
		d.Why = map[bool]string{true: "the planned search gives it, if it takes at least 5 steps", false: "no search is planned"}[d.OK]
	case strings.HasPrefix(o.Metric, "limit/"):
		d.OK = slices.ContainsFunc(p.Load, func(l Load) bool { return l.Search != nil })
		d.Why = map[bool]string{true: "the planned search brackets it", false: "no search is planned"}[d.OK]
	case strings.HasPrefix(o.Metric, "cold/") && (o.Labels["forced"] != "" || head == "cold" && strings.HasPrefix(last, "wait/")):
		n := 0
		for _, l := range p.Load {
			if l.Cold != nil {
				n += l.Cold.Force
			}
		}
		need := 1
		if _, q, ok := strings.Cut(last, "/p"); ok {
			if v, err := strconv.ParseFloat(q, 64); err == nil && v > 0 && v < 100 {
				need = leastN(v/100, 0.95)
			}
		}
		d.OK = n >= need
		d.Why = fmt.Sprintf("%d cold starts are forced; %d are the least", n, need)
	case strings.HasPrefix(o.Metric, "cold/"):
		d.OK, d.Why = p.starts(last, leastN)
	default:
		d.Why = "decided by the requests that the run sees"
	}
	return d
}

func seconds(s float64) time.Duration {
	if s > math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(s * 1e9).Round(time.Second)
}

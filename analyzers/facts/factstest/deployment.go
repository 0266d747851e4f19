package factstest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// Second is a second of run time.
const Second = int64(1e9)

// A Fault is one injected fault of a simulated deployment.
type Fault struct {
	Kind   string // kill or hang
	At     int64
	For    int64 // of a hang
	Detect int64 // until the platform reacts
	Eject  int64 // from there until the victim is out of routing
	Start  int64 // from there until its replacement is ready; 0: none is made, the victim itself comes back when the hang ends
	Dead   bool  // no end: what happens then is not simulated
}

// A Deployment is a service with instances, alternating up and down as a whole, that is put under Poisson load.
type Deployment struct {
	Instances int
	Rate      float64 // requests per second
	For       int64   // length of the one steady phase, after a warm-up of Warmup
	Warmup    int64
	MTBF      float64 // s of up time between outages of the service; 0: none
	MTTR      float64 // s mean length of an outage, exponential
	Least     float64 // s that each outage lasts beside that
	TTFT      float64 // s median
	Sigma     float64 // of the lognormal TTFT
	Rho       float64 // autocorrelation of its logarithm from one request to the next
	Tokens    int
	Slowdown  float64 // factor on TTFT while an instance is missing
	Faults    []Fault
	Probe     int64
	MaxWait   int64
}

// Truth is what really happened.
type Truth struct {
	Outages []assay.Interval // of the service, natural
	Up      float64          // s of up time
	Ends    []int64          // for each fault, when the instance or its replacement was ready; 0 if never
	P       func(p float64) float64
}

// A downtime is a stretch in which an instance does not work, and from when on nobody is sent to it.
type downtime struct {
	instance    int
	begin, out  int64 // broken from begin; out of routing from out
	end         int64 // back, in working order and in routing
	kind        string
	replacement string
}

// Simulate puts the deployment under load.
func (d Deployment) Simulate(rng *rand.Rand) (*Run, *Truth) {
	if d.Instances == 0 {
		d.Instances = 2
	}
	if d.Probe == 0 {
		d.Probe = Second / 4
	}
	if d.MaxWait == 0 {
		d.MaxWait = 10 * Second
	}
	if d.TTFT == 0 {
		d.TTFT = 0.1
	}
	if d.Slowdown == 0 {
		d.Slowdown = 1
	}
	if d.Tokens == 0 {
		d.Tokens = 8
	}
	begin := Second
	end := begin + d.Warmup + d.For
	run := &Run{M: assay.Manifest{Schema: "assay/run/v1", ID: "00", Name: "simulated", Target: assay.Target{Kind: "sandbox", Name: "simulated"},
		Probe: d.Probe, MaxWait: d.MaxWait, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: end}}}
	truth := &Truth{P: func(p float64) float64 { return d.TTFT * math.Exp(d.Sigma*normal(p)) }}
	event := func(t int64, kind, instance, fault string, attrs ...string) {
		e := assay.Event{Time: t, Kind: kind, Instance: instance, Fault: fault, Source: "simulation"}
		for i := 0; i+1 < len(attrs); i += 2 {
			if e.Attrs == nil {
				e.Attrs = map[string]string{}
			}
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		run.E = append(run.E, e)
	}
	name := func(i int) string { return "w-" + strconv.Itoa(i+1) }
	for i := range d.Instances {
		event(begin-900e6, assay.EventInstanceCreated, name(i), "", "reason", "scale_from_zero")
		event(begin-500e6, assay.EventInstanceReady, name(i), "")
	}
	if d.Warmup > 0 {
		event(begin, assay.EventPhaseBegin, "", "", "role", "warmup", "rate", fmt.Sprint(d.Rate))
		run.E[len(run.E)-1].Phase = "warmup"
		event(begin+d.Warmup, assay.EventPhaseEnd, "", "")
		run.E[len(run.E)-1].Phase = "warmup"
	}
	event(begin+d.Warmup, assay.EventPhaseBegin, "", "", "role", "steady", "rate", fmt.Sprint(d.Rate))
	run.E[len(run.E)-1].Phase = "steady"
	event(end, assay.EventPhaseEnd, "", "")
	run.E[len(run.E)-1].Phase = "steady"
	event(end, assay.EventLoadEnd, "", "")

	if d.MTBF > 0 {
		for t := float64(begin); ; {
			t += rng.ExpFloat64() * d.MTBF * 1e9
			if t >= float64(end) {
				break
			}
			until := t + (d.Least+rng.ExpFloat64()*d.MTTR)*1e9
			truth.Outages = append(truth.Outages, assay.Interval{Begin: int64(t), End: int64(until)})
			t = until
		}
	}

	var downs []downtime
	victim := 0
	for i, f := range d.Faults {
		id := fmt.Sprintf("f%d", i+1)
		v := victim % d.Instances
		victim++
		who := name(v)
		for j := len(downs) - 1; j >= 0; j-- {
			if downs[j].instance == v && downs[j].replacement != "" {
				who = downs[j].replacement
				break
			}
		}
		event(f.At-2e6, assay.EventFaultArmed, "", id, "kind", f.Kind, "target", who, "undo", "{}")
		event(f.At, assay.EventFaultApplied, "", id)
		event(f.At+1e6, assay.EventFaultVerified, "", id, "effect", "seen")
		out := f.At + f.Detect + f.Eject
		down := downtime{instance: v, begin: f.At, out: out, kind: f.Kind}
		event(f.At+f.Detect, assay.EventInstanceProbe, who, "", "ok", "false")
		if f.Kind == "kill" {
			event(out, assay.EventInstanceExited, who, "", "reason", "crash", "signal", "killed")
		} else {
			event(out, assay.EventInstanceEjected, who, "")
		}
		revert := f.At + f.For
		if !f.Dead {
			event(revert, assay.EventFaultReverted, "", id)
			event(revert+1e6, assay.EventFaultClear, "", id)
		}
		switch {
		case f.Start > 0:
			down.replacement = fmt.Sprintf("w-%d", d.Instances+i+1)
			down.end = out + f.Start
			event(out+1e6, assay.EventInstanceCreated, down.replacement, "", "reason", "replace")
			event(down.end, assay.EventInstanceReady, down.replacement, "")
			if f.Kind == "hang" {
				event(out+2e6, assay.EventInstanceExited, who, "", "reason", "crash", "signal", "killed")
			}
		case f.Kind == "hang":
			down.end = max(revert, out) + d.Probe
			event(down.end, assay.EventInstanceReady, who, "")
		default:
			down.end = math.MaxInt64
		}
		if down.end == math.MaxInt64 {
			truth.Ends = append(truth.Ends, 0)
		} else {
			truth.Ends = append(truth.Ends, down.end)
		}
		downs = append(downs, down)
	}

	id := uint64(0)
	g := rng.NormFloat64()
	for t := float64(begin); ; {
		t += rng.ExpFloat64() / d.Rate * 1e9
		if int64(t) >= end {
			break
		}
		id++
		due := int64(t)
		r := assay.Request{ID: id, Phase: "steady", Due: due, Sent: due + 50_000, TokensIn: 64, TokensOut: int32(d.Tokens), TokensAsked: int32(d.Tokens), Cold: assay.ColdNo}
		if due < begin+d.Warmup {
			r.Phase = "warmup"
		}
		g = d.Rho*g + math.Sqrt(1-d.Rho*d.Rho)*rng.NormFloat64()
		d.serve(&r, rng, downs, truth.Outages, d.TTFT*math.Exp(d.Sigma*g), name)
		run.R = append(run.R, r)
	}
	truth.Up = float64(end-begin) / 1e9
	for _, o := range truth.Outages {
		truth.Up -= float64(min(end, o.End)-o.Begin) / 1e9
	}
	slices.SortStableFunc(run.E, func(a, b assay.Event) int { return int(min(1, max(-1, a.Time-b.Time))) })
	return run, truth
}

// serve decides what becomes of one request.
func (d *Deployment) serve(r *assay.Request, rng *rand.Rand, downs []downtime, outages []assay.Interval, ttft float64, name func(int) string) {
	for _, o := range outages {
		if o.Begin <= r.Due && r.Due < o.End {
			r.Outcome, r.Status, r.End = assay.Unavailable, 503, r.Due+2e6
			return
		}
	}
	var routed []int
	missing := false
	for i := range d.Instances {
		ok := true
		for _, w := range downs {
			if w.instance == i && w.out <= r.Due && r.Due < w.end {
				ok, missing = false, true
			}
		}
		if ok {
			routed = append(routed, i)
		}
	}
	if len(routed) == 0 {
		r.Outcome, r.Status, r.End = assay.Unavailable, 503, r.Due+2e6
		return
	}
	i := routed[rng.IntN(len(routed))]
	r.Instance = name(i)
	for _, w := range downs {
		if w.instance == i && w.replacement != "" && w.end <= r.Due {
			r.Instance = w.replacement
		}
	}
	if missing {
		ttft *= d.Slowdown
	}
	r.Status = 200
	r.FirstByte = r.Due + int64(ttft*1e9)
	r.FirstToken = r.FirstByte
	for k := range d.Tokens {
		r.Arrivals = append(r.Arrivals, r.FirstToken+int64(k)*10e6)
	}
	r.End = r.Arrivals[len(r.Arrivals)-1] + 1e6
	r.Outcome = assay.OK
	for _, w := range downs {
		if w.instance != i || r.End <= w.begin || r.Due >= w.out {
			continue
		}
		// The answer stops when the instance breaks.
		n := 0
		for n < len(r.Arrivals) && r.Arrivals[n] <= w.begin {
			n++
		}
		r.Arrivals = r.Arrivals[:n]
		if n == 0 {
			r.FirstToken, r.FirstByte, r.Status = 0, 0, 0
		}
		if w.kind == "kill" {
			r.End, r.Outcome = max(w.begin, r.Due)+1e6, assay.CutRST
			if n == 0 {
				r.Outcome = assay.Reset
			}
			return
		}
		r.End, r.Outcome = r.Due+d.MaxWait, assay.Timeout
		if n > 0 {
			r.Outcome = assay.CutStall
		}
		return
	}
}

// normal returns the quantile of the standard normal distribution by bisection: a test helper need not be fast.
func normal(p float64) float64 {
	lo, hi := -9.0, 9.0
	for range 80 {
		m := (lo + hi) / 2
		if 0.5*math.Erfc(-m/math.Sqrt2) < p {
			lo = m
		} else {
			hi = m
		}
	}
	return (lo + hi) / 2
}

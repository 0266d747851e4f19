package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// suiteKinds are the kinds that the sandbox of these tests knows, without the cluster's.
func suiteKinds(more ...FaultKind) Kinds {
	k := Kinds{Metrics: func(m string) (assay.Desc, bool) {
		return assay.Desc{Metric: m, Unit: assay.Seconds, Better: "lower"}, true
	}}
	for _, name := range []string{"kill", "crashloop", "hang", "delay", "memory-limit", "disk"} {
		k.Faults = append(k.Faults, FaultKind{Name: name, NeedsFor: name != "kill", By: []string{byLocal}})
	}
	for _, name := range []string{"http", "stream"} {
		k.Faults = append(k.Faults, FaultKind{Name: name, NeedsFor: true, By: []string{byLocal, byWire}})
	}
	k.Faults = append(k.Faults, more...)
	return k
}

func suiteOf(t *testing.T, target, suite string, k Kinds) *Plan {
	t.Helper()
	p, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: s\ntarget: "+target+"\nsuite: "+suite+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Validate(k); err != nil {
		t.Fatal(err)
	}
	return p
}

// did lists the steps that are done and, by name, why the others are not.
func did(p *Plan) (done []string, left map[string]string) {
	left = map[string]string{}
	for _, s := range p.Standard().Steps {
		if s.Unmeasured == "" {
			done = append(done, s.Name)
		} else {
			left[s.Name] = s.Unmeasured
		}
	}
	return done, left
}

func TestSuiteSubset(t *testing.T) {
	const sandbox, endpoint = "{kind: sandbox}", `{kind: openai, url: "http://127.0.0.1:8000/", model: m}`
	local := []string{"kill", "crash-loop", "hang", "hang-healthy", "far-from-zero", "stream-fin", "stream-rst", "stream-stall", "too-many", "memory-limit", "spike"}
	for _, c := range []struct {
		name, target, suite string
		kinds               Kinds
		want                []string
		step, why           string // of one that is left out
	}{
		{"sandbox", sandbox, "serverless-model", suiteKinds(), local, "dns-at-start", "assay has no fault dns"},
		{"wire only", endpoint, "serverless-model", suiteKinds(), []string{"hang-healthy", "stream-fin", "stream-rst", "stream-stall", "too-many"}, "far-from-zero", "give suite.idle"},
		{"some steps", sandbox, "{name: serverless-model, size: quick, steps: [kill, spike]}", suiteKinds(), []string{"kill", "spike"}, "hang", "the plan leaves it out"},
		{"not available", sandbox, "serverless-model", suiteKinds(FaultKind{Name: "dns", By: []string{byLocal}, Available: errors.New("needs root")}), local, "dns-at-start", "dns is not available here: needs root"},
		{"a second way", sandbox, "{name: serverless-model, steps: [slow-weights]}", suiteKinds(FaultKind{Name: "slow-start", NeedsFor: true, By: []string{byLocal}}), []string{"slow-weights"}, "kill", "the plan leaves it out"},
		{"a cache", sandbox, "{name: serverless-model, steps: [disk-full], cache: /cache}", suiteKinds(), []string{"disk-full"}, "kill", "the plan leaves it out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := suiteOf(t, c.target, c.suite, c.kinds)
			done, left := did(p)
			if diff := cmp.Diff(c.want, done); diff != "" {
				t.Errorf("steps: %s", diff)
			}
			if !strings.Contains(left[c.step], c.why) {
				t.Errorf("%s: got %q, want %q", c.step, left[c.step], c.why)
			}
			// No phase of a step that is left out stays, and each fault strikes within its phase.
			phases := map[string]Load{}
			for _, l := range p.Load {
				phases[l.Name] = l
			}
			for _, s := range p.Standard().Steps {
				if _, there := phases[s.Name]; there != (s.Unmeasured == "") {
					t.Errorf("phase %s: there %t, unmeasured %q", s.Name, there, s.Unmeasured)
				}
			}
			for _, f := range p.Chaos {
				if l, ok := phases[f.Phase]; !ok || f.At >= l.For {
					t.Errorf("%s at %v of phase %q of %v", f.Fault, f.At.D(), f.Phase, l.For.D())
				}
			}
			for _, o := range p.Objectives {
				if o.Fault != "" && !slices.ContainsFunc(p.Chaos, func(f Fault) bool { return f.Fault == o.Fault }) {
					t.Errorf("an objective asks for %s, which nothing does", o.Fault)
				}
			}
		})
	}
}

func TestSuiteSettings(t *testing.T) {
	length := func(p *Plan) (d Duration) {
		for _, l := range p.Load {
			d += l.For
		}
		return d
	}
	full := suiteOf(t, "{kind: sandbox}", "serverless-model", suiteKinds())
	quick := suiteOf(t, "{kind: sandbox}", "{name: serverless-model, size: quick}", suiteKinds())
	if length(quick) > Duration(140e9) || length(full) < 2*length(quick) || length(full) > Duration(600e9) {
		t.Errorf("quick takes %v, full %v", length(quick).D(), length(full).D())
	}
	for size, p := range map[string]*Plan{"quick": quick, "full": full} { // requests come bunched: 52 were worth 23, and p90 needs 29
		if base := p.Load[1]; base.Name != "baseline" || float64(base.Arrivals.Poisson.Rate)*base.For.D().Seconds() < 110 {
			t.Errorf("%s: %s of %v at %v/s is too short to decide p90", size, base.Name, base.For.D(), base.Arrivals.Poisson.Rate)
		}
	}
	for _, l := range quick.Load {
		if l.Arrivals != nil && l.Output.Tokens != 100 { // as the definition says; shorter ones are over before they can be hurt
			t.Errorf("phase %s: answers of %d tokens, want 100", l.Name, l.Output.Tokens)
		}
	}
	if p := suiteOf(t, "{kind: sandbox}", "{name: serverless-model, rate: 3/s}", suiteKinds()); p.Load[2].Arrivals.Poisson.Rate != 3 {
		t.Errorf("rate: got %v", p.Load[2].Arrivals.Poisson.Rate)
	}
	own, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: s\ntarget: {kind: sandbox}\nsuite: serverless-model\nobjectives: [{metric: ttft/p95, max: 9s}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var ttft []string
	for _, o := range own.Objectives {
		if strings.HasPrefix(o.Metric, "ttft") {
			ttft = append(ttft, o.Metric)
		}
	}
	if diff := cmp.Diff([]string{"ttft/p95"}, ttft); diff != "" {
		t.Errorf("the plan's own objective takes the suite's place: %s", diff)
	}
	if p := suiteOf(t, `{kind: openai, url: "http://127.0.0.1:8000/", model: m}`, "{name: serverless-model, idle: 90s}", suiteKinds()); !strings.Contains(func() string { _, l := did(p); return l["far-from-zero"] }(), "nothing here can do delay") {
		t.Error("idle says how the target gets to zero")
	}
}

// What hangs and what falls silent is held for longer than a request waits, whatever the plan says of that: else nobody could ever feel it.
func TestSuiteOutlastsTheDeadline(t *testing.T) {
	const endpoint = `{kind: openai, url: "http://127.0.0.1:8000/", model: m}`
	for _, c := range []struct {
		target, size string
		want         Duration // deadline of a request
	}{
		{"{kind: sandbox}", "quick", Duration(4e9)},
		{"{kind: sandbox}", "full", Duration(5e9)},
		{"{kind: sandbox, deadline: 8s}", "quick", Duration(8e9)},
		{endpoint, "quick", Duration(20e9)},
		{strings.Replace(endpoint, "}", ", deadline: 1m}", 1), "full", Duration(60e9)},
	} {
		p := suiteOf(t, c.target, "{name: serverless-model, size: "+c.size+"}", suiteKinds())
		if p.Target.Deadline != c.want {
			t.Errorf("%s, %s: deadline %v, want %v", c.target, c.size, p.Target.Deadline.D(), c.want.D())
		}
		n := 0
		for _, f := range p.Chaos {
			if f.Name != "hang" && f.Name != "hang-healthy" && f.Name != "stream-stall" {
				continue
			}
			n++
			for _, l := range p.Load {
				// Requests that come in its first third wait for longer than they may, and the load goes on to where it is over.
				if l.Name == f.Name && (f.For < p.Target.Deadline*3/2 || f.At+f.For >= l.For) {
					t.Errorf("%s, %s: %s at %v for %v of a phase of %v; requests wait %v", c.target, c.size, f.Name, f.At.D(), f.For.D(), l.For.D(), p.Target.Deadline.D())
				}
			}
		}
		if want := map[bool]int{true: 3, false: 2}[p.Target.Kind == "sandbox"]; n != want {
			t.Errorf("%s, %s: %d such faults, want %d", c.target, c.size, n, want)
		}
	}
}

func TestSuiteRefused(t *testing.T) {
	for yaml, want := range map[string]string{
		"suite: serverles-model":                                  `plan.yaml:4:8: suite.name: "serverles-model" is no suite; did you mean "serverless-model"?`,
		"suite: {name: serverless-model, size: huge}":             `plan.yaml:4:39: suite.size: "huge" is unknown; quick or full`,
		"suite: {name: serverless-model, steps: [kil]}":           `suite.steps[0]: "kil" is no step of suite serverless-model; did you mean "kill"?`,
		"suite: {name: serverless-model, rate: 5000/s}":           "suite.rate: 5000/s is out of range; more than 0 and at most 1000/s",
		"suite: {name: serverless-model, idle: 2h}":               "suite.idle: 2h0m0s is out of range; at most 1h",
		"suite: serverless-model\nload: [{name: a, for: 1s}]":     "load: stands beside suite serverless-model, which sets it; leave one out",
		"suite: serverless-model\nchaos: [{fault: kill, at: 1s}]": "chaos: stands beside suite serverless-model, which sets it; leave one out",
	} {
		_, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: s\ntarget: {kind: sandbox}\n"+yaml+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", yaml, err, want)
		}
	}
}

package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

var kinds = Kinds{
	Faults: []FaultKind{{Name: "kill", By: []string{"local"}}, {Name: "hang", NeedsFor: true, By: []string{"local"}}, {Name: "delay", NeedsFor: true, By: []string{"local"}}, {Name: "http", NeedsFor: true, By: []string{"local", "wire"}},
		{Name: "cut", NeedsFor: true, By: []string{"local"}, Available: errors.New("needs Linux")}, {Name: "dns", NeedsFor: true, By: []string{"local", "wire"}}},
	Known: []string{"ttft/p95", "recovery/user", "availability/natural", "mtbf/service"},
	Metrics: func(m string) (assay.Desc, bool) {
		units := map[string]assay.Unit{"ttft/p90": assay.Seconds, "ttft/p95": assay.Seconds, "recovery/user": assay.Seconds, "cold/start/worst": assay.Seconds,
			"availability/natural": assay.Ratio, "mtbf/service": assay.Seconds, "failure_rate/service": assay.PerHour, "recovery/rate": assay.Ratio}
		u, ok := units[m]
		better := map[string]string{"availability/natural": "higher", "mtbf/service": "higher", "recovery/rate": "higher", "cold/start/worst": ""}
		side, known := better[m]
		if !known {
			side = "lower"
		}
		return assay.Desc{Metric: m, Unit: u, Better: side}, ok
	},
}

const head = "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\n"
const load = "load: [{name: a, arrivals: {poisson: {rate: 2/s}}, for: 10s}]\n"

func TestBuiltinIsValid(t *testing.T) {
	p, err := Parse("builtin", Builtin())
	if err != nil {
		t.Fatal(err)
	}
	obj, err := p.Validate(kinds)
	if err != nil {
		t.Fatal(err)
	}
	if len(obj) != 4 || *obj[0].Max != 0.8 || obj[0].Unit != assay.Seconds || obj[0].Labels["phase"] != "steady" {
		t.Errorf("objectives: got %+v", obj)
	}
}

// Every wrong plan gets one line a mistake that names file, line, column, path, and what would be right.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ name, plan, want string }{
		{"unknown key", head + "load:\n  - {name: a, arivals: {poisson: {rate: 2/s}}, for: 10s}\n",
			`plan.yaml:5:15: load[0].arivals: unknown key "arivals"; did you mean "arrivals"?`},
		{"unknown top key", head + load + "objective: []\n", `plan.yaml:5:1: objective: unknown key "objective"; did you mean "objectives"?`},
		{"duration", head + "load: [{name: a, for: ten}]\n", `plan.yaml:4:23: load[0].for: "ten" is not a duration; write for example 800ms, 30s or 5m`},
		{"duration without unit", head + "load: [{name: a, for: 10}]\n", `plan.yaml:4:23: load[0].for: "10" is not a duration; write for example 800ms, 30s or 5m`},
		{"rate", head + "load: [{name: a, for: 9s, arrivals: {even: {rate: 8}}}]\n", `plan.yaml:4:51: load[0].arrivals.even.rate: "8" is not a rate; write for example 8/s, 30/m or 100/h`},
		{"zero rate", head + "load: [{name: a, for: 9s, arrivals: {even: {rate: 0/s}}}]\n", `load[0].arrivals.even.rate: 0/s is out of range`},
		{"kind", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbix}\n" + load, `plan.yaml:3:16: target.kind: "sandbix" is unknown; did you mean "sandbox"?`},
		{"list for mapping", head + "load: {name: a}\n", `plan.yaml:4:`},
		{"version", "apiVersion: assay/v9\nname: t\ntarget: {kind: sandbox}\n" + load, `plan.yaml:1:13: apiVersion: is "assay/v9"; write assay/v1`},
		{"empty", "", `plan.yaml: is empty`},
		{"not yaml", "a: [", `plan.yaml:1:`},
		{"url", "apiVersion: assay/v1\nname: t\ntarget: {kind: openai}\n" + load, `target: needs url for kind openai`},
		{"credentials in url", "apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://me:secret@h/'}\n" + load, `must not carry credentials`},
		{"fault kind", head + load + "chaos: [{fault: kil, at: 1s}]\n", `plan.yaml:5:17: chaos[0].fault: "kil" is no kind of fault; did you mean "kill"?`},
		{"fault without end", head + load + "chaos: [{fault: hang, at: 1s}]\n", `chaos[0]: hang needs for: how long it is held`},
		{"fault not here", head + load + "chaos: [{fault: cut, at: 1s, for: 2s}]\n", `cut is not available here: needs Linux`},
		{"fault of an endpoint", "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://h'}\n" + load + "chaos: [{fault: kill, at: 1s}]\n", `chaos[0].fault: nothing here can do kill to the target; by local: target.kind is not sandbox`},
		{"fault past the proxy", "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://h', http2: true}\n" + load + "chaos: [{fault: http, at: 1s, for: 2s}]\n", `by wire: a proxy for HTTP/1.1 between the load and the target cannot be passed by kind`},
		{"fault of many instances", "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://h'}\n" + load + "chaos: [{fault: http, at: 1s, for: 2s, instances: 2}]\n", `chaos[0].instances: 2: nothing is known of the target's instances`},
		{"expiry without TLS", "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://h'}\n" + load + "chaos: [{fault: http, at: 1s, for: 2s, mode: tls-expired}]\n", `chaos[0].mode: target.url has no TLS`},
		{"names that nobody looks up", head + load + "chaos: [{fault: dns, at: 1s, for: 2s}]\n", `chaos[0].fault: the sandbox's workers look up no name; set target.sandbox.weightsHost`},
		{"names of an address", "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://[::1]:80'}\n" + load + "chaos: [{fault: dns, at: 1s, for: 2s}]\n", `chaos[0].fault: target.url has an address and no name, so nothing is looked up`},
		{"metric", head + load + "objectives: [{metric: ttft/p59, max: 1s}]\n", `plan.yaml:5:23: objectives[0].metric: "ttft/p59" is no metric; did you mean "ttft/p95"?`},
		{"bound's unit", head + load + "objectives: [{metric: ttft/p95, max: 99%}]\n", `objectives[0].max: "99%" has the wrong unit for this metric; write a duration such as 800ms`},
		{"asks nothing", head + load + "objectives: [{metric: ttft/p95}]\n", `objectives[0]: asks nothing; give max or min`},
		{"phase", head + load + "objectives: [{metric: ttft/p95, phase: b, max: 1s}]\n", `"b" is no load phase; did you mean "a"?`},
		{"twice", head + "name: again\n" + load, `"name"`},
		{"guard", head + load + "guards: [{metric: error_ratio}]\n", `guards[0]: has no limit; give max`},
		{"guard on nothing", head + load + "guards: [{max: 1}]\n", `plan.yaml:5:10: guards[0]: needs exactly one of metric, burn and promql`},
		{"guard on two", head + load + "guards: [{metric: error_ratio, promql: up, max: 1}]\n", `guards[0]: needs exactly one of metric, burn and promql`},
		{"guard without a server", head + load + "guards: [{promql: up, max: 1}]\n", `guards[0]: needs prometheus: the URL of the server that is asked`},
		{"guard without a limit", head + load + "guards: [{promql: up, prometheus: 'http://h'}]\n", `guards[0]: has no limit; give max or min`},
		{"guard between nothing", head + load + "guards: [{promql: up, prometheus: 'http://h', max: 1, min: 2}]\n", `guards[0].min: is above max`},
		{"guard's token", head + load + "guards: [{promql: up, prometheus: 'http://h', max: 1, token: {}}]\n", `guards[0].token: needs exactly one of env and file`},
		{"guard's patience", head + load + "guards: [{metric: error_ratio, max: 10%, noData: 1s}]\n", `guards[0].noData: 1s is out of range; 5s to 1h`},
		{"server of a metric", head + load + "guards: [{metric: error_ratio, max: 10%, prometheus: 'http://h'}]\n", `guards[0].prometheus: belongs to promql; leave it out`},
		{"burn of nothing", head + load + "guards: [{burn: {rate: 2}}]\n", `guards[0].burn: needs objective`},
		{"burn without a budget", head + load + "guards: [{burn: {objective: 100%}}]\n", `guards[0].burn.objective: 1 leaves no budget`},
		{"burn that cannot be", head + load + "guards: [{burn: {objective: 90%, rate: 10}}]\n", `guards[0].burn.rate: 10 can never be crossed, or always; 1 to below 10, at which every request fails`},
		{"burn's windows", head + load + "guards: [{burn: {objective: 99%, over: 10s, short: 10s}}]\n", `guards[0].burn.short: 10s is not a window shorter than 10s`},
		{"burn with a limit", head + load + "guards: [{burn: {objective: 99%}, max: 3}]\n", `guards[0].max: burn has its own over and rate; leave it out`},
		{"stop by nothing", head + load + "stop: {}\n", `plan.yaml:5:7: stop: says nothing; give file or http`},
		{"stop by anyone", head + load + "stop: {http: {}}\n", `stop.http: needs token with exactly one of env and file: without one anyone could stop the run`},
		{"stop nowhere", head + load + "stop: {http: {listen: here, token: {env: T}}}\n", `stop.http.listen: "here" is no address; write for example 127.0.0.1:8099`},
		{"nobody to notify", head + load + "notify: [{token: {env: T}}]\n", `plan.yaml:5:10: notify[0]: needs url`},
		{"secret to notify", head + load + "notify: [{url: 'http://h/?token=x'}]\n", `notify[0].url: "token" in the query of a URL may carry a credential`},
		{"alerts of nobody", head + load + "alerts: {expect: [A]}\n", `plan.yaml:5:9: alerts: needs prometheus or alertmanager: who is asked what fires`},
		{"no alerts", head + load + "alerts: {prometheus: 'http://h'}\n", `alerts.expect: has 0 alerts; want 1 to 50`},
		{"silence nowhere", head + load + "alerts: {prometheus: 'http://h', expect: [A], silence: true}\n", `alerts.silence: needs alerts.alertmanager: where it is made`},
		{"silence of what", head + load + "alerts: {alertmanager: 'http://h', expect: [A], silence: maybe}\n", `alerts.silence: "maybe" is no silence; write true, false or for example 30m`},
		{"silence for days", head + load + "alerts: {alertmanager: 'http://h', expect: [A], silence: 100h}\n", `alerts.silence: 100h0m0s is out of range; at most 24h0m0s`},
		{"alerts by name", head + load + "alerts: {alertmanager: 'http://h', expect: [A], matchers: {alertname: x}}\n", `alerts.matchers.alertname: is no label`},
		{"two phases of one name", head + "load: [{name: a, for: 1s}, {name: a, for: 1s}]\n", `load[1].name: "a" is taken by an earlier phase`},
		{"canary without an answer", head + load + "canary: {prompt: hi}\n", `plan.yaml:5:9: canary: expects nothing; give expect, for example {contains: text} or {stable: true}`},
		{"canary without a prompt", head + load + "canary: {expect: {stable: true}}\n", `canary: has no prompt`},
		{"canary too often", head + load + "canary: {prompt: hi, every: 1ms, expect: {stable: true}}\n", `canary.every: 1ms is out of range; 100ms to 1h`},
		{"canary's pattern", head + load + "canary: {prompt: hi, expect: {regexp: '('}}\n", `canary.expect.regexp: error parsing regexp`},
		{"canary's version", head + load + "canary: {prompt: hi, expect: {version: '2'}}\n", `canary.expect.version: answers of kind sandbox name no version`},
		{"canary's digest", head + load + "canary: {prompt: hi, expect: {sha256: abc}}\n", `canary.expect.sha256: "abc" is no digest`},
		{"canary known and learnt", head + load + "canary: {prompt: hi, expect: {stable: true, sha256: " + strings.Repeat("a", 64) + "}}\n", `known or learnt, not both`},
		{"one attempt", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, retry: {attempts: 1}}\n" + load, `plan.yaml:3:43: target.retry.attempts: 1 is out of range; 2 to 100, the first included`},
		{"retry on a success", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, retry: {attempts: 2, on: [throtled]}}\n" + load, `"throtled" is no outcome to try again on; did you mean "throttled"?`},
		{"retry's waits", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, retry: {attempts: 2, backoff: 2s, max: 1s}}\n" + load, `target.retry.max: 1s is below backoff, 2s`},
		{"forced what", head + load + "objectives: [{metric: ttft/p95, forced: true, max: 1s}]\n", `objectives[0].forced: belongs to metrics of cold starts, not ttft/p95`},
		{"cold where it cannot be", "apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h/'}\nload: [{name: a, cold: {force: 3}}]\n", `load[0].cold: nothing makes the target cold; say how in target.cold: kubernetes or lambda`},
		{"cold that is kept warm", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, sandbox: {minScale: 1}}\nload: [{name: a, cold: {force: 3}}]\n", `load[0].cold: the sandbox keeps 1 instances and is never cold`},
		{"no cold starts", head + "load: [{name: a, cold: {force: 0}}]\n", `load[0].cold.force: 0 is out of range; 1 to 100000`},
		{"cold in another role", head + "load: [{name: a, role: steady, cold: {force: 1}}]\n", `load[0].role: steady does not go with cold; leave role out`},
		{"role cold without", head + "load: [{name: a, role: cold, arrivals: {even: {rate: 1/s}}, for: 1s}]\n", `has role cold and forces no cold start`},
		{"cold by two ways", "apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h/', cold: {lambda: {function: f}, kubernetes: {pods: x=y}}}\n" + load, `target.cold: needs exactly one of kubernetes and lambda`},
		{"cold by two things", "apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h/', cold: {kubernetes: {pods: x=y, deployment: d}}}\n" + load, `target.cold.kubernetes: needs exactly one of deployment and pods`},
		{"cold sandbox", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, cold: {lambda: {function: f}}}\n" + load, `the sandbox needs no way to be made cold`},
		{"tokens of a kind without", "apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h/'}\n" + load + "budget: {tokens: 5}\n", `of kind http is asked knows no tokens`},
		{"no canary to judge", head + load + "objectives: [{metric: canary/wrong, max: 0}]\n", `objectives[0].metric: canary/wrong needs a canary; the plan has none`},
		{"no canary to guard", head + load + "guards: [{metric: canary_ratio, max: 50%}]\n", `guards[0].metric: canary_ratio needs a canary; the plan has none`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("plan.yaml", []byte(tt.plan))
			if err == nil {
				_, err = p.Validate(kinds)
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAllMistakesAtOnceInOrder(t *testing.T) {
	_, err := Parse("p", []byte("apiVersion: assay/v1\nname: '?'\ntarget: {kind: x}\nload: [{name: a, for: 0s}]\n"))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "p:2:") || !strings.HasPrefix(lines[1], "p:3:") || !strings.HasPrefix(lines[2], "p:4:") {
		t.Errorf("got %q", lines)
	}
}

func TestValue(t *testing.T) {
	for text, want := range map[string]Value{
		"800ms": {0.8, assay.Seconds, "800ms"}, "99.9%": {0.9990000000000001, assay.Ratio, "99.9%"}, "12/s": {12, assay.PerSecond, "12/s"},
		"3/h": {3, assay.PerHour, "3/h"}, "4": {4, assay.Count, "4"}, "1h30m": {5400, assay.Seconds, "1h30m"},
		"10MB": {1e7, assay.Bytes, "10MB"}, "10 MiB": {10 << 20, assay.Bytes, "10 MiB"}, "4096B": {4096, assay.Bytes, "4096B"}, "1.5TB": {1.5e12, assay.Bytes, "1.5TB"}, "2TiB": {2 << 40, assay.Bytes, "2TiB"},
		"60MB/h": {6e7, assay.BytesPerHour, "60MB/h"}, "1 KiB / s": {1024, assay.Bandwidth, "1 KiB / s"},
	} {
		var got Value
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Value{})); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "x", "NaN", "5/d", "%", "MB", "10MB/d", "10Mb", "MB/h"} {
		if err := new(Value).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

// Every metric of bytes can be asked for: as bytes with or without a unit, and a rate by the hour or by the second.
func TestBytesOfAnObjective(t *testing.T) {
	for _, c := range []struct {
		text string
		unit assay.Unit
		want float64
		err  string
	}{
		{"10000000", assay.Bytes, 1e7, ""}, {"10MB", assay.Bytes, 1e7, ""}, {"10MiB", assay.Bytes, 10 << 20, ""},
		{"60MB/h", assay.BytesPerHour, 6e7, ""}, {"60000000", assay.BytesPerHour, 6e7, ""}, {"1kB/s", assay.BytesPerHour, 3.6e6, ""}, {"36MB/h", assay.Bandwidth, 10000, ""},
		{"10s", assay.Bytes, 0, `"10s" has the wrong unit for this metric; write bytes such as 10MB`},
		{"10MB", assay.BytesPerHour, 0, `"10MB" has the wrong unit for this metric; write bytes an hour such as 60MB/h`},
		{"10MB", assay.Seconds, 0, `"10MB" has the wrong unit for this metric; write a duration such as 800ms`},
	} {
		var v Value
		if err := v.UnmarshalText([]byte(c.text)); err != nil {
			t.Fatal(err)
		}
		got, err := v.In(c.unit)
		if said := fmt.Sprint(err); got != c.want || (err != nil || c.err != "") && said != c.err {
			t.Errorf("%s in %s: got %g, %v; want %g, %s", c.text, c.unit, got, err, c.want, c.err)
		}
	}
}

func TestEstimateSaysWhatCanBeDecided(t *testing.T) {
	p, err := Parse("p", []byte(head+"load: [{name: a, arrivals: {poisson: {rate: 5/s}}, for: 60s}]\nchaos: [{fault: kill, at: 10s}]\n"+
		"objectives:\n  - {metric: ttft/p95, max: 1s}\n  - {metric: mtbf/service, min: 720h}\n  - {metric: recovery/user, fault: kill, max: 9s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := p.Validate(kinds)
	if err != nil {
		t.Fatal(err)
	}
	e := p.Estimate(obj, func(q, c float64) int { return 59 }, nil)
	if e.For != time.Minute || e.Requests != 300 || e.Faults != 1 {
		t.Errorf("got %+v", e)
	}
	var ok []bool
	for _, d := range e.Objectives {
		ok = append(ok, d.OK)
	}
	if diff := cmp.Diff([]bool{true, false, true}, ok); diff != "" {
		t.Errorf("decidable (-want +got)\n%s\n%+v", diff, e.Objectives)
	}
	if want := "2156h55m38s"; !strings.Contains(e.Objectives[1].Why, want) {
		t.Errorf("got %q, want the planned time %s in it", e.Objectives[1].Why, want)
	}
}

func TestHashFollowsThePlan(t *testing.T) {
	a, _ := Parse("p", []byte(head+load))
	b, _ := Parse("p", []byte("# a comment\n"+head+load))
	c, _ := Parse("p", []byte(head+load+"budget: {requests: 9}\n"))
	d, _ := Parse("p", []byte(head+load+"seed: 2\n"))
	_, ha, _ := a.JSON()
	_, hb, _ := b.JSON()
	_, hc, _ := c.JSON()
	_, hd, _ := d.JSON()
	if ha != hb || ha == hc || ha != hd {
		t.Errorf("hashes %s %s %s %s: want all equal but the third; another seed is another attempt", ha, hb, hc, hd)
	}
}

func TestSchemaIsJSONAndNamesEachKey(t *testing.T) {
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties map[string]any
		Required   []string
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	var got []string
	for k := range s.Properties {
		got = append(got, k)
	}
	slices.Sort(got)
	want := []string{"alerts", "apiVersion", "assume", "budget", "canary", "chaos", "collect", "guards", "hypothesis", "limits", "load", "mode", "name", "notify", "objectives", "seed", "slo", "stop", "suite", "target"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	golden := filepath.Join("testdata", "schema.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), string(raw)); diff != "" {
		t.Errorf("the schema changed; run UPDATE=1 go test ./internal/plan (-committed +now)\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(builtin)
	f.Add([]byte("a: &x [*x]"))
	for _, load := range []string{"{preset: soak, rate: 5/s}", "{preset: stress, slo: {ttft/p95: 1s}}", "{name: a, arrivals: {stages: {stages: [{rate: 5/s, for: 1s, ramp: 1s}]}}}",
		"{name: a, for: 1s, arrivals: {onoff: {rate: 5/s, on: 0s}}, session: {turns: {uniform: {min: 1, max: 3}}, think: 1s}}", "{name: a, arrivals: {ladder: {factor: 1.0000001}}}",
		"{name: a, arrivals: {trace: {files: [x], to: 1s, timeScale: 1e-9}}, mix: [{class: x, weight: 1e309}]}", "{name: a, for: 1s, closed: {n: 3}, prefix: {tokens: 4}, output: 7}"} {
		f.Add([]byte(head + "load: [" + load + "]\n"))
	}
	f.Add([]byte("load: [{name: a, for: 1s, arrivals: {poisson: {rate: 1e400/s}}}]"))
	for _, chaos := range []string{"{serial: [{fault: kill, repeat: {every: 24h, times: 1000}}, {parallel: []}]}", "{fault: kill, instances: 1e-9%, repeat: {rate: 1e300/s, within: 1ns}}"} {
		f.Add([]byte(head + load + "chaos: [" + chaos + "]\nlimits: {share: 1e-300}\nhypothesis: [{metric: rate, min: 1e-300/s}, {probe: {url: /%}}]\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p", data)
		if (p == nil) == (err == nil) {
			t.Fatalf("plan %v and error %v", p, err)
		}
		if p != nil {
			p.Validate(kinds)
			p.Estimate(nil, func(q, c float64) int { return 1 }, nil)
			p.Doubts(nil)
		}
	})
}

// TestK6 reads a phase that runs a script.
func TestK6(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: a\ntarget: {kind: sandbox}\nload:\n  - "
	p, err := Parse("plan.yaml", []byte(head+"{name: x, k6: chat.js, env: {A: b}, args: [--quiet]}\nobjectives: [{metric: ttft/p95, phase: x/steady, max: 1s}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := p.Load[0]
	if l.Role != assay.RoleSteady || l.For.D() != K6Longest || l.Env["A"] != "b" || !slices.Equal(l.Args, []string{"--quiet"}) || !math.IsNaN(l.expect()) {
		t.Errorf("%+v", l)
	}
	for text, want := range map[string]string{
		"{name: x, k6: s.js, closed: {n: 1}}":                                             "load[0]: has closed and k6; give one of them",
		"{name: x, k6: s.js, role: idle}":                                                 "load[0]: has role idle and load; leave one out",
		"{name: x, k6: s.js, class: gold}":                                                "load[0].class: does not go with k6, whose script says what is sent; leave one out",
		"{name: x, k6: s.js, args: [--env=A=b]}":                                          "load[0].args: --env: use env instead",
		"{name: x, k6: s.js, env: {A B: c}}":                                              `load[0].env: "A B" is no name of an environment variable; use letters, digits and underscores`,
		"{name: x, for: 1s, env: {A: b}}":                                                 "load[0]: has env or args without k6; they belong to a script",
		"{name: x, k6: s.js}\nobjectives: [{metric: ttft/p95, phase: y/steady, max: 1s}]": `objectives[0].phase: "y/steady" is no load phase; known here: x`,
	} {
		if _, err := Parse("plan.yaml", []byte(head+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestKeysInURLs: a key in the query of any URL of a plan is refused by its name, no error shows it, and a query without one is taken.
func TestKeysInURLs(t *testing.T) {
	const begin = "apiVersion: assay/v1\nname: t\ntarget: "
	places := map[string]string{
		"target.url":                begin + "{kind: http, url: 'URL'}\n" + load,
		"target.proxy":              begin + "{kind: http, url: 'http://h', proxy: 'URL'}\n" + load,
		"target.auth.oidc.tokenURL": begin + "{kind: http, url: 'http://h', auth: {oidc: {clientID: a, clientSecret: {env: A}, tokenURL: 'URL'}}}\n" + load,
		"collect.prometheus[0]":     head + load + "collect: {prometheus: [{url: 'URL'}]}\n",
	}
	const inQuery = " in the query of a URL may carry a credential, which no plan holds; "
	for url, want := range map[string]string{
		"http://h/api/f?code=hidden":                  `"code"` + inQuery,
		"http://h/?a=b&Key=hidden":                    `"Key"` + inQuery,
		"http://h/?api-key=hidden":                    `"api-key"` + inQuery,
		"http://h/?a;access_token=hidden":             `"access_token"` + inQuery,
		"http://h/?sv=1&sig=hidden":                   `"sig"` + inQuery,
		"http://h/?X-Amz-Security-Token=hidden":       `"X-Amz-Security-Token"` + inQuery,
		"http://h/?X%2DAmz-Credential=hidden":         `"X-Amz-Credential"` + inQuery,
		"ftp://me:hidden@h/?token=hidden":             `"…@h/?…" is not a URL`,
		"http:/h?mail=me@h&token=hidden":              `"…@h?…" is not a URL`,
		"http://me:hidden?hidden@h/":                  `"…@h/" is not a URL`,
		"https://h/predict?api-version=1&keys=2&top=": "",
	} {
		for at, text := range places {
			_, err := Parse("plan.yaml", []byte(strings.Replace(text, "URL'", url+"'", 1)))
			got := fmt.Sprint(err)
			if want != "" && !strings.Contains(got, at+": "+want) || want == "" && err != nil || strings.Contains(got, "hidden") {
				t.Errorf("%s %s\ngot  %v\nwant %s", at, url, err, want)
			}
		}
	}
}

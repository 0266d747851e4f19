package k6

import (
	"context"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/internal/store"
)

const chatScript = `
import { check } from 'k6';
import { Client } from 'k6/x/assay';
const chat = new Client({ url: '$URL', model: 'tiny', token: 'sesame-secret', class: 'gold', extra: { ignore_eos: true } });
export const options = {
  scenarios: {
    warm: { executor: 'per-vu-iterations', vus: 2, iterations: 3, tags: { assay_role: 'warmup' } },
    steady: { executor: 'assay-arrivals', rate: 60, duration: '2s', startTime: '1s', preAllocatedVUs: 30, gracefulStop: '5s', seed: 7 },
  },
  thresholds: { 'assay_ttft{scenario:steady}': ['p(95)<2000'], assay_failed: ['rate<0.5'], checks: ['rate==1'] },
};
export function setup() { chat.request('prompt-secret'); }
export default function () {
  const r = chat.request({ prompt: 'prompt-secret', promptTokens: 5, maxTokens: 8, tags: { color: 'blue' } });
  check(r, {
    ok: (r) => r.ok && !r.failed && r.outcome === 'ok' && r.status === 200 && r.error === '',
    ttft: (r) => r.ttft >= 20 && r.ttft < 2000,
    gaps: (r) => r.itl >= 0 && r.tpot === r.itl && r.maxGap >= r.itl && r.e2e > r.ttft,
    tokens: (r) => r.chunks === 8 && r.tokensIn === 7 && r.tokensOut === 8 && r.bytesIn > 100,
    trace: (r) => /^[0-9a-f]{32}$/.test(r.traceId),
  });
}`

// TestRun runs a script through k6 and takes what it recorded to the verdict.
func TestRun(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := &session{t: t, env: []string{EnvRun + "=00112233445566aa", EnvRelease + "=r7"}}
	o := s.run(chatScript, m.URL)
	o.want(t, 0)
	r := read(t, s.out)

	steady := int(o.summary["iterations"].Count) - 6
	if steady < 60 || steady > 180 {
		t.Fatalf("%d steady iterations of about 120", steady)
	}
	if diff := cmp.Diff(map[string]int{"setup ok": 1, "warm ok": 6, "steady ok": steady}, r.outcomes()); diff != "" {
		t.Errorf("requests by phase and outcome (-want +got):\n%s", diff)
	}
	if got := int(o.summary["assay_requests"].Count); got != len(r.requests) {
		t.Errorf("k6 counted %d requests, %d are recorded", got, len(r.requests))
	}
	ids := map[uint64]bool{}
	for i := range r.requests {
		q := &r.requests[i]
		ids[q.ID] = true
		if run := m.seen[q.TraceID.String()]; run != "00112233445566aa" {
			t.Fatalf("the server saw run id %q for trace %s", run, q.TraceID)
		}
		if q.NoSchedule != (q.Phase != "steady") || q.Class != "gold" || q.TokensOut != 8 || len(q.Arrivals) != 8 || q.Arrivals[0] != q.FirstToken {
			t.Fatalf("request %+v", q)
		}
		if q.Sent < q.Due || q.FirstToken-q.Sent < int64(m.first) || q.End < q.Arrivals[7] {
			t.Fatalf("instants out of order: %+v", q)
		}
	}
	if len(ids) != len(r.requests) {
		t.Errorf("%d ids for %d requests", len(ids), len(r.requests))
	}

	man := r.manifest
	if man.ID != "00112233445566aa" || man.Name != "script" || man.Seed != 7 || man.End.Status != assay.EndComplete || man.End.Unrecorded != nil || man.End.Usage == nil || man.End.Usage.CPU <= 0 {
		t.Errorf("manifest %+v", man)
	}
	if diff := cmp.Diff(assay.Target{Kind: "openai", Name: m.URL + ", model tiny", Model: "tiny", Release: "r7"}, man.Target); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	half, two, held := 0.5, 2.0, 1.0
	own := func(threshold string) assay.Objective {
		return assay.Objective{Metric: "k6/threshold", Labels: map[string]string{"threshold": threshold}, Min: &held, Unit: assay.Ratio}
	}
	if diff := cmp.Diff([]assay.Objective{
		own("assay_failed: rate<0.5"),
		{Metric: "error_ratio", Max: &half, Unit: assay.Ratio},
		own("assay_ttft{scenario:steady}: p(95)<2000"),
		{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Max: &two, Unit: assay.Seconds},
		own("checks: rate==1"),
	}, man.Objectives); diff != "" {
		t.Errorf("objectives (-want +got):\n%s", diff)
	}
	noSecrets(t, s.out, "sesame-secret", "prompt-secret")
	assess(t, s.out, r)
}

func assess(t *testing.T, dir string, r *recorded) {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	report, err := analyzers.Assess(context.Background(), run, analyzers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var phases []string
	for _, p := range report.Phases {
		phases = append(phases, p.Name+" "+string(p.Role))
		if p.Name == "steady" && (p.Rate != 60 || p.End-p.Begin != int64(2*time.Second)) {
			t.Errorf("phase %+v", p)
		}
	}
	if diff := cmp.Diff([]string{"setup warmup", "warm warmup", "steady steady"}, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	for _, j := range report.Objectives {
		if j.Objective.Metric == "ttft/p95" && (j.Quantity.N < 60 || j.Quantity.Value < 0.02 || j.Quantity.Value > 2) {
			t.Errorf("objective: %+v", j)
		}
	}
	if len(report.Objectives) != 5 {
		t.Errorf("objectives: %+v", report.Objectives)
	}
	for _, j := range report.Objectives {
		if j.Objective.Metric == "k6/threshold" && j.Quantity.Value != 1 {
			t.Errorf("k6's own verdict: %+v", j)
		}
	}
	if f := report.Find("validity/lateness/p99"); f == nil || !f.Quantity.Known() || f.Quantity.N != r.outcomes()["steady ok"] {
		t.Errorf("lateness: %+v", f)
	}
}

// noSecrets fails if a file below dir holds one of the words.
func noSecrets(t *testing.T, dir string, words ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for _, w := range words {
			if strings.Contains(string(b), w) {
				t.Errorf("%s holds %q", path, w)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// TestOutcomes has the server misbehave in each way.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := &session{t: t}
	o := s.run(`
import { check } from 'k6';
import { Client } from 'k6/x/assay';
const at = (path, more) => new Client(Object.assign({ url: '$URL' + path, deadline: 300 }, more));
const throttle = at('/throttle'), broken = at('/broken'), cut = at('/cut'), hang = at('/hang'), whole = at('/whole', { stream: false });
const gone = new Client({ url: 'http://127.0.0.1:1' });
const plain = at('/throttle', { kind: 'http', method: 'PUT', body: 'x' });
const old = at('/v1/completions');
export const options = { iterations: 1, thresholds: { checks: ['rate==1'], assay_failed: ['rate<0.5'] } };
export default function () {
  const q = { prompt: 'p', headers: { 'X-One': 'two' } };
  check(throttle.request(q), { throttled: (r) => r.outcome === 'throttled' && !r.ok && !r.failed && r.status === 429 && r.retryAfter === 7 });
  check(broken.request(q), { server_error: (r) => r.outcome === 'server_error' && r.failed && r.status === 500 });
  check(cut.request(q), { cut: (r) => r.outcome.startsWith('cut_') && r.failed && r.chunks === 5 && r.ttft > 0 });
  const h = hang.request(q);
  check(h, { timeout: (r) => r.outcome === 'timeout' && isNaN(r.ttft) && !(r.ttft < 500) && r.e2e >= 300 });
  check(gone.request(q), { refused: (r) => r.outcome === 'refused' && r.status === 0 });
  check(whole.request(q), { whole: (r) => r.ok && r.tokensOut === 1 && isNaN(r.ttft) });
  check(plain.request(q), { plain: (r) => r.outcome === 'throttled' });
  check(old.request(q), { completions: (r) => r.ok && r.tokensOut === 8 });
}`, m.URL)
	o.want(t, 99) // the threshold on assay_failed: 6 of 8
	if got := o.summary["checks"]; got.Passes != 8 || got.Fails != 0 {
		t.Errorf("checks: %+v\n%s", got, o.output)
	}
	// The summary calls the value 1 of a rate a pass.
	if got := o.summary["assay_failed"]; got.Passes != 6 || got.Fails != 2 {
		t.Errorf("assay_failed %+v, want 6 of 8: who is turned away was not served", got)
	}
	r := read(t, s.out)
	want := map[string]int{"default throttled": 2, "default server_error": 1, "default timeout": 1, "default refused": 1, "default ok": 2}
	got := r.outcomes()
	want["default cut_fin"], want["default cut_rst"] = got["default cut_fin"], got["default cut_rst"]
	if want["default cut_fin"]+want["default cut_rst"] != 1 {
		t.Errorf("cuts: %v", got)
	}
	for k, n := range want {
		if n == 0 {
			delete(want, k)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if r.manifest.End.Status != assay.EndComplete || r.manifest.MaxWait != int64(30*time.Second) {
		t.Errorf("manifest %+v", r.manifest)
	}
	crossed := 0
	for _, e := range r.events {
		if e.Attrs["k6.metric"] == "assay_failed" && e.Attrs["ok"] == "false" {
			crossed++
		}
	}
	if crossed != 1 {
		t.Errorf("%d events tell that the threshold was crossed: %+v", crossed, r.events)
	}
	one := 0
	for _, h := range m.headers {
		if h.Get("X-One") == "two" {
			one++
		}
	}
	if one != 7 {
		t.Errorf("%d requests came with the script's header, want 7", one)
	}
}

// TestNothingServed: a test in which nothing is served fails, whatever the reason, and does not hammer who refuses it.
func TestNothingServed(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("examples/chat.js")
	if err != nil {
		t.Fatal(err)
	}
	short := strings.NewReplacer("duration: '5s'", "duration: '1s'", "duration: '30s'", "duration: '1s'", "startTime: '6s'", "startTime: '1s'", "rate: 8", "rate: 30").Replace(string(script))
	for path, outcome := range map[string]string{"/gone": "client_error", "/denied": "credential"} {
		m := newModel(t)
		s := &session{t: t, env: []string{"URL=" + m.URL + path}}
		o := s.run(short, "")
		o.want(t, 99)
		for _, metric := range []string{"assay_failed", "assay_tokens_out{scenario:steady}", "checks"} {
			if !strings.Contains(o.output, metric) {
				t.Errorf("%s: k6 does not say that %s was crossed:\n%s", path, metric, o.output)
			}
		}
		if got := o.summary["assay_failed"]; got.Passes == 0 || got.Fails != 0 {
			t.Errorf("%s: assay_failed %+v, want all", path, got)
		}
		got := read(t, s.out).outcomes()
		if n := got["warmup "+outcome]; n < 2 || n > 4 {
			t.Errorf("%s: %d requests of two users in a second that is refused at once, want one or two of each: %v", path, n, got)
		}
	}
}

// TestDropped compares the refusals on record with what k6 itself counts, for its own executor and for ours.
func TestDropped(t *testing.T) {
	for _, executor := range []string{"'constant-arrival-rate'", "'assay-arrivals', process: 'even'"} {
		t.Run(strings.Trim(strings.Fields(executor)[0], "',"), func(t *testing.T) {
			t.Parallel()
			m := newModel(t)
			m.first = 400 * time.Millisecond
			s := &session{t: t}
			o := s.run(`
import { Client } from 'k6/x/assay';
const c = new Client({ url: '$URL' });
export const options = { scenarios: { flood: { executor: `+executor+`, rate: 40, duration: '2s', preAllocatedVUs: 2, maxVUs: 3, gracefulStop: '3s' } } };
export default function () { c.request('p'); }`, m.URL)
			o.want(t, 0)
			r := read(t, s.out)
			done, dropped := int(o.summary["iterations"].Count), int(o.summary["dropped_iterations"].Count)
			if dropped < 40 || done < 6 || done+dropped < 76 || done+dropped > 86 { // of k6's own executor the number is not exact
				t.Errorf("%d done and %d dropped of 80", done, dropped)
			}
			if diff := cmp.Diff(map[string]int{"flood ok": done, "flood refused_by_cap": dropped}, r.outcomes()); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnfinished ends scenarios and tests while requests are open: none of that is the target's doing.
func TestUnfinished(t *testing.T) {
	const script = `
import { Client } from 'k6/x/assay';
import exec from 'k6/execution';
const c = new Client({ url: '$URL/hang' });
export const options = { scenarios: { s: SCENARIO }, thresholds: { THRESHOLD } };
export default function () { if (__ITER >= ABORT) exec.test.abort('enough'); c.request('p'); }`
	for name, tt := range map[string]struct {
		scenario, threshold, abort string
		interrupted                bool // once so many are open
		exit                       int
		end                        string
		open                       int
	}{
		"graceful stop":          {scenario: "{ executor: 'constant-vus', vus: 3, duration: '3s', gracefulStop: '0s' }", end: assay.EndComplete, open: 3},
		"graceful stop, ours":    {scenario: "{ executor: 'assay-arrivals', process: 'even', rate: 5, duration: '1s', preAllocatedVUs: 10, gracefulStop: '2s' }", end: assay.EndComplete, open: 5},
		"interrupted":            {scenario: "{ executor: 'constant-vus', vus: 2, duration: '30s' }", interrupted: true, exit: 105, end: assay.EndInterrupted, open: 2},
		"interrupted, ours":      {scenario: "{ executor: 'assay-arrivals', process: 'even', rate: 1, duration: '30s', preAllocatedVUs: 9 }", interrupted: true, exit: 105, end: assay.EndInterrupted, open: 2},
		"aborted by script":      {scenario: "{ executor: 'constant-vus', vus: 1, duration: '30s' }", abort: "0", exit: 108, end: assay.EndAborted},
		"aborted by script, own": {scenario: "{ executor: 'assay-arrivals', rate: 20, duration: '30s', preAllocatedVUs: 9 }", abort: "0", exit: 108, end: assay.EndAborted},
		"aborted by threshold": {scenario: "{ executor: 'constant-vus', vus: 1, duration: '30s' }", threshold: "vus: [{ threshold: 'value<1', abortOnFail: true }]",
			exit: 99, end: assay.EndAborted, open: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newModel(t)
			if tt.abort == "" {
				tt.abort = "1e9"
			}
			s := &session{t: t}
			if tt.interrupted {
				s.signal = func(p *os.Process) { m.interruptAt(tt.open, p) }
			}
			o := s.run(strings.NewReplacer("SCENARIO", tt.scenario, "THRESHOLD", tt.threshold, "ABORT", tt.abort).Replace(script), m.URL)
			o.want(t, tt.exit)
			r := read(t, s.out)
			if r.manifest.End.Status != tt.end {
				t.Errorf("the run ended %q, want %q", r.manifest.End.Status, tt.end)
			}
			want := map[string]int{}
			if tt.open > 0 {
				want["s unfinished"] = tt.open
			}
			if diff := cmp.Diff(want, r.outcomes()); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// interruptAt is a person's Ctrl-C, when the model has seen n requests.
func (m *model) interruptAt(n int, p *os.Process) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m.mu.Lock()
		seen := len(m.headers)
		m.mu.Unlock()
		if seen >= n {
			break
		}
	}
	_ = p.Signal(syscall.SIGINT)
}

// TestPlainScript records a script that knows nothing of the module.
func TestPlainScript(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := &session{t: t}
	s.run(`
import http from 'k6/http';
export const options = { vus: 2, iterations: 10 };
export default function () {
  http.post('$URL/');
  http.get('$URL/throttle');
  http.get('$URL/broken');
  http.get('http://127.0.0.1:1/');
  http.get('$URL/hang', { timeout: 100 });
}`, m.URL).want(t, 0)
	r := read(t, s.out)
	if diff := cmp.Diff(map[string]int{"default ok": 10, "default throttled": 10, "default server_error": 10, "default refused": 10, "default timeout": 10}, r.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for i := range r.requests {
		q := &r.requests[i]
		if q.Outcome == assay.OK && (!q.NoSchedule || q.Status != 200 || q.FirstToken != 0 || q.FirstByte < q.Sent || q.End-q.Sent < int64(m.first)) {
			t.Fatalf("request %+v", q)
		}
	}
	if r.manifest.Target.Kind != "http" {
		t.Errorf("target %+v", r.manifest.Target)
	}
}

// TestSegments splits one schedule among processes: together they send each request of it once.
func TestSegments(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	const script = `
import { Client } from 'k6/x/assay';
const c = new Client({ url: '$URL' });
export const options = { scenarios: { s: { executor: 'assay-arrivals', rate: 40, duration: '2s', preAllocatedVUs: 30, seed: 3 } } };
export default function () { c.request('p'); }`
	offsets := func(args ...string) []int64 {
		s := &session{t: t, args: args}
		s.run(script, m.URL).want(t, 0)
		r := read(t, s.out)
		begin := r.begin()
		var out []int64
		for i := range r.requests {
			out = append(out, r.requests[i].Due-begin)
		}
		return out
	}
	whole := offsets()
	first := offsets("--execution-segment", "0:1/2", "--execution-segment-sequence", "0,1/2,1")
	second := offsets("--execution-segment", "1/2:1", "--execution-segment-sequence", "0,1/2,1")
	if len(whole) < 40 || len(first)+len(second) != len(whole) || math.Abs(float64(len(first)-len(second))) > 1 {
		t.Fatalf("%d requests in one process, %d and %d in two", len(whole), len(first), len(second))
	}
	for i, at := range whole {
		half := first
		if i%2 == 1 {
			half = second
		}
		if d := half[i/2] - at; d != 0 {
			t.Fatalf("request %d is due at %d in one process and at %d in two", i, at, half[i/2])
		}
	}
}

// TestTrace replays a recorded workload: the script is told what each row says, and each iteration is due when it came.
func TestTrace(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := &session{t: t}
	s.run(`
import { check } from 'k6';
import { Client, planned } from 'k6/x/assay';
const c = new Client({ url: '$URL' });
export const options = { scenarios: { s: { executor: 'assay-arrivals', process: 'trace', trace: { files: ['`+write(t, "trace.jsonl", mooncake)+`'] }, preAllocatedVUs: 9 } },
  thresholds: { checks: ['rate==1'] } };
const answers = { 30: 5, 20: 6, 10: 7, 40: 8 };
export default function () {
  const p = planned();
  const words = p.prompt().split(' ');
  check(p, { row: (p) => p.maxTokens === answers[p.promptTokens] && words.length === p.promptTokens && p.class === '' && p.session === '' });
  c.request({ prompt: p.prompt(), promptTokens: p.promptTokens, maxTokens: p.maxTokens, class: words[0] });
}`, m.URL).want(t, 0)
	r := read(t, s.out)
	begin := r.begin()
	type row struct {
		at    time.Duration
		in    int32
		asked int32
	}
	var got []row
	for _, q := range r.requests {
		got = append(got, row{time.Duration(q.Due - begin), q.TokensIn, q.TokensAsked})
	}
	want := []row{{0, 7, 5}, {100 * time.Millisecond, 7, 6}, {400 * time.Millisecond, 7, 7}, {2 * time.Second, 7, 8}} // the server says 7 in
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := r.requests; c[0].Class != c[1].Class || c[1].Class == c[2].Class {
		t.Errorf("prompts with one prefix block begin with %q and %q, one with another with %q", c[0].Class, c[1].Class, c[2].Class)
	}
}

// TestClients has a client of each kind be made, and settings that are more than text change what is sent and how it is judged.
func TestClients(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := &session{t: t, env: []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=sesame-secret", "AWS_REGION=eu-north-1", "AWS_EC2_METADATA_DISABLED=true"}}
	s.run(`
import { check } from 'k6';
import { Client, kinds } from 'k6/x/assay';
for (const kind of kinds) new Client({ url: 'http://127.0.0.1:1', kind: kind, model: 'm' });
const picky = (expect) => new Client({ url: '$URL', expect: expect });
const good = picky({ contains: 'hi', minTokens: 8 }), bad = picky({ contains: 'bye' });
const classed = new Client({ url: '$URL', classHeader: 'X-Tenant', class: 'gold' });
const bodies = new Client({ url: '$URL/whole', kind: 'http', method: 'POST', payloads: ['one', { body: 'two', type: 'text/plain' }] });
const signed = new Client({ url: '$URL/endpoints/e/invocations', kind: 'sagemaker', aws: true, stream: false });
const service = new Client({ url: '$URL/whole', kind: 'http', aws: { service: 'execute-api', region: 'us-east-2' } });
export const options = { iterations: 1, thresholds: { checks: ['rate==1'] } };
export default function () {
  const q = (name) => ({ prompt: 'p', maxTokens: 8, headers: { 'X-Which': name } });
  check(good.request(q('good')), { good: (r) => r.ok });
  check(bad.request(q('bad')), { bad: (r) => r.outcome === 'wrong_content' && r.failed });
  classed.request(q('classed'));
  bodies.request(q('one')); bodies.request(q('two'));
  signed.request(q('signed')); service.request(q('service'));
  check(kinds, { kinds: (k) => k.includes('openinference') && k.includes('lambda') && k.length >= 12 });
}`, m.URL).want(t, 0)
	got := map[string]string{}
	for _, h := range m.headers {
		auth, _, _ := strings.Cut(h.Get("Authorization"), ", Signature=")
		if _, scope, ok := strings.Cut(auth, "Credential=AKIDEXAMPLE/"); ok {
			auth = strings.SplitN(scope, "/", 2)[1]
			auth, _, _ = strings.Cut(auth, ",")
		}
		got[h.Get("X-Which")] = h.Get("X-Tenant") + " " + auth
	}
	want := map[string]string{"good": " ", "bad": " ", "classed": "gold ", "one": " ", "two": " ", "signed": " eu-north-1/sagemaker/aws4_request", "service": " us-east-2/execute-api/aws4_request"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("class and signature by request (-want +got):\n%s", diff)
	}
	if m.bodies["one"]+m.bodies["two"] != 2 {
		t.Errorf("bodies %v, want one and two", m.bodies)
	}
	noSecrets(t, s.out, "sesame-secret")
}

// TestEnvironment lets the environment name the target. Its token goes to no other.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := &session{t: t, env: []string{EnvURL + "=" + m.URL, EnvKind + "=openai", EnvModel + "=tiny", EnvToken + "=sesame-secret"}}
	s.run(`
import { Client } from 'k6/x/assay';
const here = new Client(), there = new Client({ url: '$URL/v1/completions' });
export const options = { iterations: 1 };
export default function () { here.request({ prompt: 'p', headers: { 'X-Which': 'here' } }); there.request({ prompt: 'p', headers: { 'X-Which': 'there' } }); }`, m.URL).want(t, 0)
	got := map[string]string{}
	for _, h := range m.headers {
		got[h.Get("X-Which")] = h.Get("Authorization")
	}
	if diff := cmp.Diff(map[string]string{"here": "Bearer sesame-secret", "there": ""}, got); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	if r := read(t, s.out); r.manifest.Target.Model != "tiny" && r.manifest.Target.Name != m.URL+", model tiny, and 1 more" {
		t.Errorf("target %+v", r.manifest.Target)
	}
	noSecrets(t, s.out, "sesame-secret")
}

// TestRefusals has everything refused that a run should not begin with.
func TestRefusals(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thing"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	client := func(settings string) string {
		return "import { Client } from 'k6/x/assay'; new Client(" + settings + "); export default function () {}"
	}
	inside := func(code string) string {
		return "import { Client } from 'k6/x/assay'; const c = new Client({ url: 'http://127.0.0.1:1' }); export const options = { iterations: 1, thresholds: { iterations: ['count>1'] } }; export default function () { " + code + " }"
	}
	scenario := func(settings string) string {
		return "export const options = { scenarios: { s: " + settings + " } }; export default function () {}"
	}
	for name, tt := range map[string]struct {
		script, out, text string
		exit              int
	}{
		"no directory":        {script: client("{ url: 'http://h' }"), out: " ", text: "want a directory for the run", exit: 255},
		"directory in use":    {script: client("{ url: 'http://h' }"), out: full, text: "it holds thing: name one that does not exist yet", exit: 255},
		"no reader":           {script: client("{ url: 'http://h' }"), out: "unix:/nowhere/s", text: "connect to the reader of the run", exit: 255},
		"no settings":         {script: client(""), text: "Client: url is missing", exit: 107},
		"settings no object":  {script: client("'http://h'"), text: "Client: want an object, not http://h", exit: 107},
		"unknown setting":     {script: client("{ url: 'http://h', modle: 'm' }"), text: `Client: \"modle\" is unknown; want one of aws, class, classHeader,`, exit: 107},
		"other kind's":        {script: client("{ url: 'http://h', kind: 'http', completions: true }"), text: `\"completions\" is unknown`, exit: 107},
		"unknown kind":        {script: client("{ url: 'http://h', kind: 'soap' }"), text: `kind \"soap\" is unknown; want one of openai,`, exit: 107},
		"bad URL":             {script: client("{ url: 'ftp://h' }"), text: "want http:// or https://", exit: 107},
		"password in the URL": {script: client("{ url: 'http://u:pass-secret@h' }"), text: "credentials do not belong into a URL", exit: 107},
		"bad header":          {script: client("{ url: 'http://h', headers: { 'A': 'x\\r\\nB: y' } }"), text: "headers.A: not shown: want a valid HTTP header", exit: 107},
		"bad deadline":        {script: client("{ url: 'http://h', deadline: 'soon' }"), text: "deadline: soon: want a duration", exit: 107},
		"bad type":            {script: client("{ url: 'http://h', stream: 'yes' }"), text: "stream: yes: want true or false", exit: 107},
		"foreign service":     {script: client("{ url: 'http://h', aws: true }"), text: "aws: service is missing: kind openai has none of its own", exit: 107},
		"token and aws":       {script: client("{ url: 'http://h', kind: 'lambda', aws: true, token: 't' }"), text: "token and aws: want one of them", exit: 107},
		"bad aws":             {script: client("{ url: 'http://h', kind: 'lambda', aws: { regoin: 'x' } }"), text: `aws: \"regoin\" is unknown; want one of profile, region, service`, exit: 107},
		"bad expect":          {script: client("{ url: 'http://h', expect: { regexp: '(' } }"), text: "expect.regexp: error parsing regexp", exit: 107},
		"bad payloads":        {script: client("{ url: 'http://h', kind: 'http', payloads: [1] }"), text: "want an array of strings, ArrayBuffers, or objects with body and type", exit: 107},
		"bad extra":           {script: client("{ url: 'http://h', extra: [1] }"), text: "extra: [1]: want an object", exit: 107},
		"early request":       {script: "import { Client } from 'k6/x/assay'; new Client({ url: 'http://h' }).request('p'); export default function () {}", text: "not in the init context", exit: 107},
		"late client":         {script: inside("new Client({ url: 'http://h' });"), text: "make it in the init context", exit: 99},
		"unknown option":      {script: inside("c.request({ promt: 'p' });"), text: `request: \"promt\" is unknown; want one of class, deadline,`, exit: 99},
		"bad count":           {script: inside("c.request({ maxTokens: 1.5 });"), text: "maxTokens: 1.5: want a whole number", exit: 99},
		"unknown role":        {script: scenario("{ executor: 'constant-vus', duration: '1s', tags: { assay_role: 'main' } }"), text: `tag assay_role: \"main\": want warmup, steady, stress or idle`, exit: 255},
		"unknown process":     {script: scenario("{ executor: 'assay-arrivals', process: 'pareto', rate: 1, duration: '1s', preAllocatedVUs: 1 }"), text: `process \"pareto\" is unknown; want one of`, exit: 104},
		"no rate":             {script: scenario("{ executor: 'assay-arrivals', duration: '1s', preAllocatedVUs: 1 }"), text: "rate 0: want more than 0", exit: 104},
		"no users":            {script: scenario("{ executor: 'assay-arrivals', rate: 1, duration: '1s' }"), text: "preAllocatedVUs 0: want at least 1", exit: 104},
		"too few users":       {script: scenario("{ executor: 'assay-arrivals', rate: 1, duration: '1s', preAllocatedVUs: 5, maxVUs: 2 }"), text: "maxVUs 2: want at least preAllocatedVUs, 5", exit: 104},
		"short":               {script: scenario("{ executor: 'assay-arrivals', rate: 1, preAllocatedVUs: 5 }"), text: "duration 0s: want at least 1s", exit: 104},
		"unknown key":         {script: scenario("{ executor: 'assay-arrivals', rte: 1 }"), text: "rte", exit: 104},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &session{t: t, out: tt.out}
			o := s.run(tt.script, "")
			o.want(t, tt.exit)
			if !strings.Contains(o.output, tt.text) && !strings.Contains(o.output, strings.ReplaceAll(tt.text, `\"`, `"`)) {
				t.Errorf("want %q in:\n%s", tt.text, o.output)
			}
			if strings.Contains(o.output, "pass-secret") {
				t.Errorf("a password is shown:\n%s", o.output)
			}
		})
	}
}

// TestCommand holds that the command is k6, with our extensions named in its version.
func TestCommand(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "version")
	c.Env = append(os.Environ(), asK6+"=1", "HOME="+t.TempDir())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"v2.2.0", "k6/x/assay [js]", "assay [output]"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("want %q in %s", want, out)
		}
	}
}

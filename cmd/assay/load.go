package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// loadOptions are the flags of load.
type loadOptions struct {
	runOptions
	out         string
	preset      string
	rate        string
	length      time.Duration
	arrivals    string
	concurrency int
	prompt      int
	answer      int
	method      string
	body        string
	headers     []string
	deadline    time.Duration
	inFlight    int
	maxRequests int
}

func loadCommand(io stdio) *cobra.Command {
	var o loadOptions
	cmd := &cobra.Command{
		Use:   "load --url URL",
		Short: "Put load on an endpoint and report, without a plan file",
		Long: "Runs one of five kinds of test on the endpoint at --url, without faults: load (the default), stress, concurrency, latency or soak; assay list preset says what each answers and how long it takes.\n\n" +
			"The path of the URL says which client speaks to it, unless --kind does: /v1/chat/completions is asked as an OpenAI endpoint, /v1/models/NAME:predict as a KServe one, and so on; any other path gets a plain GET.\n\n" +
			"One small request is sent first: an endpoint that refuses it, for its model, its path or its credential, ends the run with exit status 3 before any load. Without --slo nothing is asked of the numbers, and the exit status is 0; a report of a run whose pace was not the planned one says INVALID all the same. With it, 12 says that the run could not measure, 10 that the endpoint misses a goal and 11 that the sample cannot decide one.",
		Example: "  assay load --url http://localhost:8080/ --rate 200/s --for 30s\n" +
			"  assay load --url http://localhost:8000/v1/chat/completions --model m --preset stress --slo ttft/p95=500ms\n" +
			"  assay load --url http://localhost:8000/v1/chat/completions --model m --concurrency 16 --out results/c16",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.session(io)
			if err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "the endpoint")
	f.StringVar(&o.host, "host", "", hostHelp)
	f.StringVar(&o.kind, "kind", "", "client that speaks to it; assay list client names them. Default: as the URL's path says, else http")
	f.StringVar(&o.preset, "preset", "", "kind of test: load, stress, concurrency, latency or soak. Default load, or concurrency where --concurrency is given")
	f.StringVar(&o.rate, "rate", "", "requests per second, for example 200/s; for stress that of the first step. Default: the preset's")
	f.DurationVar(&o.length, "for", 0, "how long, a short warm-up before it apart. Default: as long as the preset needs for its figures")
	f.StringVar(&o.arrivals, "arrivals", "", "arrival process in place of the preset's: a name, which takes --rate, or YAML such as '{gamma: {rate: 5/s, cv: 3}}' or '{trace: trace.csv}'")
	f.IntVar(&o.concurrency, "concurrency", 0, "requests in flight of a closed loop, instead of a rate")
	f.IntVar(&o.prompt, "prompt-tokens", 64, "length of prompts, for clients that send one")
	f.IntVar(&o.answer, "output-tokens", 32, "length of answers asked for")
	f.StringArrayVar(&o.slo, "slo", nil, "what must hold, for example ttft/p95=2s or error_ratio=1%; for stress what breaks at the limit; repeatable")
	f.StringVar(&o.model, "model", "", "model to ask for")
	f.StringVar(&o.method, "method", "", "for kind http. Default GET, or POST with --body")
	f.StringVar(&o.body, "body", "", "for kind http: body of each request; or @FILE, also for kinds that send images and tensors")
	f.StringArrayVar(&o.headers, "header", nil, "header sent with each request, for example 'X-Team: a'; no secrets; Host is --host; repeatable")
	f.StringVar(&o.tokenEnv, "token-env", "", "environment variable that holds the bearer token")
	f.DurationVar(&o.deadline, "deadline", 20*time.Second, "longest wait for one answer")
	f.IntVar(&o.inFlight, "cap", 0, "most requests in flight; what is over it is refused by us and counted as ours. Default: what --rate makes within the deadline, 256 to 4096")
	f.IntVar(&o.maxRequests, "max-requests", 1_000_000, "hard stop after so many requests")
	f.Uint64Var(&o.seed, "seed", 0, "seed of all randomness; the same seed gives the same schedule. Default 1")
	f.StringVar(&o.dir, "dir", "runs", "directory that the run's directory is made in")
	f.StringVar(&o.out, "out", "", "the run's directory itself, which must not be there yet, instead of a new one in --dir")
	f.StringVarP(&o.output, "output", "o", "text", "what goes to standard output: text, markdown or json")
	f.StringVar(&o.ui, "ui", "auto", "progress on standard error: auto, tui, plain, json or none")
	o.metrics.flags(cmd)
	return cmd
}

// session returns the run that the flags ask for.
func (o *loadOptions) session(io stdio) (*session, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if _, err := o.metrics.token(); err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	p, err := o.plan()
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	s := &session{io: io, opt: o.runOptions, hurry: make(chan struct{}), stops: make(chan string, 1), plan: p}
	if s.objectives, err = p.Validate(kinds()); err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	if s.phases, err = phases(p); err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	sched, err := loadgen.NewSchedule(s.phases, p.Seed)
	if err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	if fixed, _ := sched.Requests(); fixed > o.maxRequests {
		return nil, exit(assay.ExitUsage, "this is %d requests, and --max-requests %d; lower --rate or --for, or raise it", fixed, o.maxRequests)
	}
	s.dir = newRunDir(o.dir, p.Name, time.Now())
	if o.out != "" {
		s.dir = o.out
		if _, err := os.Lstat(o.out); err == nil {
			return nil, exit(assay.ExitUsage, "--out %s is there already; name a new directory", o.out)
		}
	}
	o.announce(io.err, s, sched)
	return s, nil
}

// check refuses flags that make no sense.
func (o *loadOptions) check() error {
	switch {
	case o.url == "":
		return exit(assay.ExitUsage, "--url: name the endpoint, for example --url http://localhost:8080/")
	case !slices.Contains([]string{"text", "markdown", "json"}, o.output):
		return exit(assay.ExitUsage, "--output %q is unknown; text, markdown or json", o.output)
	case !slices.Contains(uis, o.ui):
		return exit(assay.ExitUsage, "--ui %q is unknown; one of %s", o.ui, strings.Join(uis, ", "))
	case o.length < 0:
		return exit(assay.ExitUsage, "--for %v is negative; write for example 30s", o.length)
	case o.maxRequests < 1:
		return exit(assay.ExitUsage, "--max-requests %d is out of range; 1 or more", o.maxRequests)
	case o.prompt < 1 || o.answer < 1:
		return exit(assay.ExitUsage, "--prompt-tokens and --output-tokens are 1 or more")
	}
	if o.preset == "" {
		if o.preset = "load"; o.concurrency > 0 {
			o.preset = "concurrency"
		}
	}
	if _, ok := plan.PresetNamed(o.preset); !ok {
		var names []string
		for _, k := range plan.Presets {
			names = append(names, k.Name)
		}
		return exit(assay.ExitUsage, "--preset %q is unknown; one of %s", o.preset, strings.Join(names, ", "))
	}
	if o.kind == "" {
		o.kind = loadgen.KindOf(o.url)
	}
	return nil
}

// plan writes the flags as a plan.
func (o *loadOptions) plan() (*plan.Plan, error) {
	l := plan.Load{Preset: o.preset, For: plan.Duration(o.length), N: o.concurrency, Prompt: plan.Lengths{Tokens: o.prompt}, Output: plan.Lengths{Tokens: o.answer}}
	var err error
	if o.rate != "" {
		if err = l.Rate.UnmarshalText([]byte(o.rate)); err != nil {
			return nil, fmt.Errorf("--rate: %w", err)
		}
		if l.Rate == 0 {
			return nil, fmt.Errorf("--rate: %q sends nothing; write for example 8/s", o.rate)
		}
	}
	rate := float64(l.Rate)
	if k, _ := plan.PresetNamed(o.preset); rate == 0 {
		rate = float64(k.Rate)
	}
	if o.arrivals != "" {
		if l.Arrivals, err = plan.ParseArrivals(o.arrivals, plan.Rate(rate)); err != nil {
			return nil, fmt.Errorf("--arrivals: %w", err)
		}
		if strings.HasPrefix(strings.TrimSpace(o.arrivals), "{") && o.rate != "" {
			return nil, fmt.Errorf("--rate stands beside --arrivals %s, which has its own; leave one out", o.arrivals)
		}
		l.Rate = 0
	}
	for _, text := range o.slo {
		metric, bound, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--slo %q: write metric=bound, for example ttft/p95=2s", text)
		}
		var v plan.Value
		if err := v.UnmarshalText([]byte(bound)); err != nil {
			return nil, fmt.Errorf("--slo %s: %w", metric, err)
		}
		if l.SLO == nil {
			l.SLO = map[string]plan.Value{}
		}
		l.SLO[metric] = v
	}
	t, err := o.target(rate)
	if err != nil {
		return nil, err
	}
	p, err := plan.New(plan.Plan{APIVersion: plan.APIVersion, Name: o.preset, Seed: o.seed, Target: t, Load: []plan.Load{l}, Budget: plan.Budget{Requests: o.maxRequests}})
	if err != nil {
		return nil, err
	}
	return p, tryClient(p)
}

// target is the endpoint as a plan names it; rate is what it will get.
func (o *loadOptions) target(rate float64) (plan.Target, error) {
	t := plan.Target{Kind: o.kind, URL: o.url, Host: o.host, Model: o.model, Auth: plan.Credential{Env: o.tokenEnv}, Method: o.method, Body: o.body, Deadline: plan.Duration(o.deadline), Cap: o.inFlight}
	if path, ok := strings.CutPrefix(o.body, "@"); ok {
		t.Body, t.Payloads = "", &plan.Payloads{Files: []string{path}}
	}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return t, fmt.Errorf("--header %q: write 'Name: value'", h)
		}
		if value = strings.TrimSpace(value); strings.EqualFold(strings.TrimSpace(name), "Host") {
			if t.Host != "" && t.Host != value {
				return t, fmt.Errorf("--header 'Host: %s' stands beside %s; give one", value, t.Host)
			}
			t.Host = value
			continue
		}
		if t.Headers == nil {
			t.Headers = map[string]string{}
		}
		t.Headers[strings.TrimSpace(name)] = value
	}
	if t.Cap == 0 {
		t.Cap = max(o.concurrency, int(math.Min(math.Max(256, rate*o.deadline.Seconds()), 4096)))
	}
	return t, nil
}

// announce says what will be done and whether it is long enough for its figures.
func (o *loadOptions) announce(w io.Writer, s *session, sched *loadgen.Schedule) {
	k, _ := plan.PresetNamed(o.preset)
	fixed, more := sched.Requests()
	n := fmt.Sprintf("%d requests", fixed)
	if more != 0 {
		n = fmt.Sprintf("at most %d requests", o.maxRequests)
	}
	fmt.Fprintf(w, "%s: %s\n", k.Name, k.Answers)
	fmt.Fprintf(w, "  %s: %s in %v to %s as %s, schedule %.16s\n", k.Phases, n, sched.Duration().Round(10*time.Millisecond), urlOf(&s.plan.Target), o.kind, sched.Hash())
	main := plan.Load{}
	for _, l := range s.plan.Load {
		if l.Name == o.preset {
			main.Arrivals = l.Arrivals
		}
	}
	need, why := k.Takes(main)
	if o.length > 0 && o.length < need && o.preset != "stress" && o.preset != "concurrency" {
		fmt.Fprintf(w, "  shorter than the %v that it needs: %s\n", need, why)
	}
}

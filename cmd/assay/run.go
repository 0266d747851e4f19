package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/live"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// fullSize is the size of a suite that leaves nothing out.
const fullSize = "full"

// uis are the ways to show progress.
var uis = []string{"auto", string(live.Terminal), string(live.Plain), string(live.JSON), string(live.None)}

// runOptions are the flags of run.
type runOptions struct {
	dir      string // parent of run directories
	output   string
	ui       string
	metrics  metricsOptions
	dryRun   bool   // say what would be sent
	truth    string // directory of the sandbox's truth log
	seed     uint64
	url      string
	host     string // that requests to url ask for
	kind     string
	model    string
	slo      []string
	tokenEnv string
	k6       string     // path of assay-k6
	suite    string     // name of a standard suite
	size     string     // of it
	plan     *plan.Plan // made by another command, instead of a file
	gameday  bool       // ask before each fault
	yes      bool       // and answer yes
}

func runCommand(io stdio) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [PLAN]",
		Short: "Run a plan and report; without one, the built-in plan on the embedded sandbox",
		Long: "Runs PLAN: load and faults on one clock, everything recorded, then the report. Without PLAN it runs the built-in pre-release plan on the embedded sandbox. " +
			"With --url it drives a gentle ramp at your endpoint, without faults: at most 300 requests, or as many as the goals need, up to 1500.\n\n" +
			"Ctrl-C stops the load, reverts all faults and still writes the report; a second Ctrl-C does so as fast as is safe.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := newSession(io, o, args)
			if err != nil {
				return err
			}
			if o.dryRun {
				return s.dryRun()
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "runs", "directory that run directories are made in")
	f.StringVarP(&o.output, "output", "o", "text", "what goes to standard output: text, markdown or json")
	f.StringVar(&o.ui, "ui", "auto", "progress on standard error: auto, tui, plain, json or none")
	o.metrics.flags(cmd)
	f.StringVar(&o.truth, "truth", "", "let the sandbox write what really happened into this directory, to score the analyzers against")
	f.Uint64Var(&o.seed, "seed", 0, "seed of all randomness, instead of the plan's")
	f.StringVar(&o.url, "url", "", "assess this endpoint with a gentle ramp instead of running a plan")
	f.StringVar(&o.host, "host", "", "with --url: "+hostHelp)
	f.BoolVar(&o.dryRun, "dry-run", false, "with --url: say at most what would be sent, and send nothing")
	f.StringVar(&o.kind, "kind", "openai", "kind of the endpoint at --url; assay list client names them")
	f.StringVar(&o.model, "model", "", "model to ask the endpoint at --url for")
	f.StringArrayVar(&o.slo, "slo", nil, "with --url: "+sloHelp)
	f.StringVar(&o.tokenEnv, "token-env", "", "environment variable that holds the bearer token for --url")
	f.StringVar(&o.suite, "suite", "", "without PLAN: run this standard suite on the sandbox; assay list suite describes it")
	f.StringVar(&o.size, "size", fullSize, "with --suite: quick or full")
	f.BoolVar(&o.gameday, "gameday", false, "ask on the terminal before each fault, and take notes, as mode: gameday in a plan does")
	f.BoolVarP(&o.yes, "yes", "y", false, "on a game day: nobody is asked, every fault is injected")
	f.StringVar(&o.k6, "k6-binary", "", "assay-k6, for a plan with k6 scripts; otherwise $ASSAY_K6, or found on PATH or beside assay")
	return cmd
}

// newSession reads the plan that the flags name.
func newSession(io stdio, o runOptions, args []string) (*session, error) {
	switch o.output {
	case "text", "markdown", "json":
	default:
		return nil, exit(assay.ExitUsage, "--output %q is unknown; text, markdown or json", o.output)
	}
	if !slices.Contains(uis, o.ui) {
		return nil, exit(assay.ExitUsage, "--ui %q is unknown; one of %s", o.ui, strings.Join(uis, ", "))
	}
	if _, err := o.metrics.token(); err != nil {
		return nil, &status{assay.ExitUsage, err}
	}
	s := &session{io: io, opt: o, hurry: make(chan struct{}), stops: make(chan string, 1)}
	if o.url != "" {
		if len(args) > 0 {
			return nil, exit(assay.ExitUsage, "give a plan or --url, not both")
		}
		if err := s.gentle(); err != nil {
			return nil, err
		}
	} else {
		for name, given := range map[string]bool{"--slo": len(o.slo) > 0, "--host": o.host != "", "--model": o.model != "", "--token-env": o.tokenEnv != ""} {
			if given {
				return nil, exit(assay.ExitUsage, "%s goes with --url; a plan says it itself: objectives, target.model, target.auth", name)
			}
		}
		if o.suite == "" && o.size != "" && o.size != fullSize {
			return nil, exit(assay.ExitUsage, "--size goes with --suite; assay list suite names them")
		}
		if err := s.read(args); err != nil {
			return nil, err
		}
	}
	if o.seed != 0 {
		s.plan.Seed = o.seed
		if err := checkFaults(s.plan); err != nil { // another seed draws other strikes, or none
			return nil, &status{assay.ExitUsage, err}
		}
	}
	if s.phases == nil {
		var err error
		if s.phases, err = phases(s.plan); err != nil {
			return nil, &status{assay.ExitUsage, err}
		}
	}
	if o.gameday {
		s.plan.Mode = modeGameDay
	}
	if s.plan.Mode == modeGameDay && len(s.plan.Chaos) == 0 {
		return nil, exit(assay.ExitUsage, "a game day asks before each fault, and there is none to inject")
	}
	if o.yes && s.plan.Mode != modeGameDay {
		return nil, exit(assay.ExitUsage, "--yes goes with --gameday or mode: gameday; nobody is asked in any other run")
	}
	s.dir = newRunDir(o.dir, s.plan.Name, time.Now())
	return s, nil
}

// read reads the plan that the arguments name, or that of --suite.
func (s *session) read(args []string) (err error) {
	switch {
	case s.opt.plan != nil:
		s.plan, s.objectives, err = complete(s.opt.plan)
		return err
	case s.opt.suite == "":
		path := ""
		if len(args) == 1 {
			path = args[0]
		}
		s.plan, s.objectives, err = load(path)
		return err
	case len(args) > 0:
		return exit(assay.ExitUsage, "give a plan or --suite, not both; in a plan write suite: %s", s.opt.suite)
	}
	p, err := suitePlan(s.opt.suite, s.opt.size)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	s.plan, s.objectives, err = complete(p)
	return err
}

// gentle makes the plan of --url.
func (s *session) gentle() error {
	limits := map[string]float64{}
	kind := s.opt.kind
	objectives, err := objectivesOf(s.opt.slo)
	if err != nil {
		return err
	}
	for _, o := range objectives {
		if len(o.Labels) > 0 {
			return exit(assay.ExitUsage, "--slo %s: a ramp has one phase and one class; leave out the braces", o.Metric)
		}
		if o.Max == nil {
			return exit(assay.ExitUsage, "--slo %s: a ramp ends where an upper bound is passed; for example ttft/p95, e2e/p95 or error_ratio", o.Metric)
		}
		limits[o.Metric] = *o.Max
	}
	s.objectives = objectives
	p, err := gentle(s.opt.url, s.opt.host, kind, s.opt.model, s.opt.tokenEnv, limits)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	if err := tryClient(p); err != nil {
		return &status{assay.ExitUsage, err}
	}
	s.plan = p
	s.phases = loadgen.Ramp(limits, p.Budget.Requests, loadgen.Fixed(gentlePrompt), loadgen.Fixed(gentleAnswer))
	if _, err := loadgen.NewSchedule(s.phases, p.Seed); err != nil {
		return &status{assay.ExitUsage, fmt.Errorf("--slo: %w", err)}
	}
	return nil
}

// run executes the session and reports.
func (s *session) run(ctx context.Context) error {
	ctx, refuse := context.WithCancel(ctx)
	defer refuse()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		s.obey(signals, over, refuse)
	}()
	defer func() {
		signal.Stop(signals)
		close(over)
		<-listening
	}()
	s.holdPhases()
	s.soakPhases()
	if err := s.openGameDay(); err != nil {
		return err
	}
	defer s.day.close()
	if err := s.prepare(ctx); err != nil {
		if kept := new(status); ctx.Err() != nil && !(errors.As(err, &kept) && kept.code == assay.ExitFaultMayRemain) {
			return exit(assay.ExitInterrupted, "interrupted before the load began; nothing was left behind")
		}
		return err
	}
	err := s.drive(ctx)
	s.day.close() // the terminal is as it was before the report is printed
	if sealing := s.seal(err); sealing != nil {
		fmt.Fprintf(s.io.err, "assay: close the run: %v\n", sealing)
	}
	if err != nil {
		fmt.Fprintf(s.io.err, "assay: %v\n", err)
	}
	r, files, reporting := assess(context.WithoutCancel(ctx), s.dir, true, nil)
	more, unmet, writing := writeJournals(s.dir)
	files, reporting = append(files, more...), errors.Join(reporting, writing)
	if r != nil {
		reporting = errors.Join(reporting, printReport(s.io, r, s.opt.output, files))
	}
	code := assay.ExitGo
	switch {
	case s.faults != nil && len(s.faults.Remaining()) > 0, s.cold != "":
		code = assay.ExitFaultMayRemain
	case reporting != nil && s.status() == assay.EndDiskFull:
		code = assay.ExitInvalid
	case reporting != nil:
		code = assay.ExitError
	default:
		code = r.Exit
	}
	if unmet != "" && code == assay.ExitGo { // the experiment itself asked, and its answer does not hang on our load
		code, reporting = assay.ExitNoGo, errors.New(unmet)
	}
	s.lastNotice(r, code)
	if code == assay.ExitGo {
		return nil
	}
	return &status{code, reporting}
}

// status returns why the run ended early, as one of the End constants, or "".
func (s *session) status() string {
	if e := s.ending.Load(); e != nil {
		return e.status
	}
	return ""
}

// obey turns signals and stops into an orderly end: the first stops load and reverts faults, or refuses a run that has not begun; the second hurries. What is
// said comes after what is done, since the terminal may be stuck.
func (s *session) obey(signals <-chan os.Signal, over <-chan struct{}, refuse func()) {
	count := 0
	for {
		select {
		case <-over:
			return
		case why := <-s.stops:
			if !s.stopLoad(&ending{status: assay.EndInterrupted, reason: why}) {
				refuse()
			}
			fmt.Fprintf(s.io.err, "assay: %s: stopping the load and reverting faults\n", why)
		case sig := <-signals:
			switch count++; count {
			case 1:
				if !s.stopLoad(&ending{status: assay.EndInterrupted, reason: sig.String()}) {
					refuse()
				}
				fmt.Fprintf(s.io.err, "\nassay: %v: stopping the load and reverting faults; again to hurry\n", sig)
			case 2:
				close(s.hurry)
				fmt.Fprintf(s.io.err, "\nassay: %v: hurrying\n", sig)
			}
		}
	}
}

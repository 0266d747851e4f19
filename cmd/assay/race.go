package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/compare"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/loadgen"
)

// raceFile holds the settings of a race beside the runs of its two sides.
const raceFile = "race.json"

// Names of the two runs of a race.
var raceSides = [2]string{"base", "candidate"}

// Bounds of a race.
const (
	leastBlock    = 500 * time.Millisecond
	mostBlock     = 5 * time.Minute
	blockRequests = 20 // that a block holds where nobody says how long it is: p95 is not the largest then
)

// raceOptions are the flags of compare --live.
type raceOptions struct {
	loadOptions
	budget string
	block  time.Duration

	requests int
	most     time.Duration
}

// flags are those of --live.
func (o *raceOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.budget, "budget", "requests=4000,time=8m", "with --live: most requests to both sides together, and longest time")
	f.StringVar(&o.rate, "rate", "10/s", "with --live: requests per second within a block")
	f.DurationVar(&o.block, "block", 0, "with --live: length of a block. Default: as long as 20 requests take, 2s or more")
	f.StringVar(&o.kind, "kind", "", "with --live: client that speaks to the URLs; assay list client names them. Default: as the URL's path says, else http")
	f.StringVar(&o.model, "model", "", "with --live: model to ask for")
	f.IntVar(&o.prompt, "prompt-tokens", 64, "with --live: length of prompts, for clients that send one")
	f.IntVar(&o.answer, "output-tokens", 32, "with --live: length of answers asked for")
	f.StringVar(&o.method, "method", "", "with --live, for kind http. Default GET, or POST with --body")
	f.StringVar(&o.body, "body", "", "with --live, for kind http: body of each request; or @FILE")
	f.StringArrayVar(&o.headers, "header", nil, "with --live: header sent with each request, for example 'X-Team: a'; no secrets; repeatable")
	f.StringVar(&o.tokenEnv, "token-env", "", "with --live: environment variable that holds the bearer token")
	f.DurationVar(&o.deadline, "deadline", 20*time.Second, "with --live: longest wait for one answer")
	f.Uint64Var(&o.seed, "seed", 1, "with --live: seed of arrivals and of the order within pairs")
	f.StringVar(&o.dir, "dir", "runs", "with --live: directory that the directory of the race is made in")
}

// check reads the budget and refuses what makes no sense.
func (o *raceOptions) check(args []string) error {
	if len(args) != 2 {
		return exit(assay.ExitUsage, "--live takes two URLs: assay compare --live BASE-URL CANDIDATE-URL")
	}
	o.requests, o.most = 4000, 8*time.Minute
	for part := range strings.SplitSeq(o.budget, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "requests":
			_, err = fmt.Sscanf(value, "%d", &o.requests)
			if err != nil || fmt.Sprint(o.requests) != value || o.requests < 1 {
				return exit(assay.ExitUsage, "--budget requests=%s: a whole number of 1 or more", value)
			}
		case "time":
			if o.most, err = plan.ParseDuration(value); err != nil || o.most <= 0 {
				return exit(assay.ExitUsage, "--budget time=%s: a duration such as 5m", value)
			}
		default:
			return exit(assay.ExitUsage, "--budget %q: requests=NUMBER and time=DURATION, for example requests=4000,time=8m", part)
		}
	}
	if o.block != 0 && (o.block < leastBlock || o.block > mostBlock) {
		return exit(assay.ExitUsage, "--block %v is out of range; %v to %v", o.block, leastBlock, mostBlock)
	}
	return nil
}

// A race loads two targets in turns until it can tell whether one is worse, or the budget is spent.
type race struct {
	io    stdio
	dir   string
	judge *compare.Race
	sides [2]*raceSide
	rate  float64
	block time.Duration
	most  time.Duration
	left  int  // requests of the budget
	told  bool // that the generator is late
	begun time.Time
}

// race makes the race that the flags ask for.
func (o *raceOptions) race(io stdio, args []string, opts compare.Options) (*race, error) {
	for _, g := range opts.Gates {
		if err := compare.CheckRace(g); err != nil {
			return nil, exit(assay.ExitUsage, "--metric %v", err)
		}
	}
	var rate plan.Rate
	if err := rate.UnmarshalText([]byte(o.rate)); err != nil || rate <= 0 {
		return nil, exit(assay.ExitUsage, "--rate %q is not a rate; write for example 10/s", o.rate)
	}
	r := &race{io: io, rate: float64(rate), block: o.block, most: o.most, left: o.requests}
	if r.block == 0 {
		r.block = max(2*time.Second, time.Duration(math.Ceil(blockRequests/r.rate*10)/10*float64(time.Second)))
	}
	each := r.rate * r.block.Seconds()
	pairs := min(int(float64(o.requests)/(2*each)), int(o.most/(2*r.block))) - 1 // one pair warms up
	if pairs < 1 {
		return nil, exit(assay.ExitUsage, "--budget is spent before the first pair of blocks: a pair is about %.0f requests in %v, and one warms up; raise it, or lower --rate or --block", 2*each, 2*r.block)
	}
	seed := o.seed
	if seed == 0 {
		seed = 1
	}
	c := clock.New()
	for i, url := range args {
		p, err := o.side(url, seed, r.block, float64(rate))
		if err != nil {
			return nil, &status{assay.ExitUsage, fmt.Errorf("%s: %w", ask.Shown(url), err)}
		}
		ph, err := phases(p)
		if err != nil {
			return nil, &status{assay.ExitUsage, err}
		}
		r.sides[i] = &raceSide{name: raceSides[i], plan: p, phase: ph[0], clock: c}
	}
	r.judge = compare.NewRace(compare.RaceSettings{Seed: seed, Most: pairs, Block: int64(r.block), Rate: r.rate, Confidence: opts.Confidence, Gates: opts.Gates, Margins: opts.Margins})
	r.dir = newRunDir(o.dir, raceName, time.Now())
	return r, nil
}

// side is the plan of one side: one block of load.
func (o *raceOptions) side(url string, seed uint64, block time.Duration, rate float64) (*plan.Plan, error) {
	own := o.loadOptions
	own.url = url
	if own.kind == "" {
		own.kind = loadgen.KindOf(url)
	}
	t, err := own.target(rate)
	if err != nil {
		return nil, err
	}
	a, err := plan.ParseArrivals("poisson", plan.Rate(rate))
	if err != nil {
		return nil, err
	}
	p, err := plan.New(plan.Plan{APIVersion: plan.APIVersion, Name: raceName, Seed: seed, Target: t, Budget: plan.Budget{Requests: o.requests, For: plan.Duration(o.most)},
		Load: []plan.Load{{Name: raceName, Arrivals: a, For: plan.Duration(block), Prompt: plan.Lengths{Tokens: o.prompt}, Output: plan.Lengths{Tokens: o.answer}}}})
	if err != nil {
		return nil, err
	}
	if _, err := p.Validate(kinds()); err != nil {
		return nil, err
	}
	return p, tryClient(p)
}

// run races and prints what it came to, computed anew from what was recorded.
func (r *race) run(ctx context.Context, output string) error {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	s := &r.judge.Settings
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return &status{assay.ExitPreflight, fmt.Errorf("make the directory of the race: %w", err)}
	}
	fmt.Fprintf(r.io.err, "race of %s (base) and %s: blocks of %v at %g/s in turns, at most %d pairs, %d requests and %v; records in %s\n",
		r.sides[0].plan.Target.URL, r.sides[1].plan.Target.URL, r.block, r.rate, s.Most, r.left, r.most, r.dir)
	err := r.write()
	for i, side := range r.sides {
		if err == nil {
			err = side.open(ctx, filepath.Join(r.dir, raceSides[i]))
		}
	}
	if err == nil {
		err = r.drive(ctx)
	}
	end := assay.Ending{Status: assay.EndComplete, Reason: s.Stopped}
	switch {
	case err != nil:
		end.Status, end.Reason = assay.EndFailed, err.Error()
	case ctx.Err() != nil:
		end.Status, end.Reason = assay.EndInterrupted, "interrupted"
	}
	for _, side := range r.sides {
		err = errors.Join(err, side.close(end))
	}
	if err == nil {
		err = r.write()
	}
	if err != nil {
		var kept *status
		if errors.As(err, &kept) {
			return err
		}
		return &status{assay.ExitError, err}
	}
	interrupted := ctx.Err() != nil
	c, err := readRace(context.WithoutCancel(ctx), r.dir)
	if err != nil {
		return &status{assay.ExitError, err}
	}
	if err := printComparison(r.io, c, output); err != nil {
		return &status{assay.ExitError, err}
	}
	switch {
	case interrupted:
		return &status{code: assay.ExitInterrupted}
	case c.Exit != assay.ExitGo:
		return &status{code: c.Exit}
	}
	return nil
}

// drive loads the sides in turns until there is an answer or the budget is spent.
func (r *race) drive(ctx context.Context) error {
	s := &r.judge.Settings
	r.begun = time.Now()
	ctx, cancel := context.WithDeadline(ctx, r.begun.Add(r.most))
	defer cancel()
	for _, side := range r.sides {
		side.enter(raceWarmup, assay.RoleWarmup, r.rate/2)
	}
	warm, ok, err := r.pair(ctx, raceWarmup, 0)
	if err != nil {
		return err
	}
	for i, side := range r.sides {
		if why := unserved(warm[i]); ok && why != "" {
			return exit(assay.ExitPreflight, "%s served none of %d requests of the warm-up: %s", side.plan.Target.URL, len(warm[i]), why)
		}
	}
	for _, side := range r.sides {
		side.leave(raceWarmup, assay.RoleWarmup)
		side.enter(raceName, assay.RoleSteady, r.rate/2)
	}
	s.Stopped = "the budget was spent in the warm-up"
	for pair := 1; ok; pair++ {
		if r.judge.Pairs() == s.Most {
			s.Stopped = fmt.Sprintf("all %d pairs of the budget are done", s.Most)
			break
		}
		var blocks [2][]assay.Request
		if blocks, ok, err = r.pair(ctx, raceName, pair); err != nil {
			return err
		}
		if !ok {
			s.Stopped = "the budget is spent"
			break
		}
		for i, side := range r.sides {
			side.counted(pair)
			side.late.add(blocks[i])
		}
		r.judge.Pair(compare.BlockOf(blocks[0]), compare.BlockOf(blocks[1]))
		s.Pairs = r.judge.Pairs()
		fmt.Fprintf(r.io.err, "pair %d of at most %d: %s\n", pair, s.Most, dashboards.RaceStanding(r.judge.Changes()))
		if r.judge.Decided() {
			s.Stopped = "decided"
			break
		}
		if r.late(pair) {
			s.Stopped = "the generator was late too often for any answer to count"
			break
		}
	}
	for _, side := range r.sides {
		side.leave(raceName, assay.RoleSteady)
		side.mark(assay.EventLoadEnd, side.clock.Now(), "", nil)
	}
	return nil
}

// unserved says why no request was served, or "" if one was or none was sent.
func unserved(requests []assay.Request) string {
	why := ""
	for i := range requests {
		if requests[i].Outcome == assay.OK {
			return ""
		}
		why = strings.ReplaceAll(requests[i].Outcome.String(), "_", " ")
		if requests[i].Error != "" {
			why += ", " + requests[i].Error
		}
	}
	return why
}

// pair loads both sides for one block each, in an order that the seed draws, with the same arrivals.
func (r *race) pair(ctx context.Context, phase string, pair int) (blocks [2][]assay.Request, ok bool, err error) {
	rng := rand.New(rand.NewPCG(r.judge.Settings.Seed, uint64(pair)))
	arrivals, first := rng.Uint64(), rng.IntN(2)
	for _, i := range [2]int{first, 1 - first} {
		if r.left < 1 {
			return blocks, false, nil
		}
		blocks[i], ok, err = r.sides[i].load(ctx, phase, arrivals, r.left)
		r.left -= len(blocks[i])
		if err != nil || !ok {
			return blocks, false, err
		}
	}
	return blocks, true, nil
}

// write puts the settings beside the runs.
func (r *race) write() error {
	raw, err := json.MarshalIndent(r.judge.Settings, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the race: %w", err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, raceFile), append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the race: %w", err)
	}
	return nil
}

// isRace reports whether a directory holds a race.
func isRace(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, raceFile))
	return err == nil
}

// readRace judges a race anew, from its records alone.
func readRace(ctx context.Context, dir string) (*assay.Comparison, error) {
	raw, err := os.ReadFile(filepath.Join(dir, raceFile))
	if err != nil {
		return nil, fmt.Errorf("read the race: %w", err)
	}
	var s compare.RaceSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, raceFile), err)
	}
	if s.Schema != compare.RaceSchema || !(s.Confidence > 0 && s.Confidence < 1) {
		return nil, fmt.Errorf("%s: schema %q and confidence %g; this program reads %s", filepath.Join(dir, raceFile), s.Schema, s.Confidence, compare.RaceSchema)
	}
	var sides [2]compare.Side
	var blocks [2]map[int]compare.Block
	for i, name := range raceSides {
		run, err := readRun(ctx, filepath.Join(dir, name), nil)
		if err != nil {
			return nil, err
		}
		sides[i] = compare.Side{Name: run.Manifest.Target.Name, Runs: []compare.Run{run}}
		if blocks[i], err = readBlocks(ctx, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	if sides[0].Name == sides[1].Name {
		sides[0].Name, sides[1].Name = raceSides[0], raceSides[1]
	}
	return compare.Rerun(s, blocks[0], blocks[1]).Comparison(sides[0], sides[1]), nil
}

func readBlocks(ctx context.Context, dir string) (map[int]compare.Block, error) {
	run, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil {
		return nil, err
	}
	var requests []assay.Request
	err = run.Requests(ctx, func(block []assay.Request) error {
		for i := range block {
			if block[i].Phase == raceName {
				c := block[i]
				c.Arrivals = append([]int64(nil), c.Arrivals...)
				requests = append(requests, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	return compare.Blocks(events, requests), nil
}

package cloud

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/tail"
)

// RunPod asks the API of RunPod about an endpoint: how many jobs and workers are in each state, and of jobs whose ids a file gets, as the user's client writes them,
// when they have ended, how long they waited and ran. RunPod lists no jobs itself. Ids that are there when Run begins are not of this run. When a job ended is known as
// well as it was looked for; the jobs are no requests, since the load knows those.
type RunPod struct {
	URL      string        // of the endpoint, as https://api.runpod.ai/v2/ID
	Token    string        // API key
	Jobs     string        // file of ids, one a line, alone or as the member id of a JSON object; "" for none
	Interval time.Duration // between two looks; 0: 2 s
	RunID    string        // sent with each request
	Clock    collectors.Clock

	client  *http.Client // nil for one of ask's
	mu      sync.Mutex
	pending []string // jobs that have not ended
	odd     int64    // lines without an id, and ids beyond the bound
}

var _ assay.Source = (*RunPod)(nil)

const (
	maxPending = 10_000 // jobs that have not ended
	jobsALook  = 50     // that are asked for
	maxJob     = 32 << 20
	runpodWait = 15 * time.Second // of one request
)

// Run looks until ctx is done, and then once more at the jobs, for at most 10 s.
func (p *RunPod) Run(ctx context.Context, emit func(assay.Record) error) error {
	emit = tail.Through(emit)
	var once sync.Mutex // emits of the follower of the file are its warnings
	each := func(r assay.Record) error { once.Lock(); defer once.Unlock(); return emit(r) }
	failed := make(chan error, 1)
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	if p.Jobs != "" {
		wg.Go(func() {
			f := tail.File{Path: p.Jobs, Line: p.add, Wrong: func(err error) error { return p.warn(each, "%v", err) }}
			failed <- f.Run(following)
		})
	}
	tick := time.NewTicker(cmp.Or(p.Interval, 2*time.Second))
	defer tick.Stop()
	for told := false; ; {
		err, ill := p.look(ctx, each)
		if err != nil {
			return err
		}
		if ill != nil && ctx.Err() == nil && !told {
			told = true
			if err := p.warn(each, "%v; it is asked again", ill); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return p.end(ctx, failed, each)
		case <-tick.C:
		}
	}
}

// end asks for the jobs that were left, and tells of those that have not ended.
func (p *RunPod) end(ctx context.Context, followed <-chan error, emit func(assay.Record) error) error {
	if p.Jobs == "" {
		return nil
	}
	if err := <-followed; err != nil { // it has read what was written until now
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	ids := p.left()
	for range 1 + len(ids)/jobsALook {
		if err, _ := p.jobs(last, emit); err != nil {
			return err
		}
	}
	if n := len(p.left()); n > 0 {
		if err := p.warn(emit, "%d jobs had not ended, or could not be asked for, when the run did", n); err != nil {
			return err
		}
	}
	if p.odd > 0 {
		return p.warn(emit, "%s: %d lines have no id of a job that the API knows, or one beyond the %d that may be under way", p.Jobs, p.odd, maxPending)
	}
	return nil
}

func (p *RunPod) warn(emit func(assay.Record) error, format string, args ...any) error {
	return emit(&assay.Event{Time: cmp.Or(p.Clock.Now(), 1), Kind: assay.EventWarning, Source: "runpod", Text: "runpod at " + ask.Shown(p.URL) + ": " + fmt.Sprintf(format, args...)})
}

var jobID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// add takes a line of the file.
func (p *RunPod) add(line []byte) error {
	id := string(line)
	var o struct {
		ID string `json:"id"`
	}
	if len(line) > 0 && line[0] == '{' && json.Unmarshal(line, &o) == nil {
		id = o.ID
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(line) == 0:
	case !jobID.MatchString(id) || len(p.pending) >= maxPending:
		p.odd++
	default:
		p.pending = append(p.pending, id)
	}
	return nil
}

func (p *RunPod) left() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.pending...)
}

// look asks for the health and the jobs. ill is why the API could not be asked; err is the record's taker's.
func (p *RunPod) look(ctx context.Context, emit func(assay.Record) error) (err, ill error) {
	raw, ill := p.get(ctx, "/health")
	if ill == nil {
		if err, ill = p.take(raw, "timestamp", emit); err != nil {
			return err, nil
		}
	}
	if err, no := p.jobs(ctx, emit); err != nil || no != nil {
		return err, no
	}
	return nil, ill
}

// jobs asks for those that have not ended, in turn.
func (p *RunPod) jobs(ctx context.Context, emit func(assay.Record) error) (err, ill error) {
	ids := p.left()
	for _, id := range ids[:min(len(ids), jobsALook)] {
		raw, why := p.get(ctx, "/status/"+id)
		var o runpodObject
		gone := why != nil && strings.Contains(why.Error(), "404") // its result is kept for a time only
		if why == nil {
			why = json.Unmarshal(raw, &o)
		}
		ended := why == nil && o.Status != "IN_QUEUE" && o.Status != "IN_PROGRESS" && o.Status != "RUNNING"
		if ended {
			if err, why = p.take(raw, "completedAt", emit); err != nil {
				return err, nil
			}
		}
		p.mu.Lock()
		p.pending = p.pending[1:]
		switch {
		case gone:
			p.odd++
		case !ended:
			p.pending = append(p.pending, id)
		}
		p.mu.Unlock()
		if why != nil && !gone {
			ill = why
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, ill
}

// take hands an answer to the decoder of recordings, with when it came where it tells no time.
func (p *RunPod) take(raw []byte, stamp string, emit func(assay.Record) error) (err, ill error) {
	var o map[string]json.RawMessage
	if ill := json.Unmarshal(raw, &o); ill != nil {
		return nil, fmt.Errorf("read the answer: %w", ill)
	}
	delete(o, "output") // what the model said
	delete(o, "error")
	if _, ok := o[stamp]; !ok {
		o[stamp] = json.RawMessage(strconv.FormatInt(time.Now().UnixMilli(), 10))
	}
	if raw, err = json.Marshal(o); err != nil {
		return nil, err
	}
	in := &input.Input{File: input.NewFile("the answer of RunPod", bytes.NewReader(raw), nil), Tally: &input.Tally{}}
	return readRunPod(context.Background(), in, func(r assay.Record) error {
		s, ok := r.(*assay.Sample)
		if !ok {
			return nil // a request that the load knows
		}
		s.Time = p.Clock.FromUnix(s.Time)
		return emit(s)
	}), nil
}

// get asks the API for an answer.
func (p *RunPod) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, runpodWait)
	defer cancel()
	s := ask.Server{URL: p.URL, RunID: p.RunID, HTTP: p.client}
	if p.Token != "" {
		s.Token = func(context.Context) (string, error) { return p.Token, nil }
	}
	status, raw, err := s.Do(ctx, http.MethodGet, path, "", nil, maxJob)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	return raw, nil
}

// Look asks for the endpoint's health, and says how many workers and jobs it has.
func (p *RunPod) Look(ctx context.Context) (workers, jobs float64, err error) {
	raw, err := p.get(ctx, "/health")
	if err != nil {
		return 0, 0, err
	}
	var o runpodObject
	if err := json.Unmarshal(raw, &o); err != nil || o.Workers == nil && o.Jobs == nil {
		return 0, 0, fmt.Errorf("GET /health: no health of an endpoint: want a URL such as https://api.runpod.ai/v2/ID")
	}
	for _, n := range o.Workers {
		workers += n
	}
	return workers, o.Jobs["inQueue"] + o.Jobs["inProgress"], nil
}

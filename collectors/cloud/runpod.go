package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

var runpodKind = input.Kind{
	Name: "runpod", Things: "objects", Proven: collectors.Documents, By: "RunPod's documents of job status and endpoint health",
	Help: "RunPod jobs as its API answers them, in a list or one after another, and answers of an endpoint's health. What delay mixes of queue and start stays mixed.",
	Hop:  true, Options: []input.Option{counts},
	Is: isRunPod, Read: readRunPod,
}

var runpodField = regexp.MustCompile(`"(delayTime|executionTime)"\s*:|^\s*\{\s*"jobs"\s*:\s*\{\s*"completed"`)

func isRunPod(_ string, head []byte) bool { return runpodField.Match(head) }

// A runpodObject is a job, or the health of an endpoint. Times are ms.
type runpodObject struct {
	ID        string   `json:"id"`
	Status    string   `json:"status"`
	Delay     *float64 `json:"delayTime"`
	Execution *float64 `json:"executionTime"`
	Worker    string   `json:"workerId"`

	CreatedAt   json.RawMessage `json:"createdAt"`
	CompletedAt json.RawMessage `json:"completedAt"`
	Timestamp   json.RawMessage `json:"timestamp"` // of a health answer, as whoever asked noted it

	Jobs    map[string]float64 `json:"jobs"`
	Workers map[string]float64 `json:"workers"`
}

// readRunPod reads jobs. Those that tell no time are laid end to end, the last ending when the file was changed last.
func readRunPod(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	next, ok := in.State.(int64)
	if !ok {
		next = runpodBegin(in.Path)
		in.State = next
	}
	changed := modified(in.Path)
	var begin, end int64
	err := objects(in.File, []string{"requests", "data"}, func(raw json.RawMessage) error {
		var o runpodObject
		if json.Unmarshal(raw, &o) != nil {
			in.Tally.Reject("no object of RunPod", 1)
			return nil
		}
		if o.Jobs != nil || o.Workers != nil {
			return o.health(in, changed, emit)
		}
		r, why := o.request()
		if why == "" && o.ID != "" && in.Again(o.ID) {
			why = input.Duplicate
		}
		if why != "" {
			in.Tally.Reject(why, 1)
			return nil
		}
		took := r.End
		switch created, completed := instantOf(o.CreatedAt), instantOf(o.CompletedAt); {
		case created != 0:
			r.Due = created
		case completed > took:
			r.Due = completed - took
		case next == 0:
			in.Tally.Reject("a job without a time", 1)
			return nil
		default:
			r.Due = next
			next += took
			in.Tally.Untimed = true
			in.Tally.Note("%d jobs tell no time: they were laid end to end, up to when the file was changed last", 1)
		}
		r.End = r.Due + took
		if begin == 0 || r.Due < begin {
			begin = r.Due
		}
		end = max(end, r.End)
		in.Tally.Keep(1)
		if err := emit(r); err != nil {
			return err
		}
		return o.times(r.End, emit)
	})
	if err != nil {
		return err
	}
	return phaseOf(begin, end, emit)
}

// request makes a request of a job, with how long it took as its end.
func (o *runpodObject) request() (*assay.Request, string) {
	r := &assay.Request{NoSchedule: true, Phase: recorded, Instance: short(o.Worker)}
	switch o.Status {
	case "COMPLETED":
		r.Outcome = assay.OK
	case "FAILED":
		r.Outcome, r.Error = assay.ServerError, "the job failed"
	case "TIMED_OUT":
		r.Outcome, r.Error = assay.Timeout, "timed out by the platform"
	case "CANCELLED":
		r.Outcome = assay.Unfinished
	case "IN_QUEUE", "IN_PROGRESS", "RUNNING":
		return nil, "not finished"
	default:
		return nil, "no job"
	}
	for _, ms := range []*float64{o.Delay, o.Execution} {
		if ms == nil {
			continue
		}
		ns := spell(*ms, 1e6)
		if ns < 0 || ns > 1e16 {
			return nil, "a time that is none"
		}
		r.End += ns
	}
	if o.Delay == nil && o.Execution == nil {
		return nil, "says not how long it took"
	}
	return r, ""
}

// times emits what the job's time was made of.
func (o *runpodObject) times(at int64, emit func(assay.Record) error) error {
	for _, m := range []struct {
		name string
		ms   *float64
	}{{"runpod_job_delay_milliseconds", o.Delay}, {"runpod_job_execution_milliseconds", o.Execution}} {
		if m.ms == nil {
			continue
		}
		s := &assay.Sample{Name: m.name, Time: at, Value: *m.ms}
		if o.Worker != "" {
			s.Labels = []assay.Label{{Name: "worker_id", Value: short(o.Worker)}}
		}
		if err := emit(s); err != nil {
			return err
		}
	}
	return nil
}

// health emits how many jobs and workers an endpoint has in each state.
func (o *runpodObject) health(in *input.Input, changed int64, emit func(assay.Record) error) error {
	at := cmp.Or(instantOf(o.Timestamp), changed)
	if at == 0 {
		in.Tally.Reject("health without a time", 1)
		return nil
	}
	in.Tally.Keep(1)
	for _, m := range []struct {
		name string
		of   map[string]float64
	}{{"runpod_endpoint_jobs", o.Jobs}, {"runpod_endpoint_workers", o.Workers}} {
		if len(m.of) > 100 {
			return fmt.Errorf("%s: more than 100 states", in.Path)
		}
		for _, state := range slices.Sorted(maps.Keys(m.of)) {
			if err := emit(&assay.Sample{Name: m.name, Labels: []assay.Label{{Name: "state", Value: short(state)}}, Time: at, Value: m.of[state]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// runpodBegin returns when the first job without a time began, if they followed one another; 0 where the file cannot tell.
func runpodBegin(path string) int64 {
	at := modified(path)
	f, err := input.OpenFile(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	_ = objects(f, []string{"requests", "data"}, func(raw json.RawMessage) error { // what is wrong with it is said when it is read
		var o runpodObject
		if json.Unmarshal(raw, &o) == nil && o.CreatedAt == nil && o.CompletedAt == nil {
			if r, why := o.request(); why == "" {
				at -= r.End
			}
		}
		return nil
	})
	return max(at, 0)
}

// modified returns when a file was changed last, 0 where it is none.
func modified(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.ModTime().UnixNano()
}

// instantOf reads a JSON value that is a date, or a number of ms since 1970; 0 where it is neither.
func instantOf(raw json.RawMessage) int64 {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	at, _, ok := input.Instant(text, int64(time.Millisecond), time.UTC)
	if !ok || at < 0 {
		return 0
	}
	return at
}

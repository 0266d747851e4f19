package k6

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"go.k6.io/k6/v2/errext"
	"go.k6.io/k6/v2/lib/netext/httpext"
	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/rusage"
)

// A sink is where a run goes: a directory or a socket. Emit never waits.
type sink interface {
	Emit(assay.Record) error
	SetManifest(func(*assay.Manifest)) error
	Seal(assay.Ending) error
	Close() error
	Failed() <-chan error // gives the first failed write, once
	Err() error           // the first failed write
}

// An Output records a run. It is made by k6, through [Extension.NewOutput].
type Output struct {
	ext        *Extension
	logger     logrus.FieldLogger
	where      string
	options    *output.Params
	thresholds map[string]metrics.Thresholds
	objectives []assay.Objective

	sink      sink
	scenarios *scenarios
	dropped   string // name of the metric of dropped iterations
	targets   map[string]assay.Target
	maxWait   time.Duration
	web       bool // a request of k6/http was recorded

	stop     func(error)
	done     chan struct{}
	watching sync.WaitGroup
	usage    rusage.Usage // of k6; read after watching
}

var (
	_ output.WithThresholds        = (*Output)(nil)
	_ output.WithTestRunStop       = (*Output)(nil)
	_ output.WithBuiltinMetrics    = (*Output)(nil)
	_ output.WithStopWithTestError = (*Output)(nil)
)

// NewOutput implements output.Constructor. The argument is the run directory to be made; {host} in it is the name of the machine, so
// that the pods of a distributed run can share a volume. unix:PATH is a socket instead.
func (e *Extension) NewOutput(p output.Params) (output.Output, error) {
	where := strings.TrimSpace(p.ConfigArgument)
	if where == "" {
		return nil, errors.New("want a directory for the run: --out assay=runs/NAME")
	}
	if strings.Contains(where, "{host}") {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("name of this machine, for {host}: %w", err)
		}
		where = strings.ReplaceAll(where, "{host}", host)
	}
	o := &Output{ext: e, where: where, options: &p, logger: p.Logger.WithField("output", OutputName), targets: map[string]assay.Target{},
		dropped: metrics.DroppedIterationsName, stop: func(error) {}, done: make(chan struct{})}
	var err error
	if o.scenarios, err = newScenarios(&p.ScriptOptions, o.emit); err != nil {
		return nil, err
	}
	return o, nil
}

// Description implements output.Output.
func (o *Output) Description() string { return fmt.Sprintf("%s (%s)", OutputName, o.where) }

// SetThresholds implements output.WithThresholds.
func (o *Output) SetThresholds(t map[string]metrics.Thresholds) {
	o.thresholds = t
	o.objectives = objectives(t)
}

// SetBuiltinMetrics implements output.WithBuiltinMetrics.
func (o *Output) SetBuiltinMetrics(m *metrics.BuiltinMetrics) { o.dropped = m.DroppedIterations.Name }

// SetTestRunStopCallback implements output.WithTestRunStop.
func (o *Output) SetTestRunStopCallback(stop func(error)) { o.stop = stop }

// Start makes the run directory.
func (o *Output) Start() error {
	m := o.manifest()
	var err error
	if path, ok := strings.CutPrefix(o.where, "unix:"); ok {
		monotonic, _ := o.ext.clock.Monotonic() // 0 where unknown
		o.sink, err = dialStream(path, m, monotonic)
	} else {
		o.sink, err = createRun(o.where, m)
	}
	if err != nil {
		return err
	}
	o.watching.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { // ends with the run
			<-o.done
			cancel()
		}()
		o.usage = rusage.Watch(ctx)
	})
	o.watching.Go(func() {
		select {
		case err := <-o.sink.Failed():
			o.stop(errext.WithAbortReasonIfNone(fmt.Errorf("record the run: %w", err), errext.AbortedByOutput))
		case <-o.done:
		}
	})
	return nil
}

// emit records r. What could not be recorded makes the run invalid; the sink counts it.
func (o *Output) emit(r assay.Record) error { return o.sink.Emit(r) }

// AddMetricSamples implements output.Output. It waits for nothing.
func (o *Output) AddMetricSamples(containers []metrics.SampleContainer) {
	for _, c := range containers {
		switch c := c.(type) {
		case *exchange:
			o.exchange(c)
		case *httpext.Trail:
			r := o.ext.ofTrail(c)
			if r.Phase == "" {
				r.Phase = "setup"
			}
			o.web = true
			o.scenarios.seen(r.Phase, 0, r.Due)
			_ = o.emit(&r)
		case metrics.Sample:
			if c.Metric.Name == o.dropped {
				o.drop(&c)
			}
		}
	}
}

func (o *Output) exchange(x *exchange) {
	o.scenarios.seen(x.record.Phase, x.begin, x.record.Due)
	o.scenarios.seen(x.record.Phase, x.begin, x.record.Sent)
	if x.target.Kind != "" {
		o.targets[x.target.Name+" "+x.target.Model] = x.target
		o.maxWait = max(o.maxWait, x.limit)
	}
	r := x.record // a copy: other outputs see the container too
	_ = o.emit(&r)
}

// drop records iterations that one of k6's own arrival-rate executors did not begin.
func (o *Output) drop(s *metrics.Sample) {
	at := o.ext.clock.At(s.Time)
	r := assay.Request{Due: at, End: at, Outcome: assay.RefusedByCap, Error: noUser}
	if s.Tags != nil {
		r.Phase, _ = s.Tags.Get("scenario")
	}
	o.scenarios.seen(r.Phase, 0, at)
	for range int(s.Value) {
		r.ID = o.ext.last.Add(1)
		_ = o.emit(&r)
	}
}

// Stop implements output.Output.
func (o *Output) Stop() error { return o.StopWithTestError(nil) }

// StopWithTestError ends the run and seals its directory.
func (o *Output) StopWithTestError(cause error) error {
	close(o.done)
	o.watching.Wait()
	now := o.ext.clock.Now()
	end := assay.Ending{Status: status(cause), At: now, ClockDrift: o.ext.clock.Drift()}
	if u := o.usage; u.CPU > 0 {
		end.Usage = &assay.Usage{CPU: int64(u.CPU), Wall: int64(u.Wall), Peak: u.Peak, CPUs: u.CPUs}
	}
	if cause != nil {
		end.Reason = cause.Error()
	}
	if o.sink.Err() != nil {
		end.Status = assay.EndDiskFull
	}
	verdicts(o.thresholds, now, o.emit)
	_ = o.emit(&assay.Event{Time: max(o.scenarios.finish(now), 1), Kind: assay.EventLoadEnd, Source: "k6"})
	err := o.sink.SetManifest(func(m *assay.Manifest) {
		m.Target = o.target(m.Target)
		m.MaxWait = int64(o.maxWait)
	})
	if err := errors.Join(err, o.sink.Seal(end)); err != nil {
		return fmt.Errorf("seal %s: %w", o.where, err)
	}
	return nil
}

// status says how a test ended that returned cause. Thresholds found crossed at the end are a verdict, not an end.
func status(cause error) string {
	if cause == nil {
		return assay.EndComplete
	}
	var why errext.HasAbortReason
	if !errors.As(cause, &why) {
		return assay.EndFailed
	}
	switch why.AbortReason() {
	case errext.AbortedByThresholdsAfterTestEnd:
		return assay.EndComplete
	case errext.AbortedByUser:
		return assay.EndInterrupted
	case errext.AbortedByThreshold, errext.AbortedByScriptAbort:
		return assay.EndAborted
	}
	return assay.EndFailed
}

// target names what the requests went to, unless the environment did.
func (o *Output) target(t assay.Target) assay.Target {
	names := slices.Sorted(maps.Keys(o.targets))
	if len(names) == 0 {
		if t.Name == "" {
			t.Name = "unnamed"
		}
		if o.web {
			t.Kind = "http"
		}
		return t
	}
	first := o.targets[names[0]]
	t.Kind, t.Model = first.Kind, first.Model
	if t.Name == "" {
		t.Name = first.Name
		if first.Model != "" {
			t.Name += ", model " + first.Model
		}
		if n := len(names) - 1; n > 0 {
			t.Name += fmt.Sprintf(", and %d more", n)
		}
	}
	return t
}

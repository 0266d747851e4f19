package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/tail"
)

// Sources are what watches a cluster.
var Sources = []collectors.Kind{{
	Name: "kubernetes", Help: "Watches the pods of a namespace, their events, machines and what makes them, and records the lives of instances: phases of starts, exits with reasons, probes, scaling.",
	Proven: collectors.Live, By: "list and watch of a real API server in process, whose objects our tests write; names of fields from the API's types",
	New: func(c collectors.Clock) assay.Source { return &Watch{Clock: c} },
}}

// A Watch follows the objects of one namespace in a cluster by list and watch. What was before the run is told only so far as it still holds. It reads and changes
// nothing; of what it may not read, or what is not installed, it tells the run once.
type Watch struct {
	API                 *kube.Client // nil: found as Kubeconfig and Context say
	Kubeconfig, Context string
	Namespace           string        // "": that of the context, else default
	Selector            string        // label selector of the pods; "": all
	Container           string        // that serves; "": see the package's comment
	Patience            time.Duration // how long the API server may be away before the run is told; 0: 5 s
	Clock               collectors.Clock

	hold time.Duration // for a test; 0: watchHold
	emit func(assay.Record) error
	mu   sync.Mutex // one warning at a time
}

// Defaults and bounds of a Watch.
const (
	watchPatience = 5 * time.Second
	watchHold     = 2 * time.Second        // what a pod's neighbours tell may come a little later
	watchStep     = 250 * time.Millisecond // between looks at what has been held for long enough
	maxObject     = 16 << 20               // bytes of one watch event
)

var _ assay.Source = (*Watch)(nil)

// heard is an object as a follower of its kind heard of it.
type heard struct {
	object *Object
	gone   bool
	at     int64 // Unix ns
	gap    int64 // ns: it may have come to be so that long before
}

// Run watches until ctx is done. An error means that the cluster could not be asked at all.
func (w *Watch) Run(ctx context.Context, emit func(assay.Record) error) error {
	w.emit = emit
	api, selection, err := w.prepare()
	if err != nil {
		return fmt.Errorf("kubernetes: %w", err)
	}
	d := &Decoder{Live: true, From: time.Now().UnixNano() - w.Clock.Now()}
	in := make(chan heard, 64)
	var followers sync.WaitGroup
	for i := range resources {
		f := &follower{w: w, api: api, of: &resources[i], namespace: selection.Namespace, out: in, known: map[string]*Object{}}
		followers.Go(func() { f.run(ctx) })
	}
	go func() {
		followers.Wait()
		close(in)
	}()
	pass := func(r assay.Record) error {
		e := *r.(*assay.Event)
		e.Time = w.Clock.FromUnix(e.Time)
		return emit(&e)
	}
	refused := ""
	tick := time.NewTicker(watchStep)
	defer tick.Stop()
	for open := true; open; {
		select {
		case h, ok := <-in:
			if open = ok; ok {
				d.Gap = h.gap
				d.Take(selection, h.object, h.gone, h.at)
			}
		case <-tick.C:
			err := d.Flush(time.Now().Add(-cmp.Or(w.hold, watchHold)).UnixNano(), pass)
			if err != nil && err.Error() != refused {
				refused = err.Error()
				w.tell("events wait to be recorded: " + refused)
			}
		}
	}
	if d.Lost > 0 {
		w.tell(fmt.Sprintf("%d events were left out: more than are kept", d.Lost))
	}
	return d.Flush(1<<62, tail.Through(pass)) // the last time: what is not taken now has been counted
}

// prepare finds the API server and reads the settings.
func (w *Watch) prepare() (*kube.Client, *Selection, error) {
	api := w.API
	if api == nil {
		var err error
		if api, err = kube.Find(w.Kubeconfig, w.Context); err != nil {
			return nil, nil, err
		}
	}
	s := &Selection{Namespace: cmp.Or(w.Namespace, api.Namespace, "default"), Container: w.Container}
	if w.Selector != "" {
		var err error
		if s.Labels, err = labels.Parse(w.Selector); err != nil {
			return nil, nil, fmt.Errorf("selector %q: %w", w.Selector, err)
		}
	}
	return api, s, nil
}

func (w *Watch) tell(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.emit(&assay.Event{Time: cmp.Or(w.Clock.Now(), 1), Kind: assay.EventWarning, Source: source, Text: text})
}

// errGone tells that a watch cannot go on where it was.
var errGone = errors.New("the version is too old")

package kubernetes

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/assay-dev/assay/internal/kube"
)

// A resource is a kind of objects that is watched.
type resource struct {
	kind    string
	plural  string
	group   string // "" is the core
	version string
	cluster bool   // not in a namespace
	without string // what is not known without it
}

// resources are all that is watched, what explains others first.
var resources = []resource{
	{"Pod", "pods", "", "v1", false, "lives of instances"},
	{"Event", "events", "", "v1", false, "image pulls, failed probes and why pods wait"},
	{"Node", "nodes", "", "v1", true, "whether a machine was lost"},
	{"Deployment", "deployments", "apps", "v1", false, "how many instances are wanted"},
	{"ReplicaSet", "replicasets", "apps", "v1", false, "rollouts, and scaling as the reason of an exit"},
	{"StatefulSet", "statefulsets", "apps", "v1", false, "scaling of stateful sets"},
	{"HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2", false, "what an autoscaler says of itself"},
	{"Revision", "revisions", "serving.knative.dev", "v1", false, "rollouts of Knative"},
	{"PodAutoscaler", "podautoscalers", "autoscaling.internal.knative.dev", "v1alpha1", false, "how many instances Knative wants"},
	{"InferenceService", "inferenceservices", "serving.kserve.io", "v1beta1", false, "states of models of KServe"},
}

func (r *resource) path(namespace string) string {
	p := "/api/" + r.version
	if r.group != "" {
		p = "/apis/" + r.group + "/" + r.version
	}
	if !r.cluster {
		p += "/namespaces/" + url.PathEscape(namespace)
	}
	return p + "/" + r.plural
}

// optional reports whether a cluster may do without the kind.
func (r *resource) optional() bool {
	return r.group != "" && r.group != "apps" && r.group != "autoscaling"
}

// A follower follows the objects of one kind: it lists them, watches from there, and takes the watch up where it broke off, or lists anew where it cannot.
type follower struct {
	w         *Watch
	api       *kube.Client
	of        *resource
	namespace string
	out       chan<- heard
	known     map[string]*Object // by UID: those that are there
	version   string             // to watch from; "" to list
	alive     time.Time          // when it was known last that nothing is missed
	gap       int64              // ns: since then, while a list is read
	gone      int                // times in a row that the version was too old, with nothing heard in between
}

// run follows until ctx is done or the kind cannot be read.
func (f *follower) run(ctx context.Context) {
	const first, last = 50 * time.Millisecond, 2 * time.Second
	wait, told := first, false
	away := time.Now()
	patience := f.w.Patience
	if patience == 0 {
		patience = watchPatience
	}
	for {
		err := f.once(ctx, func() {
			if told {
				f.w.tell(fmt.Sprintf("%s are read again after %v", f.of.plural, time.Since(away).Round(time.Millisecond)))
			}
			wait, told, away = first, false, time.Now()
		})
		switch status := kube.Status(err); {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errGone):
			f.version = ""
			if f.gone++; f.gone == 1 { // that is how a watch goes that was away for long
				continue
			}
		case err == nil: // it was open and ended: that is how watches end
			f.gone, away = 0, time.Now()
		case status == http.StatusNotFound:
			if !f.of.optional() {
				f.w.tell(fmt.Sprintf("the cluster has no %s: %s will not be known", f.of.plural, f.of.without))
			}
			return
		case status == http.StatusForbidden:
			f.w.tell(fmt.Sprintf("%s may not be read, so %s will not be known: %v", f.of.plural, f.of.without, err))
			return
		}
		if err != nil && !told && time.Since(away) >= patience {
			told = true
			f.w.tell(fmt.Sprintf("%s are not read: %v", f.of.plural, err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, last)
	}
}

// once lists, if that is due, and watches until that ends. Good is called when the server answers, but not for a list or a watch that was begun since the
// version was too old again: it may be so once more.
func (f *follower) once(ctx context.Context, answers func()) error {
	good := func() {
		if f.gone <= 1 {
			answers()
		}
	}
	if f.version == "" {
		if err := f.list(ctx); err != nil {
			return err
		}
		good()
	}
	q := url.Values{"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {f.version}, "timeoutSeconds": {"280"}}
	body, err := f.api.Open(ctx, f.of.path(f.namespace)+"?"+q.Encode())
	if kube.Status(err) == http.StatusGone {
		return errGone
	}
	if err != nil {
		return err
	}
	defer body.Close()
	good()
	r := bufio.NewReaderSize(body, 64<<10)
	for {
		f.alive = time.Now()
		line, err := readEvent(r)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
		var e struct {
			Type   string
			Object json.RawMessage
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("a line of the watch is no event: %w", err)
		}
		if err := f.event(ctx, e.Type, e.Object); err != nil {
			return err
		}
		if f.gone > 0 {
			f.gone = 0
			good()
		}
	}
}

// readEvent reads one line, which is one event.
func readEvent(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		b, err := r.ReadSlice('\n')
		if err == nil && long == nil {
			return b, nil
		}
		if long = append(long, b...); len(long) > maxObject {
			return nil, fmt.Errorf("an event of more than %d MiB", maxObject>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
	}
}

// event takes up one event of the watch.
func (f *follower) event(ctx context.Context, verb string, raw json.RawMessage) error {
	if verb == "ERROR" {
		var s struct {
			Code    int
			Message string
		}
		_ = json.Unmarshal(raw, &s)
		if s.Code == http.StatusGone {
			return errGone
		}
		return fmt.Errorf("the server ended the watch: status %d: %s", s.Code, short(s.Message))
	}
	o := &Object{}
	if err := json.Unmarshal(raw, o); err != nil {
		return fmt.Errorf("an object that cannot be read: %w", err)
	}
	o.Kind = f.of.kind
	if o.Metadata.Version != "" {
		f.version = o.Metadata.Version
	}
	if verb == "BOOKMARK" || o.Metadata.Name == "" {
		return nil
	}
	return f.hand(ctx, o, verb == "DELETED")
}

// list takes up all objects that there are, and tells of those that are no longer.
func (f *follower) list(ctx context.Context) error {
	if !f.alive.IsZero() {
		f.gap = int64(time.Since(f.alive))
		defer func() { f.gap = 0 }()
	}
	here := map[string]bool{}
	next, version := "", ""
	for page := 0; ; page++ {
		if page*pageSize > maxObjects {
			return fmt.Errorf("more than %d %s", maxObjects, f.of.plural)
		}
		var l struct {
			Metadata struct {
				Version  string `json:"resourceVersion"`
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []Object `json:"items"`
		}
		q := url.Values{"limit": {fmt.Sprint(pageSize)}}
		if next != "" {
			q.Set("continue", next)
		}
		if err := f.api.Get(ctx, f.of.path(f.namespace)+"?"+q.Encode(), &l); err != nil {
			if next != "" && kube.Status(err) == http.StatusGone {
				return errGone // the list took too long
			}
			return err
		}
		for i := range l.Items {
			o := &l.Items[i]
			o.Kind = f.of.kind
			here[id(o)] = true
			if old := f.known[id(o)]; old != nil && old.Metadata.Version == o.Metadata.Version {
				continue
			}
			if err := f.hand(ctx, o, false); err != nil {
				return err
			}
		}
		version = l.Metadata.Version
		if next = l.Metadata.Continue; next == "" {
			break
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.known)) {
		if !here[k] {
			if err := f.hand(ctx, f.known[k], true); err != nil {
				return err
			}
		}
	}
	f.version, f.alive = version, time.Now()
	return nil
}

const pageSize = 200 // objects

func id(o *Object) string {
	if o.Metadata.UID != "" {
		return o.Metadata.UID
	}
	return o.Metadata.Namespace + "/" + o.Metadata.Name
}

// hand passes an object on.
func (f *follower) hand(ctx context.Context, o *Object, gone bool) error {
	switch {
	case f.of.kind == "Event": // they only come, and go without saying anything
		if gone {
			return nil
		}
	case gone:
		delete(f.known, id(o))
	default:
		f.known[id(o)] = o
	}
	select {
	case f.out <- heard{o, gone, time.Now().UnixNano(), f.gap}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

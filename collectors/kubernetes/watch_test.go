package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
)

// A server is a stand-in for an API server: it lists what it holds, and watches as it is told to.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]map[string]any // by path of the collection and name
	version int
	log     []event // all changes
	floor   int     // watches from before are too old
	cut     chan struct{}
	denied  map[string]bool
	lists   map[string]int
	changed chan struct{}
}

type event struct {
	version    int
	path, verb string
	object     map[string]any
}

func newServer(t *testing.T) *server {
	s := &server{objects: map[string]map[string]any{}, cut: make(chan struct{}), denied: map[string]bool{}, lists: map[string]int{}, changed: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.breakAll()
		s.Close()
	})
	return s
}

// put sets an object, or deletes it where it is nil.
func (s *server) put(path, name string, o map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	at := path + "/" + name
	old := s.objects[at]
	verb := "MODIFIED"
	switch {
	case o == nil:
		o, verb = maps.Clone(old), "DELETED"
		delete(s.objects, at)
	case old == nil:
		verb = "ADDED"
		fallthrough
	default:
		s.objects[at] = o
	}
	meta := maps.Clone(o["metadata"].(map[string]any))
	meta["resourceVersion"] = fmt.Sprint(s.version)
	o["metadata"] = meta
	s.log = append(s.log, event{s.version, path, verb, o})
	close(s.changed)
	s.changed = make(chan struct{})
}

// breakAll cuts all connections; forget makes their versions too old.
func (s *server) breakAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.floor = s.version
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	plural := path[strings.LastIndexByte(path, '/')+1:]
	refuse := func(status int) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"kind":"Status","code":%d,"reason":"Because","message":"said no"}`, status)
	}
	s.mu.Lock()
	denied, floor, cut := s.denied[plural], s.floor, s.cut
	s.mu.Unlock()
	switch {
	case denied:
		refuse(http.StatusForbidden)
		return
	case strings.Contains(path, "knative") || strings.Contains(path, "kserve"):
		refuse(http.StatusNotFound)
		return
	}
	if r.URL.Query().Get("watch") == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lists[plural]++
		items := []any{}
		for _, at := range slices.Sorted(maps.Keys(s.objects)) {
			if strings.HasPrefix(at, path+"/") {
				items = append(items, s.objects[at])
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]any{"resourceVersion": fmt.Sprint(s.version)}, "items": items})
		return
	}
	var from int
	fmt.Sscan(r.URL.Query().Get("resourceVersion"), &from)
	if from < floor {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "ERROR", "object": map[string]any{"code": 410, "message": "too old resource version"}})
		return
	}
	for {
		s.mu.Lock()
		changed := s.changed
		for _, e := range s.log {
			if e.version > from && e.path == path {
				_ = json.NewEncoder(w).Encode(map[string]any{"type": e.verb, "object": e.object})
				from = e.version
			}
		}
		s.mu.Unlock()
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-cut:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

// running is run time since it began.
type running time.Time

func (r running) Now() int64              { return int64(time.Since(time.Time(r))) }
func (r running) FromUnix(ns int64) int64 { return max(1, ns-time.Time(r).UnixNano()) }

// seen gathers events.
type seen struct {
	mu     sync.Mutex
	events []assay.Event
	more   chan struct{}
}

func (s *seen) emit(r assay.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, *r.(*assay.Event))
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

// until waits for an event whose text holds all of the words, and returns it.
func (s *seen) until(t *testing.T, words ...string) assay.Event {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		for i := range s.events {
			e := &s.events[i]
			text := fmt.Sprint(e.Kind, " ", e.Instance, " ", e.Attrs, " ", e.Text)
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				s.mu.Unlock()
				return *e
			}
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-deadline:
			t.Fatalf("no event with %q among %+v", words, s.events)
		}
	}
}

func watch(t *testing.T, api *kube.Client, began time.Time) *seen {
	t.Helper()
	got := &seen{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	w := &Watch{API: api, Namespace: "models", Selector: "app=web", Patience: time.Millisecond, hold: 300 * time.Millisecond, Clock: running(began)}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, got.emit) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return got
}

const podsPath = "/api/v1/namespaces/models/pods"

// life is a pod at one moment of it.
func life(name string, created time.Time, ready, restarted, deleted time.Time) map[string]any {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	meta := map[string]any{"name": name, "namespace": "models", "uid": "uid-" + name, "creationTimestamp": stamp(created), "labels": map[string]any{"app": "web", "pod-template-hash": "a"},
		"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-a", "uid": "uid-set", "controller": true}}}
	c := map[string]any{"name": "web", "ready": !ready.IsZero(), "restartCount": 0, "state": map[string]any{"running": map[string]any{"startedAt": stamp(created)}}}
	conditions := []any{map[string]any{"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(created)}}
	if !ready.IsZero() {
		conditions = append(conditions, map[string]any{"type": "Ready", "status": "True", "lastTransitionTime": stamp(ready)})
	}
	if !restarted.IsZero() {
		c["restartCount"] = 1
		c["lastState"] = map[string]any{"terminated": map[string]any{"exitCode": 137, "reason": "OOMKilled", "startedAt": stamp(created), "finishedAt": stamp(restarted)}}
		c["state"] = map[string]any{"running": map[string]any{"startedAt": stamp(restarted)}}
	}
	if !deleted.IsZero() {
		meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = stamp(deleted.Add(30*time.Second)), 30
	}
	return map[string]any{"metadata": meta, "spec": map[string]any{"containers": []any{map[string]any{"name": "web"}}},
		"status": map[string]any{"phase": "Running", "conditions": conditions, "containerStatuses": []any{c}}}
}

func replicas(n int) map[string]any {
	return map[string]any{"metadata": map[string]any{"name": "web", "namespace": "models"}, "spec": map[string]any{"replicas": n, "template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}}}}
}

func TestWatchAStandIn(t *testing.T) {
	s := newServer(t)
	s.denied["nodes"] = true
	began := time.Now()
	before, now := began.Add(-time.Hour), began.Add(time.Second)
	var none time.Time
	s.put(podsPath, "web-old", life("web-old", before, before.Add(30*time.Second), none, none))
	s.put(podsPath, "other", map[string]any{"metadata": map[string]any{"name": "other", "namespace": "models", "uid": "u"}})
	s.put("/apis/apps/v1/namespaces/models/deployments", "web", replicas(1))
	got := watch(t, &kube.Client{Server: s.URL, HTTP: s.Client()}, began)

	if e := got.until(t, "instance.ready", "web-old"); e.Time != 1 {
		t.Errorf("what was ready before the run is ready from its beginning on, not from %d", e.Time)
	}
	got.until(t, "run.warning", "nodes may not be read, so whether a machine was lost will not be known")
	got.until(t, "scale", "desired:1", "ready:1")

	// A pod's life, with the connection cut in the middle of it.
	s.put("/apis/apps/v1/namespaces/models/deployments", "web", replicas(2))
	s.put(podsPath, "web-1", life("web-1", now, none, none, none))
	got.until(t, "instance.created", "web-1", "reason:scale_out")
	s.breakAll()
	s.put(podsPath, "web-1", life("web-1", now, now.Add(2*time.Second), none, none))
	got.until(t, "instance.ready", "web-1")
	s.put(podsPath, "web-1", life("web-1", now, now.Add(5*time.Second), now.Add(4*time.Second), none))
	if e := got.until(t, "instance.exited", "web-1", "reason:oom"); e.Resolution != second {
		t.Errorf("resolution %d of what a stamp tells", e.Resolution)
	}

	// It goes while nobody watches, and the versions since are forgotten: it is missing when all are listed anew.
	s.put("/apis/apps/v1/namespaces/models/deployments", "web", replicas(1))
	s.put(podsPath, "web-1", life("web-1", now, now.Add(5*time.Second), now.Add(4*time.Second), now.Add(10*time.Second)))
	got.until(t, "instance.draining", "web-1", "scale_in")
	s.mu.Lock()
	delete(s.objects, podsPath+"/web-1")
	s.mu.Unlock()
	s.forget()
	s.breakAll()
	if e := got.until(t, "instance.exited", "web-1", "scale_in"); e.Resolution < second || e.Time > time.Since(began).Nanoseconds() {
		t.Errorf("exit %+v", e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists["pods"] < 2 || s.lists["nodes"] != 0 {
		t.Errorf("lists %v", s.lists)
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	for _, e := range got.events {
		if e.Instance == "other" || e.Kind == assay.EventInstanceCreated && e.Instance == "web-old" {
			t.Errorf("event %+v", e)
		}
	}
}

func TestExamine(t *testing.T) {
	s := newServer(t)
	s.denied["events"] = true
	began := time.Now()
	s.put(podsPath, "web-1", life("web-1", began, began, time.Time{}, time.Time{}))
	w := &Watch{API: &kube.Client{Server: s.URL, HTTP: s.Client(), Namespace: "models"}, Selector: "app=web"}
	looks, namespace, err := w.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range looks {
		got[l.Plural] = fmt.Sprintf("absent %v denied %v found %d err %v", l.Absent, l.Denied, l.Found, l.Err != nil)
	}
	want := map[string]string{}
	for _, r := range resources {
		want[r.plural] = "absent false denied true found 0 err false"
		if strings.HasPrefix(r.group, "serving") || strings.Contains(r.group, "knative") {
			want[r.plural] = "absent true denied false found 0 err false"
		}
	}
	want["pods"] = "absent false denied true found 1 err false" // the stand-in answers no review with yes
	if d := cmp.Diff(want, got); d != "" || namespace != "models" {
		t.Errorf("namespace %s (-want +got):\n%s", namespace, d)
	}
	s.Close()
	if _, _, err := w.Examine(t.Context()); err == nil {
		t.Error("a server that is not there: want an error")
	}
	w.Selector = "a in ("
	if err := w.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "selector") {
		t.Errorf("a wrong selector: %v", err)
	}
}

package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/assay-dev/assay/internal/link"
)

// An Instance is one element of GET /admin/instances.
type Instance struct {
	ID       string `json:"id"`
	PID      int    `json:"pid"`                 // 0 before it is spawned
	PIDStart uint64 `json:"pid_start"`           // clock ticks since boot: with the pid it names the process
	Addr     string `json:"addr,omitempty"`      // of the worker itself
	LinkAddr string `json:"link_addr,omitempty"` // of the link in front of it
	State    State  `json:"state"`
	InFlight int    `json:"in_flight"`
	Created  int64  `json:"created_unix_ns"`
	Reason   string `json:"reason"` // why it was started
}

// A TargetGroup is one element of GET /admin/targets, as Prometheus' HTTP service discovery reads it.
type TargetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// An admin serves what the platform's owner may see and do.
type admin struct {
	cfg     Config
	sup     *supervisor
	events  *eventLog
	scaler  *autoscaler
	metrics http.Handler
	names   http.Handler // of the name server that workers ask
	addr    string       // its own
	stop    func()       // asks the platform to shut down
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/events", a.streamEvents)
	mux.HandleFunc("GET /admin/instances", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, a.instances()) })
	mux.HandleFunc("GET /admin/scale", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]int{"wanted": a.sup.wanted()})
	})
	mux.HandleFunc("GET /admin/targets", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, a.targets()) })
	mux.HandleFunc("GET /admin/config", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, a.cfg) })
	mux.HandleFunc("/admin/links/{id}", a.links)
	mux.HandleFunc("POST /admin/chill", a.chill)
	mux.HandleFunc("/admin/faults/{id}", a.faults)
	mux.HandleFunc("/admin/starts", a.starts)
	mux.Handle("/admin/dns", a.names)
	mux.HandleFunc("POST /admin/shutdown", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		a.stop()
	})
	mux.Handle("GET /metrics", a.metrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A web page must not be able to talk to it through the browser of whoever runs the platform.
		if r.Header.Get("Origin") != "" {
			writeJSON(w, http.StatusForbidden, map[string]string{"error": "the admin server does not serve browsers"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// streamEvents writes the events from number from on, one JSON object a line, and stays open for those to come.
func (a *admin) streamEvents(w http.ResponseWriter, r *http.Request) {
	from := int64(1)
	if v := r.URL.Query().Get("from"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("from: %q is not a sequence number", v)})
			return
		}
		from = n
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	for out.Flush() == nil {
		events := a.events.read(r.Context(), from)
		if events == nil {
			return
		}
		for i := range events {
			if enc.Encode(&events[i]) != nil {
				return
			}
		}
		from = events[len(events)-1].Seq + 1
	}
}

func (a *admin) instances() []Instance {
	out := []Instance{}
	for _, in := range a.sup.list() {
		state, n := a.sup.pool.state(in.backend)
		v := Instance{ID: in.id, State: state, InFlight: n, Created: in.created.UnixNano(), Reason: in.reason}
		in.mu.Lock()
		v.PID, v.PIDStart, v.Addr = in.pid, in.pidStart, in.addr
		if in.link != nil {
			v.LinkAddr = in.link.Addr()
		}
		in.mu.Unlock()
		out = append(out, v)
	}
	return out
}

// targets lists what a scraper should look at: each worker twice, directly and not through its
// link, so that a network fault does not blind the measurement, and the platform.
func (a *admin) targets() []TargetGroup {
	out := []TargetGroup{{[]string{a.addr}, map[string]string{"job": "platform", "__metrics_path__": "/metrics"}}}
	for _, in := range a.instances() {
		if in.Addr == "" {
			continue
		}
		out = append(out,
			TargetGroup{[]string{in.Addr}, map[string]string{"instance_id": in.ID, "job": "engine", "__metrics_path__": "/metrics"}},
			TargetGroup{[]string{in.Addr}, map[string]string{"instance_id": in.ID, "job": "accelerator", "__metrics_path__": "/metrics/dcgm"}})
	}
	return out
}

// LinkStatus is the answer of GET /admin/links/{id}.
type LinkStatus struct {
	link.Conditions                 // what has been laid on top of the base conditions
	Effective       link.Conditions `json:"effective"`
	Stats           link.Stats      `json:"stats"`
}

// links shows (GET), sets (PUT) or resets (DELETE) the conditions of one link. The link of an
// instance that has exited is gone (410); resetting it succeeds, since nothing is left on it.
func (a *admin) links(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	fail := func(status int, format string, args ...any) {
		writeJSON(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
	}
	in := a.sup.find(id)
	if in == nil {
		fail(http.StatusNotFound, "no instance %q has ever been", id)
		return
	}
	in.mu.Lock()
	l := in.link
	in.mu.Unlock()
	exited := false
	select {
	case <-in.done:
		exited = true
	default:
	}
	switch {
	case exited && r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
		return
	case exited:
		fail(http.StatusGone, "instance %s has exited", id)
		return
	case l == nil:
		fail(http.StatusConflict, "instance %s does not listen yet", id)
		return
	}
	switch r.Method {
	case http.MethodGet:
		writeJSON(w, http.StatusOK, LinkStatus{l.Conditions(), l.Effective(), l.Stats()})
	case http.MethodPut:
		var c link.Conditions
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			fail(http.StatusBadRequest, "read the conditions: %v", err)
			return
		}
		if err := c.Check(); err != nil {
			fail(http.StatusBadRequest, "%v", err)
			return
		}
		l.Set(c)
		writeJSON(w, http.StatusOK, LinkStatus{l.Conditions(), l.Effective(), l.Stats()})
	case http.MethodDelete:
		l.Reset()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		fail(http.StatusMethodNotAllowed, "%s is not allowed here", r.Method)
	}
}

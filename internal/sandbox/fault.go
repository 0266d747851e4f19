package sandbox

import (
	"fmt"
	"net/http"

	"github.com/assay-dev/assay/internal/faultproxy"
)

// faults shows (GET), sets (PUT) or resets (DELETE) the fault on the requests to one instance. A fault puts a proxy between
// the gateway and the instance's link for the requests that follow; probes of readiness go around it, as those of a
// server whose health endpoint knows nothing of its model. The proxy of an instance that has
// exited is gone (410); resetting it succeeds, since nothing is left on it.
func (a *admin) faults(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	fail := func(status int, format string, args ...any) {
		writeJSON(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
	}
	in := a.sup.find(id)
	if in == nil {
		fail(http.StatusNotFound, "no instance %q has ever been", id)
		return
	}
	select {
	case <-in.done:
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
		} else {
			fail(http.StatusGone, "instance %s has exited", id)
		}
		return
	default:
	}
	switch r.Method {
	case http.MethodGet:
		writeJSON(w, http.StatusOK, in.fault())
	case http.MethodPut:
		c, err := faultproxy.ReadConditions(w, r)
		if err != nil {
			fail(http.StatusBadRequest, "%v", err)
			return
		}
		if err := in.setFault(c); err != nil {
			fail(http.StatusConflict, "%v", err)
			return
		}
		writeJSON(w, http.StatusOK, in.fault())
	case http.MethodDelete:
		in.resetFault()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		fail(http.StatusMethodNotAllowed, "%s is not allowed here", r.Method)
	}
}

// fault returns what lies on the requests to the instance.
func (in *instance) fault() faultproxy.Report {
	if p := in.detour.Load(); p != nil {
		return p.Report()
	}
	return faultproxy.Report{}
}

// setFault leads the requests that follow through a proxy under the conditions.
func (in *instance) setFault(c faultproxy.Conditions) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.link == nil || in.closed {
		return fmt.Errorf("instance %s does not listen", in.id)
	}
	secure := c.Mode == faultproxy.Expired
	p := in.proxies[secure]
	if p == nil {
		var err error
		if p, err = faultproxy.Listen("http://"+in.link.Addr(), faultproxy.Options{Secure: secure}); err != nil {
			return err
		}
		if in.proxies == nil {
			in.proxies = map[bool]*faultproxy.Proxy{}
		}
		in.proxies[secure] = p
	}
	in.lift()
	p.Set(c)
	if !c.IsZero() {
		in.detour.Store(p)
	}
	return nil
}

// resetFault leads the requests that follow past the proxy and lets go what it holds.
func (in *instance) resetFault() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.lift()
}

// lift takes away what lies on the requests. The proxies stay, for the answers on their way. The caller holds mu.
func (in *instance) lift() {
	in.detour.Store(nil)
	for _, p := range in.proxies {
		p.Reset()
	}
}

// closeFaults ends the proxies.
func (in *instance) closeFaults() {
	in.mu.Lock()
	in.lift()
	in.closed = true
	proxies := in.proxies
	in.mu.Unlock()
	for _, p := range proxies {
		p.Close()
	}
}

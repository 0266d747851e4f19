package faultproxy

import (
	"encoding/json"
	"net/http"
)

// A Report is what the admin call shows.
type Report struct {
	Conditions
	URL   string `json:"url,omitempty"` // of the proxy
	Stats Stats  `json:"stats"`
}

// Report returns the conditions, the counts since they were set, and where the proxy is.
func (p *Proxy) Report() Report { return Report{p.Conditions(), p.URL(), p.Stats()} }

// ReadConditions reads conditions from the body of an admin call.
func ReadConditions(w http.ResponseWriter, r *http.Request) (c Conditions, err error) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, err
	}
	return c, c.Check()
}

// Admin returns a handler that shows (GET), sets (PUT) or resets (DELETE) the conditions of the proxy.
func (p *Proxy) Admin() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "": // a web page must not be able to talk to it through a browser
			http.Error(w, "this server does not serve browsers", http.StatusForbidden)
			return
		case r.Method == http.MethodGet:
		case r.Method == http.MethodPut:
			c, err := ReadConditions(w, r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			p.Set(c)
		case r.Method == http.MethodDelete:
			p.Reset()
		default:
			w.Header().Set("Allow", "GET, PUT, DELETE")
			http.Error(w, r.Method+" is not allowed here", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(p.Report())
	})
}

package worker

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Settings are those of a worker's process, whatever it serves. All fields are set; a kind of model has its own
// configuration with defaults and fills them in.
type Settings struct {
	Instance      string
	Service       string // as spans name it
	Listen        string // loopback host:port
	ModelName     string // as the API names it
	Threads       int    // cores that compute
	Nice          int    // priority the process gives itself, 1..19; 0 leaves it
	Memory        int64  // soft limit of the heap in bytes
	LoadFloor     time.Duration
	LoadRate      int64
	OTLPEndpoint  string
	SpawnedUnixNS int64
	TruthPath     string
	Drain         time.Duration
	Store         Store // that is asked for the weights before they are read; none where it has no host
}

// Check returns what is wrong with the settings, each as its own error, under the names of the configurations.
func (s Settings) Check() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Instance == "" {
		bad("instance is empty: give the worker an id")
	}
	if host, _, err := net.SplitHostPort(s.Listen); err != nil {
		bad("listen %q: %w", s.Listen, err)
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad("listen %q: the worker serves loopback only, such as 127.0.0.1:0", s.Listen)
	}
	for _, err := range []error{
		Within("threads", int64(s.Threads), 1, 64),
		Within("nice", int64(s.Nice), 0, 19),
		Within("load_rate_bytes", s.LoadRate, 0, 1<<50),
		Within("load_floor_ns", int64(s.LoadFloor), -1<<62, int64(time.Hour)),
		Within("drain_ns", int64(s.Drain), 0, int64(time.Hour)),
	} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if s.OTLPEndpoint != "" {
		if u, err := url.Parse(s.OTLPEndpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			bad("otlp_endpoint %q: must be a URL such as http://127.0.0.1:4318/v1/traces", s.OTLPEndpoint)
		}
	}
	if err := s.Store.check(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// Within returns an error that names the setting unless lo <= v <= hi.
func Within(name string, v, lo, hi int64) error {
	if v < lo || v > hi {
		return fmt.Errorf("%s is %d: must be %d to %d", name, v, lo, hi)
	}
	return nil
}

// Validate joins the errors of Check and those given.
func (s Settings) Validate(more ...error) error { return errors.Join(append(s.Check(), more...)...) }

// Set gives a field that holds its zero value a default.
func Set[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

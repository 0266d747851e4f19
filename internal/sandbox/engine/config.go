package engine

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// A Config holds all settings of one worker. The zero value of a field means its
// default, as given beside it. It is passed between processes as JSON.
type Config struct {
	Instance  string `json:"instance"`             // id of this instance; required
	Listen    string `json:"listen,omitempty"`     // loopback host:port; "127.0.0.1:0"
	Model     string `json:"model,omitempty"`      // name of a size, see ModelSizes; "tiny"
	ModelName string `json:"model_name,omitempty"` // name the API answers to; "sandbox-" and the size

	Threads      int           `json:"threads,omitempty"`          // cores that compute; 1
	MaxSeqs      int           `json:"max_seqs,omitempty"`         // sequences in a batch; 8
	KVTokens     int           `json:"kv_tokens,omitempty"`        // KV cache in tokens, rounded down to blocks of 16; 4096
	StepTokens   int           `json:"step_tokens,omitempty"`      // rows in one forward pass; 128, and at least MaxSeqs
	StepOverhead time.Duration `json:"step_overhead_ns,omitempty"` // host time before each forward pass, the accelerator idle; none
	MaxQueue     int           `json:"max_queue,omitempty"`        // sequences waiting before the worker answers 429; 512
	Seed         uint64        `json:"seed,omitempty"`             // of the weights and of sampling

	WeightsDir string        `json:"weights_dir"`               // directory of the weights cache; required
	LoadFloor  time.Duration `json:"load_floor_ns,omitempty"`   // least duration of the weights read; 400 ms, negative for none
	LoadRate   int64         `json:"load_rate_bytes,omitempty"` // bytes per second of the weights read; unlimited

	OTLPEndpoint  string        `json:"otlp_endpoint,omitempty"`   // http URL for spans; without a path, /v1/traces. Empty: no spans
	SpawnedUnixNS int64         `json:"spawned_unix_ns,omitempty"` // when the parent started the process; the start of Main
	TruthPath     string        `json:"truth_path,omitempty"`      // JSON lines of what really happened; none
	Nice          int           `json:"nice,omitempty"`            // priority the process gives itself, 1..19; 0 leaves it
	MaxBody       int64         `json:"max_body_bytes,omitempty"`  // largest request body; 1 MiB
	Drain         time.Duration `json:"drain_ns,omitempty"`        // longest wait for running requests when asked to stop; 5 s
}

// WithDefaults returns the settings with each zero value replaced by its default.
func (c Config) WithDefaults() Config {
	set(&c.Listen, "127.0.0.1:0")
	set(&c.Model, "tiny")
	set(&c.ModelName, "sandbox-"+c.Model)
	set(&c.Threads, 1)
	set(&c.MaxSeqs, 8)
	set(&c.KVTokens, 4096)
	set(&c.StepTokens, 128)
	c.StepTokens = max(c.StepTokens, c.MaxSeqs)
	set(&c.MaxQueue, 512)
	set(&c.LoadFloor, 400*time.Millisecond)
	set(&c.MaxBody, 1<<20)
	set(&c.Drain, 5*time.Second)
	return c
}

func set[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Validate returns all that is wrong with the settings, or nil.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Instance == "" {
		bad("instance is empty: give the worker an id")
	}
	if c.WeightsDir == "" {
		bad("weights_dir is empty: name a directory for the weights cache")
	}
	if host, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen %q: %w", c.Listen, err)
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad("listen %q: the worker serves loopback only, such as 127.0.0.1:0", c.Listen)
	}
	size, err := sizeOf(c.Model)
	if err != nil {
		errs = append(errs, err)
	}
	within := func(name string, v, lo, hi int64) {
		if v < lo || v > hi {
			bad("%s is %d: must be %d to %d", name, v, lo, hi)
		}
	}
	within("threads", int64(c.Threads), 1, 64)
	within("max_seqs", int64(c.MaxSeqs), 1, 1024)
	within("kv_tokens", int64(c.KVTokens), 2*blockTokens, 1<<20)
	within("step_tokens", int64(c.StepTokens), 1, 4096)
	within("max_queue", int64(c.MaxQueue), 1, 1<<16)
	within("max_body_bytes", c.MaxBody, 1, 64<<20)
	within("nice", int64(c.Nice), 0, 19)
	within("step_overhead_ns", int64(c.StepOverhead), 0, int64(time.Minute))
	within("load_rate_bytes", c.LoadRate, 0, 1<<50)
	within("load_floor_ns", int64(c.LoadFloor), -1<<62, int64(time.Hour))
	within("drain_ns", int64(c.Drain), 0, int64(time.Hour))
	if err == nil && size.KVBytesPerToken()*int64(c.KVTokens) > 4<<30 {
		bad("kv_tokens is %d: the KV cache would exceed 4 GiB at %d bytes a token", c.KVTokens, size.KVBytesPerToken())
	}
	if c.OTLPEndpoint != "" {
		if u, err := url.Parse(c.OTLPEndpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			bad("otlp_endpoint %q: must be a URL such as http://127.0.0.1:4318/v1/traces", c.OTLPEndpoint)
		}
	}
	return errors.Join(errs...)
}

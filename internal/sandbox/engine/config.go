package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/worker"
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
	Store         worker.Store  `json:"store,omitzero"`            // store of weights that is asked before they are read; none
}

// WithDefaults returns the settings with each zero value replaced by its default.
func (c Config) WithDefaults() Config {
	worker.Set(&c.Listen, "127.0.0.1:0")
	worker.Set(&c.Model, "tiny")
	worker.Set(&c.ModelName, "sandbox-"+c.Model)
	worker.Set(&c.Threads, 1)
	worker.Set(&c.MaxSeqs, 8)
	worker.Set(&c.KVTokens, 4096)
	worker.Set(&c.StepTokens, 128)
	c.StepTokens = max(c.StepTokens, c.MaxSeqs)
	worker.Set(&c.MaxQueue, 512)
	worker.Set(&c.LoadFloor, 400*time.Millisecond)
	worker.Set(&c.MaxBody, 1<<20)
	worker.Set(&c.Drain, 5*time.Second)
	return c
}

// process returns the settings of the worker's process; c has its defaults.
func (c Config) process() worker.Settings {
	return worker.Settings{Instance: c.Instance, Service: "sandbox-engine", Listen: c.Listen, ModelName: c.ModelName, Threads: c.Threads, Nice: c.Nice,
		LoadFloor: c.LoadFloor, LoadRate: c.LoadRate, OTLPEndpoint: c.OTLPEndpoint, SpawnedUnixNS: c.SpawnedUnixNS, TruthPath: c.TruthPath, Drain: c.Drain, Store: c.Store}
}

// Validate returns all that is wrong with the settings, or nil.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var errs []error
	if c.WeightsDir == "" {
		errs = append(errs, errors.New("weights_dir is empty: name a directory for the weights cache"))
	}
	size, err := sizeOf(c.Model)
	errs = append(errs, err,
		worker.Within("max_seqs", int64(c.MaxSeqs), 1, 1024),
		worker.Within("kv_tokens", int64(c.KVTokens), 2*blockTokens, 1<<20),
		worker.Within("step_tokens", int64(c.StepTokens), 1, 4096),
		worker.Within("max_queue", int64(c.MaxQueue), 1, 1<<16),
		worker.Within("max_body_bytes", c.MaxBody, 1, 64<<20),
		worker.Within("step_overhead_ns", int64(c.StepOverhead), 0, int64(time.Minute)))
	if err == nil && size.KVBytesPerToken()*int64(c.KVTokens) > 4<<30 {
		errs = append(errs, fmt.Errorf("kv_tokens is %d: the KV cache would exceed 4 GiB at %d bytes a token", c.KVTokens, size.KVBytesPerToken()))
	}
	return c.process().Validate(errs...)
}

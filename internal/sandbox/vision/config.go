package vision

import (
	"errors"
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// Kind is what a [Config] carries as its kind.
const Kind = "vision"

// A Config holds all settings of one worker. The zero value of a field means its
// default, as given beside it. It is passed between processes as JSON.
type Config struct {
	Kind      string `json:"kind"`                 // "vision", by which a process knows which worker it is
	Instance  string `json:"instance"`             // id of this instance; required
	Listen    string `json:"listen,omitempty"`     // loopback host:port; "127.0.0.1:0"
	Model     string `json:"model,omitempty"`      // name of a size, see Sizes; "tiny"
	ModelName string `json:"model_name,omitempty"` // name the API answers to; "sandbox-vision-" and the size

	Threads      int           `json:"threads,omitempty"`          // cores that compute; 1
	MaxBatch     int           `json:"max_batch,omitempty"`        // images in one pass; 8
	Window       time.Duration `json:"batch_window_ns,omitempty"`  // longest wait of an image for its batch to fill; 2 ms, negative for none
	StepOverhead time.Duration `json:"step_overhead_ns,omitempty"` // host time before each forward pass, the accelerator idle; none
	MaxQueue     int           `json:"max_queue,omitempty"`        // images waiting before the worker answers 429; 512
	Seed         uint64        `json:"seed,omitempty"`             // of the weights

	WeightsDir string        `json:"weights_dir"`               // directory of the weights cache; required
	LoadFloor  time.Duration `json:"load_floor_ns,omitempty"`   // least duration of the weights read; 400 ms, negative for none
	LoadRate   int64         `json:"load_rate_bytes,omitempty"` // bytes per second of the weights read; unlimited

	OTLPEndpoint  string        `json:"otlp_endpoint,omitempty"`   // http URL for spans; without a path, /v1/traces. Empty: no spans
	SpawnedUnixNS int64         `json:"spawned_unix_ns,omitempty"` // when the parent started the process; the start of Main
	TruthPath     string        `json:"truth_path,omitempty"`      // JSON lines of what really happened; none
	Nice          int           `json:"nice,omitempty"`            // priority the process gives itself, 1..19; 0 leaves it
	MaxBody       int64         `json:"max_body_bytes,omitempty"`  // largest request body; 16 MiB
	Drain         time.Duration `json:"drain_ns,omitempty"`        // longest wait for running requests when asked to stop; 5 s
	Store         worker.Store  `json:"store,omitzero"`            // store of weights that is asked before they are read; none
}

// MaxBody is the default of the largest request body.
const MaxBody = 16 << 20

// WithDefaults returns the settings with each zero value replaced by its default.
func (c Config) WithDefaults() Config {
	worker.Set(&c.Kind, Kind)
	worker.Set(&c.Listen, "127.0.0.1:0")
	worker.Set(&c.Model, "tiny")
	worker.Set(&c.ModelName, "sandbox-vision-"+c.Model)
	worker.Set(&c.Threads, 1)
	worker.Set(&c.MaxBatch, 8)
	worker.Set(&c.Window, 2*time.Millisecond)
	worker.Set(&c.MaxQueue, 512)
	worker.Set(&c.LoadFloor, 400*time.Millisecond)
	worker.Set(&c.MaxBody, MaxBody)
	worker.Set(&c.Drain, 5*time.Second)
	return c
}

// process returns the settings of the worker's process; c has its defaults.
func (c Config) process() worker.Settings {
	return worker.Settings{Instance: c.Instance, Service: "sandbox-vision", Listen: c.Listen, ModelName: c.ModelName, Threads: c.Threads, Nice: c.Nice,
		LoadFloor: c.LoadFloor, LoadRate: c.LoadRate, OTLPEndpoint: c.OTLPEndpoint, SpawnedUnixNS: c.SpawnedUnixNS, TruthPath: c.TruthPath, Drain: c.Drain, Store: c.Store}
}

// Validate returns all that is wrong with the settings, or nil.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var errs []error
	if c.Kind != Kind {
		errs = append(errs, fmt.Errorf("kind is %q: this worker is %q", c.Kind, Kind))
	}
	if c.WeightsDir == "" {
		errs = append(errs, errors.New("weights_dir is empty: name a directory for the weights cache"))
	}
	_, err := sizeOf(c.Model)
	errs = append(errs, err,
		worker.Within("max_batch", int64(c.MaxBatch), 1, 256),
		worker.Within("batch_window_ns", int64(c.Window), -1<<62, int64(time.Minute)),
		worker.Within("max_queue", int64(c.MaxQueue), 1, 1<<16),
		worker.Within("max_body_bytes", c.MaxBody, 1, 64<<20),
		worker.Within("step_overhead_ns", int64(c.StepOverhead), 0, int64(time.Minute)))
	return c.process().Validate(errs...)
}

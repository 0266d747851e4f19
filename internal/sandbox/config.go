package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/engine"
	"github.com/assay-dev/assay/internal/sandbox/vision"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// Config holds the dials of a deployment. The zero value is not usable: start from [Defaults].
type Config struct {
	// Where it listens. Loopback only.
	Listen      string `json:"listen"`       // gateway; port 0 picks one
	AdminListen string `json:"admin_listen"` // admin server

	// The model and its workers.
	Kind         string        `json:"kind,omitempty"`            // llm or vision; empty: llm
	Model        string        `json:"model"`                     // size: nano, tiny, small or base
	ModelName    string        `json:"model_name"`                // as the API names it; empty: sandbox-, the kind unless llm, and the size
	WeightsDir   string        `json:"weights_dir"`               // cache of weights files
	Seed         uint64        `json:"seed"`                      // of weights, sampling and stored documents
	Threads      int           `json:"threads"`                   // cores one worker computes on
	MaxSeqs      int           `json:"max_seqs"`                  // sequences or images in one batch of a worker
	KVTokens     int           `json:"kv_tokens"`                 // KV cache of a worker, in tokens; llm only
	BatchWindow  time.Duration `json:"batch_window_ns,omitempty"` // longest wait of an image for its batch to fill; 0: 2 ms, negative for none; vision only
	StepOverhead time.Duration `json:"step_overhead_ns"`          // host time of each step, the accelerator idle
	LoadFloor    time.Duration `json:"load_floor_ns"`             // least duration of reading the weights; negative for none
	LoadRate     int64         `json:"load_rate_bytes"`           // bytes per second of reading the weights; 0 unlimited
	WeightsHost  string        `json:"weights_host,omitempty"`    // name of the store that workers look up and ask before they read the weights; empty: they ask nobody
	Retrieval    time.Duration `json:"retrieval_delay_ns"`        // duration of the retrieval before each request; 0 for none
	HopDelay     time.Duration `json:"hop_delay_ns"`              // network delay in each direction between gateway and worker
	Nice         int           `json:"nice"`                      // scheduling priority of the platform and its workers, 0 to 19
	Exe          string        `json:"executable,omitempty"`      // binary of the workers; empty: this one

	// The gateway.
	ConcurrencyLimit int           `json:"concurrency_limit"`    // requests one instance gets at once; 0 is no limit
	QueueLimit       int           `json:"queue_limit"`          // requests of one tenant that may wait at the gateway; the next gets 429
	QueueTimeout     time.Duration `json:"queue_timeout_ns"`     // longest wait at the gateway, then 503
	NoRetry          bool          `json:"no_retry"`             // do not try another instance when one refuses the connection
	Scheduling       string        `json:"scheduling,omitempty"` // least_loaded, round_robin, priority or queue_length; empty: least_loaded
	Tenants          []Tenant      `json:"tenants,omitempty"`    // who share the deployment, by the header X-Tenant; none: one tenant

	// The autoscaler, in Knative's terms.
	MinScale          int           `json:"min_scale"`
	MaxScale          int           `json:"max_scale"`
	InitialScale      int           `json:"initial_scale"`      // instances to begin with, 0 allowed
	ActivationScale   int           `json:"activation_scale"`   // fewest instances while there is load
	Target            float64       `json:"target"`             // requests in flight per instance at full use
	TargetUtilization float64       `json:"target_utilization"` // part of Target to aim at
	Tick              time.Duration `json:"tick_ns"`            // period of decisions
	StableWindow      time.Duration `json:"stable_window_ns"`
	PanicWindow       time.Duration `json:"panic_window_ns"`
	PanicThreshold    float64       `json:"panic_threshold"`
	MaxScaleUpRate    float64       `json:"max_scale_up_rate"`
	MaxScaleDownRate  float64       `json:"max_scale_down_rate"`
	KeepLast          bool          `json:"keep_last"` // never scale to zero
	Grace             time.Duration `json:"scale_to_zero_grace_ns"`
	ScaleDownDelay    time.Duration `json:"scale_down_delay_ns"`

	// Probes and ends.
	ProbePeriod   time.Duration `json:"probe_period_ns"`       // of an instance that has been ready
	ProbeTimeout  time.Duration `json:"probe_timeout_ns"`      // of one probe
	ProbeFailures int           `json:"probe_failures"`        // failures in a row that eject an instance
	StartProbe    time.Duration `json:"start_probe_period_ns"` // period while it starts: the resolution of the readiness phase
	HangKill      time.Duration `json:"hang_kill_ns"`          // probes failing for this long get the process killed and replaced
	StartTimeout  time.Duration `json:"start_timeout_ns"`      // an instance not ready by then is killed
	DrainTimeout  time.Duration `json:"drain_timeout_ns"`      // longest wait for requests in flight before an instance is stopped
	StopTimeout   time.Duration `json:"stop_timeout_ns"`       // from SIGTERM to SIGKILL

	// What it leaves behind.
	OTLPEndpoint string `json:"otlp_endpoint,omitempty"` // http URL for spans; empty: none are sent
	LogDir       string `json:"log_dir,omitempty"`       // a log file for each worker; empty: the platform's stderr
	TruthDir     string `json:"truth_dir,omitempty"`     // truth logs; empty: none
}

// Defaults returns a deployment sized for two cores: one instance of the tiny model
// carries 8 requests a second with headroom, two are wanted whenever there is load, and
// windows are short enough that a minute shows every transition.
func Defaults() Config {
	return Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		Model: "tiny", WeightsDir: DefaultWeightsDir(), Seed: 1, Threads: 1, MaxSeqs: 8, KVTokens: 4096, LoadFloor: 400 * time.Millisecond, Nice: 19,
		ConcurrencyLimit: 12, QueueLimit: 64, QueueTimeout: 30 * time.Second,
		MinScale: 0, MaxScale: 2, InitialScale: 0, ActivationScale: 2, Target: 4, TargetUtilization: 0.7,
		Tick: 500 * time.Millisecond, StableWindow: 6 * time.Second, PanicWindow: time.Second, PanicThreshold: 2,
		MaxScaleUpRate: 1000, MaxScaleDownRate: 2, Grace: 2 * time.Second,
		ProbePeriod: 250 * time.Millisecond, ProbeTimeout: 500 * time.Millisecond, ProbeFailures: 2, StartProbe: 25 * time.Millisecond,
		HangKill: 2500 * time.Millisecond, StartTimeout: 60 * time.Second, DrainTimeout: 10 * time.Second, StopTimeout: 3 * time.Second,
	}
}

// DefaultWeightsDir returns the directory in which weights are cached between runs.
func DefaultWeightsDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "assay", "weights")
}

// Name returns the model as the API names it.
func (c Config) Name() string {
	if c.ModelName != "" {
		return c.ModelName
	}
	if c.Kind == KindVision {
		return "sandbox-vision-" + c.Model
	}
	return "sandbox-" + c.Model
}

// kpa returns the settings of the autoscaler's decisions. Knative's burst capacity only says when the
// activator may leave the path; here it never does.
func (c Config) kpa() KPASpec {
	return KPASpec{Target: c.Target * c.TargetUtilization, Total: c.Target, Burst: -1, StableWindow: c.StableWindow, PanicThreshold: c.PanicThreshold,
		MaxScaleUpRate: c.MaxScaleUpRate, MaxScaleDownRate: c.MaxScaleDownRate, ActivationScale: c.ActivationScale, ScaleDownDelay: c.ScaleDownDelay}
}

// The kinds of model, in Config.Kind.
const (
	KindLLM    = "llm"
	KindVision = vision.Kind
)

// settings returns the settings of one worker of the deployment's kind, as its process reads them.
func (c Config) settings(id string, spawned time.Time, store worker.Store) any {
	if c.Kind == KindVision {
		w := c.vision(id, spawned)
		w.Store = store
		return w
	}
	w := c.worker(id, spawned)
	w.Store = store
	return w
}

// ensureWeights makes the weights file of the deployment.
func (c Config) ensureWeights() error {
	var err error
	if c.Kind == KindVision {
		_, _, err = vision.EnsureWeights(c.vision("w-0", time.Now()))
	} else {
		_, _, err = engine.EnsureWeights(c.worker("w-0", time.Now()))
	}
	return err
}

// vision returns the settings of one image classifier.
func (c Config) vision(id string, spawned time.Time) vision.Config {
	llm := c.worker(id, spawned) // what both have is decided in one place
	w := vision.Config{Kind: vision.Kind, Instance: id, Listen: llm.Listen, Model: c.Model, ModelName: llm.ModelName, Threads: c.Threads,
		MaxBatch: c.MaxSeqs, Window: c.BatchWindow, StepOverhead: c.StepOverhead, Seed: c.Seed, WeightsDir: c.WeightsDir,
		LoadFloor: llm.LoadFloor, LoadRate: c.LoadRate, OTLPEndpoint: c.OTLPEndpoint, SpawnedUnixNS: llm.SpawnedUnixNS, Nice: c.Nice, Drain: llm.Drain}
	if c.TruthDir != "" {
		w.TruthPath = filepath.Join(c.TruthDir, "vision-"+id+".jsonl")
	}
	return w
}

// worker returns the settings of one language model worker.
func (c Config) worker(id string, spawned time.Time) engine.Config {
	w := engine.Config{Instance: id, Listen: "127.0.0.1:0", Model: c.Model, ModelName: c.Name(),
		Threads: c.Threads, MaxSeqs: c.MaxSeqs, KVTokens: c.KVTokens, StepOverhead: c.StepOverhead, Seed: c.Seed,
		WeightsDir: c.WeightsDir, LoadFloor: c.LoadFloor, LoadRate: c.LoadRate,
		OTLPEndpoint: c.OTLPEndpoint, SpawnedUnixNS: spawned.UnixNano(), Nice: c.Nice, Drain: c.StopTimeout / 3}
	if c.LoadFloor == 0 {
		w.LoadFloor = -1 // here 0 means none, there it means the default
	}
	if c.TruthDir != "" {
		w.TruthPath = filepath.Join(c.TruthDir, "engine-"+id+".jsonl")
	}
	return w
}

// Validate returns all that is wrong with the settings, each with its path and what would be right, or nil.
func (c Config) Validate() error {
	var errs []error
	bad := func(path, format string, args ...any) { errs = append(errs, fmt.Errorf(path+": "+format, args...)) }
	atLeast := func(path string, v, least int) {
		if v < least {
			bad(path, "%d is too small; must be at least %d", v, least)
		}
	}
	span := func(path string, v, least time.Duration) {
		if v < least {
			bad(path, "%s is too short; must be at least %s", v, least)
		}
	}
	rate := func(path string, v, least float64) {
		if !(v >= least) {
			bad(path, "%g is too small; must be at least %g", v, least)
		}
	}
	for path, addr := range map[string]string{"listen": c.Listen, "admin_listen": c.AdminListen} {
		host, _, err := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); err != nil {
			bad(path, "%q is not an address; write for example 127.0.0.1:8080", addr)
		} else if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			bad(path, "%q is not on loopback; the sandbox serves this machine only, for example 127.0.0.1:8080", addr)
		}
	}
	atLeast("concurrency_limit", c.ConcurrencyLimit, 0)
	atLeast("queue_limit", c.QueueLimit, 0)
	span("queue_timeout_ns", c.QueueTimeout, time.Millisecond)
	span("retrieval_delay_ns", c.Retrieval, 0)
	span("hop_delay_ns", c.HopDelay, 0)
	if c.WeightsHost != "" && !hostForm.MatchString(c.WeightsHost) {
		bad("weights_host", "%q is no name of a host; write for example weights.example", c.WeightsHost)
	}
	atLeast("min_scale", c.MinScale, 0)
	atLeast("max_scale", c.MaxScale, max(1, c.MinScale))
	for _, s := range []struct {
		path string
		n    int
	}{{"initial_scale", c.InitialScale}, {"activation_scale", c.ActivationScale}} {
		atLeast(s.path, s.n, 0)
		if s.n > c.MaxScale {
			bad(s.path, "%d is more than max_scale, %d", s.n, c.MaxScale)
		}
	}
	if c.MaxScale > 64 {
		bad("max_scale", "%d is too large; at most 64 workers on one machine", c.MaxScale)
	}
	rate("target", c.Target, 0.01)
	if !(c.TargetUtilization > 0 && c.TargetUtilization <= 1) {
		bad("target_utilization", "%g is out of range; must be above 0 and at most 1", c.TargetUtilization)
	}
	span("tick_ns", c.Tick, 10*time.Millisecond)
	span("panic_window_ns", c.PanicWindow, 10*time.Millisecond)
	span("stable_window_ns", c.StableWindow, c.PanicWindow)
	rate("panic_threshold", c.PanicThreshold, 1)
	rate("max_scale_up_rate", c.MaxScaleUpRate, 1.01)
	rate("max_scale_down_rate", c.MaxScaleDownRate, 1.01)
	span("scale_to_zero_grace_ns", c.Grace, 0)
	span("scale_down_delay_ns", c.ScaleDownDelay, 0)
	span("probe_period_ns", c.ProbePeriod, 10*time.Millisecond)
	span("probe_timeout_ns", c.ProbeTimeout, 10*time.Millisecond)
	if c.ProbeTimeout <= 2*c.HopDelay {
		bad("probe_timeout_ns", "%s is not longer than a round trip over the link, %s", c.ProbeTimeout, 2*c.HopDelay)
	}
	atLeast("probe_failures", c.ProbeFailures, 1)
	span("start_probe_period_ns", c.StartProbe, time.Millisecond)
	span("hang_kill_ns", c.HangKill, c.ProbeTimeout)
	span("start_timeout_ns", c.StartTimeout, time.Second)
	span("drain_timeout_ns", c.DrainTimeout, 0)
	span("stop_timeout_ns", c.StopTimeout, 10*time.Millisecond)
	if c.Nice < 0 || c.Nice > 19 {
		bad("nice", "%d is out of range; must be 0 to 19", c.Nice)
	}
	if u, err := url.Parse(c.OTLPEndpoint); c.OTLPEndpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http") {
		bad("otlp_endpoint", "%q is not an http URL; write for example http://127.0.0.1:4318", c.OTLPEndpoint)
	}
	if c.Kind != "" && c.Kind != KindLLM && c.Kind != KindVision {
		bad("kind", "%q is no kind of model; write %s or %s", c.Kind, KindLLM, KindVision)
	}
	var err error
	if c.Kind == KindVision {
		err = c.vision("w-1", time.Now()).Validate()
	} else {
		err = c.worker("w-1", time.Now()).Validate()
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("worker: %w", err))
	}
	errs = append(errs, c.checkTenants()...)
	return errors.Join(errs...)
}

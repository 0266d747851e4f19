package sandbox

import "time"

// A Dial is a deployment whose bottleneck is known, because all but one resource have
// been given in plenty. It is what attribution is scored against.
type Dial struct {
	Name       string // class of the bottleneck: compute, memory, storage, network, concurrency or cold_start
	Config     Config
	Load       Load          // under which the bottleneck shows
	Relief     func(*Config) // takes the bottleneck away and leaves all else
	Why        string        // why this is the bottleneck
	Confusable string        // what a naive reading would take it for
}

// Load is the load a deployment is meant to be run with: Poisson arrivals of requests of one shape.
type Load struct {
	Rate         float64       `json:"rate_per_s"`
	PromptTokens int           `json:"prompt_tokens"`
	OutputTokens int           `json:"output_tokens"`
	Duration     time.Duration `json:"duration_ns"`
}

// one returns the default deployment with a single instance that stays, and nothing else that holds requests back.
func one() Config {
	c := Defaults()
	c.MinScale, c.MaxScale, c.InitialScale, c.ActivationScale = 1, 1, 1, 1
	c.ConcurrencyLimit, c.QueueLimit = 0, 256
	return c
}

// Dials returns the named configurations, one for each class of bottleneck.
func Dials() []Dial {
	compute := one()
	compute.Model = "base"

	memory := one()
	memory.KVTokens, memory.MaxSeqs, memory.StepOverhead = 224, 16, 4*time.Millisecond

	storage := one()
	storage.Retrieval = 600 * time.Millisecond

	network := one()
	network.HopDelay, network.ProbeTimeout = 150*time.Millisecond, time.Second

	concurrency := one()
	concurrency.ConcurrencyLimit, concurrency.StepOverhead = 1, 8*time.Millisecond

	cold := Defaults()
	cold.MaxScale, cold.ActivationScale = 1, 1
	cold.Tick, cold.StableWindow, cold.PanicWindow, cold.Grace = 100*time.Millisecond, 500*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	cold.LoadFloor = 2 * time.Second

	return []Dial{
		{Name: "compute", Config: compute, Load: Load{Rate: 2, PromptTokens: 64, OutputTokens: 16, Duration: 20 * time.Second},
			Relief:     func(c *Config) { c.Model = "tiny" },
			Why:        "The model is ten times the default on the same core, so nearly all of a request's time is spent in forward passes or waiting for those of others; the KV cache, the batch and the network have room.",
			Confusable: "concurrency, when steps of a full batch are waited for"},
		{Name: "memory", Config: memory, Load: Load{Rate: 3, PromptTokens: 96, OutputTokens: 64, Duration: 20 * time.Second},
			Relief:     func(c *Config) { c.KVTokens = 8192 },
			Why:        "The KV cache holds one sequence at its full length and a bit, so sequences wait for blocks or are preempted and computed again, while the batch has room and the accelerator idles for most of each step.",
			Confusable: "concurrency, since requests wait while the accelerator idles"},
		{Name: "storage", Config: storage, Load: Load{Rate: 4, PromptTokens: 32, OutputTokens: 16, Duration: 15 * time.Second},
			Relief:     func(c *Config) { c.Retrieval = 0 },
			Why:        "Each request first reads a document from a slow store, which takes many times as long as computing its answer.",
			Confusable: "network, since the store is reached over a socket"},
		{Name: "network", Config: network, Load: Load{Rate: 4, PromptTokens: 32, OutputTokens: 16, Duration: 15 * time.Second},
			Relief:     func(c *Config) { c.HopDelay = 0 },
			Why:        "Each direction between gateway and worker is delayed by a multiple of the time that computing the answer takes; the answer streams, so the round trip is paid once.",
			Confusable: "compute, when the upstream span is taken for the engine's work"},
		{Name: "concurrency", Config: concurrency, Load: Load{Rate: 7, PromptTokens: 32, OutputTokens: 16, Duration: 15 * time.Second},
			Relief:     func(c *Config) { c.ConcurrencyLimit = 0 },
			Why:        "The gateway gives the only instance one request at a time, and the host's part of each step leaves the accelerator idle for most of it: a batch would share that time, but requests wait in line instead.",
			Confusable: "compute, since the instance is never without a request"},
		{Name: "cold_start", Config: cold, Load: Load{Rate: 0.5, PromptTokens: 32, OutputTokens: 16, Duration: 25 * time.Second},
			Relief:     func(c *Config) { c.MinScale, c.InitialScale = 1, 1 },
			Why:        "The deployment goes to zero within a second of silence and its weights take two seconds to read, so most requests find no instance and wait for a start.",
			Confusable: "storage, since the start spends its time reading weights"},
	}
}

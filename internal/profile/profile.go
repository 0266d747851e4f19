// Package profile holds the vocabularies of engines, GPUs and platforms as data:
// which series shows a quantity, in which unit, under which name since when. Raw
// series are recorded under the names their exporters gave them; names are mapped
// here, when the series are read, so that a mistake in a table costs a reading
// and never a recording.
//
// Each table is one YAML file beside this one, embedded, with a version and the
// date and source it was checked against. Adding an engine is one such file.
//
//	profile.For("vllm").Query(profile.KVUsage, "instance_id", "w-1")
//
// is the PromQL for the KV cache's use of one instance, whatever vLLM calls it in
// the version that was recorded. [Detect] names the vocabularies that a set of metric
// names belongs to. attributes.yaml does the same for span attributes: see [Renamed] and [Private].
package profile

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/assay-dev/assay"
)

// A Quantity is one thing that can be read off a target, by our name for it.
type Quantity string

// The quantities.
const (
	Running     Quantity = "running"     // requests in the running batch
	Waiting     Quantity = "waiting"     // requests in the engine's queue
	KVUsage     Quantity = "kv_usage"    // used share of the KV cache
	Preemptions Quantity = "preemptions" // requests pushed out of the batch
	TokensIn    Quantity = "tokens_in"
	TokensOut   Quantity = "tokens_out"
	Success     Quantity = "success" // requests answered
	TTFT        Quantity = "ttft"    // as the server counts it
	ITL         Quantity = "itl"
	TPOT        Quantity = "tpot"
	E2E         Quantity = "e2e"
	QueueTime   Quantity = "queue_time"
	PrefillTime Quantity = "prefill_time"
	DecodeTime  Quantity = "decode_time"

	Failure       Quantity = "failure"        // requests the engine failed or gave up
	InferenceTime Quantity = "inference_time" // in the model, without the queue
	LoadTime      Quantity = "load_time"      // of the model, or of its weights
	StartupTime   Quantity = "startup_time"   // of the engine, from its process to its first request

	PrefixHitRatio Quantity = "prefix_hit_ratio" // share of the prompt tokens whose KV state was found
	PrefixHits     Quantity = "prefix_hits"      // prompt tokens whose KV state was found
	CacheHitRatio  Quantity = "cache_hit_ratio"  // share of the look-ups that a cache of answers or data served
	CacheHits      Quantity = "cache_hits"
	CacheHitTime   Quantity = "cache_hit_time" // of a request that the cache served
	Evictions      Quantity = "evictions"      // entries that a cache pushed out

	// Of a proxy in front of the platform.
	HopConnections   Quantity = "hop_connections"          // of clients, open now
	HopIdle          Quantity = "hop_idle_connections"     // of those, the ones kept open without a request
	HopAccepted      Quantity = "hop_connections_accepted" // of clients, since it began
	HopHandled       Quantity = "hop_connections_handled"  // of those, the ones that it had room for
	HopRequests      Quantity = "hop_requests"             // of clients
	HopTime          Quantity = "hop_time"                 // that a request spent in the proxy and on its client's wire, not waiting for the upstream
	ClientGone       Quantity = "client_gone"              // requests whose client went away first
	UpstreamTime     Quantity = "upstream_time"            // that a request waited for the upstream
	UpstreamConnect  Quantity = "upstream_connect_time"
	UpstreamFirst    Quantity = "upstream_first_byte_time" // from asking the upstream to its first byte
	UpstreamActive   Quantity = "upstream_active"          // requests that the upstream works on
	UpstreamPending  Quantity = "upstream_pending"         // requests that wait for a connection to the upstream
	UpstreamOverflow Quantity = "upstream_overflow"        // requests refused since too many were pending
	UpstreamRetries  Quantity = "upstream_retries"         // times that the upstream was asked again behind the client's back
	UpstreamTimeouts Quantity = "upstream_timeouts"
	Ejections        Quantity = "ejections" // of upstream servers that failed too often

	GPUBusy         Quantity = "gpu_busy"
	GPUTensorActive Quantity = "gpu_tensor_active"
	GPUDRAMActive   Quantity = "gpu_dram_active"
	GPUMemUsed      Quantity = "gpu_mem_used"
	GPUMemFree      Quantity = "gpu_mem_free"
	GPUMemTotal     Quantity = "gpu_mem_total"
	GPUProcessMem   Quantity = "gpu_process_mem" // memory that one process holds
	GPUPower        Quantity = "gpu_power"
	GPUEnergy       Quantity = "gpu_energy"
	GPUTemp         Quantity = "gpu_temp"
	GPUMemTemp      Quantity = "gpu_mem_temp"
	GPUClock        Quantity = "gpu_clock" // of the cores
	GPUMemClock     Quantity = "gpu_mem_clock"

	GPUThrottleMask   Quantity = "gpu_throttle_mask" // bits of the reasons of internal/gpu
	GPUThrottled      Quantity = "gpu_throttled_"    // with the name of a reason: for how long its clocks were held down for it
	GPUThrottling     Quantity = "gpu_throttling_"   // with the name of a reason: the share of the time just past
	GPUECCCorrected   Quantity = "gpu_ecc_corrected"
	GPUECCUncorrected Quantity = "gpu_ecc_uncorrected"
	GPURemappedCorr   Quantity = "gpu_remapped_corrected"
	GPURemappedUncorr Quantity = "gpu_remapped_uncorrected"
	GPURemapFailure   Quantity = "gpu_remap_failure"
	GPURemapPending   Quantity = "gpu_remap_pending"
	GPURecovery       Quantity = "gpu_recovery_action"
	GPUResets         Quantity = "gpu_resets"
	GPUXIDLast        Quantity = "gpu_xid_last"  // sticky: the same error again does not show
	GPUXIDCount       Quantity = "gpu_xid_count" // within the exporter's window
	GPUPCIeReplays    Quantity = "gpu_pcie_replays"
	GPUPCIeTX         Quantity = "gpu_pcie_tx"
	GPUPCIeRX         Quantity = "gpu_pcie_rx"
	GPULinkCRCFlit    Quantity = "gpu_nvlink_crc_flit_errors"
	GPULinkCRCData    Quantity = "gpu_nvlink_crc_data_errors"
	GPULinkReplay     Quantity = "gpu_nvlink_replay_errors"
	GPULinkRecovery   Quantity = "gpu_nvlink_recovery_errors"

	Desired           Quantity = "desired" // instances wanted
	Ready             Quantity = "ready"   // instances in routing
	NotReady          Quantity = "not_ready"
	Panic             Quantity = "panic"  // the autoscaler is in its panic window
	Queued            Quantity = "queued" // requests held by the platform
	Concurrency       Quantity = "concurrency"
	ConcurrencyStable Quantity = "concurrency_stable"
	ConcurrencyPanic  Quantity = "concurrency_panic"
	ConcurrencyTarget Quantity = "concurrency_target"
	Requested         Quantity = "requested"   // instances that the cluster was asked for
	Pending           Quantity = "pending"     // instances that are not scheduled or not started
	Terminating       Quantity = "terminating" // instances told to stop

	Restarts   Quantity = "restarts"    // processes of instances that were started again
	ExitReason Quantity = "exit_reason" // 1 with the reason in a label
	ExitCode   Quantity = "exit_code"
	ExitedAt   Quantity = "exited_at"  // s since 1970
	StartedAt  Quantity = "started_at" // s since 1970
	InBackOff  Quantity = "in_back_off"
	PodReady   Quantity = "pod_ready"

	AnswersScrape Quantity = "answers_scrape" // 1 or 0, by target
	ProcessStart  Quantity = "process_start"  // s since 1970

	ProbeSuccess Quantity = "probe_success" // 1 or 0, by target, of what looks from outside
	ProbeTime    Quantity = "probe_time"
	Evicted      Quantity = "evicted"
	OOMs         Quantity = "ooms"          // processes killed for their memory
	Memory       Quantity = "memory"        // of a process or container
	MemoryLimit  Quantity = "memory_limit"  // beyond which it is killed
	CPUThrottled Quantity = "cpu_throttled" // time for which processes were held for their limit

	ScalerActive  Quantity = "scaler_active"
	ScalerValue   Quantity = "scaler_value"
	ScalerLatency Quantity = "scaler_latency"
	ScalerErrors  Quantity = "scaler_errors"
	ScaleLoopLag  Quantity = "scale_loop_lag"
	ScalingPaused Quantity = "scaling_paused"
)

// The types of series.
const (
	Gauge     = "gauge"
	Counter   = "counter"
	Histogram = "histogram"
	Summary   = "summary"  // quantiles made by the exporter, with _sum and _count
	Quotient  = "quotient" // the growth of one counter over that of another: a mean of what the first sums up, or a share
	Response  = "response" // no series: a field of each answer
)

var types = []string{Gauge, Counter, Histogram, Summary, Quotient, Response}

// A Profile is one vocabulary.
type Profile struct {
	Kind       string            `yaml:"kind"`
	Title      string            `yaml:"title"`
	Version    int               `yaml:"version"` // of the table
	Date       string            `yaml:"date"`    // when it was last checked
	Source     string            `yaml:"source"`
	Labels     map[string]string `yaml:"labels"` // our name of a dimension: theirs, several with spaces between them
	Quantities map[Quantity]Spec `yaml:"quantities"`

	index map[string][]Quantity // by every name of a series
}

// A Spec says how a quantity is exposed.
type Spec struct {
	Type  string     `yaml:"type"`
	Unit  assay.Unit `yaml:"unit"` // after Scale
	Help  string     `yaml:"help"`
	Trap  string     `yaml:"trap"`  // what a reader of the number has to know; empty for nothing
	Names []Name     `yaml:"names"` // the newest first; where several are exposed, the first counts
}

// A Name is one name that a quantity has or had.
type Name struct {
	Metric string  `yaml:"metric"`
	Type   string  `yaml:"type"`  // where it is another than the quantity's
	Scale  float64 `yaml:"scale"` // exposed value × Scale is in Unit; 0 means 1
	Since  string  `yaml:"since"` // first version of the exporter that has it; empty where not known
	Until  string  `yaml:"until"` // first version without it

	// Match are labels that a series must have: a value, or one after an operator of PromQL (!=, =~, !~).
	Match map[string]string `yaml:"match"`
	// Per is what a gauge or the growth of a counter is divided by, its labels PerMatch. Beside is the same where the divisor is both.
	Per      string            `yaml:"per"`
	PerMatch map[string]string `yaml:"per_match"`
	Beside   string            `yaml:"beside"`
}

//go:embed *.yaml
var files embed.FS

var load = sync.OnceValue(func() []*Profile {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic(err)
	}
	var out []*Profile
	for _, name := range names {
		if name == "attributes.yaml" {
			continue
		}
		b, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		p, err := parse(b)
		if err != nil {
			panic(fmt.Sprintf("profile %s: %v", name, err)) // embedded, so a bug
		}
		out = append(out, p)
	}
	return out
})

func parse(b []byte) (*Profile, error) {
	p := &Profile{index: make(map[string][]Quantity)}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(p); err != nil {
		return nil, err
	}
	for _, q := range slices.Sorted(maps.Keys(p.Quantities)) { // so that Shows is in order
		s := p.Quantities[q]
		if len(s.Names) == 0 || !slices.Contains(types, s.Type) {
			return nil, fmt.Errorf("%s: needs names and one of the types %s", q, strings.Join(types, ", "))
		}
		for i := range s.Names {
			n := &s.Names[i]
			n.Type = cmp.Or(n.Type, s.Type)
			if !slices.Contains(types, n.Type) || n.Type == Quotient && n.Per == "" && n.Beside == "" {
				return nil, fmt.Errorf("%s: %s is of the type %q; want one of %s, and per or beside for a %s", q, n.Metric, n.Type, strings.Join(types, ", "), Quotient)
			}
			for _, name := range n.series() {
				if !slices.Contains(p.index[name], q) {
					p.index[name] = append(p.index[name], q)
				}
			}
		}
	}
	return p, nil
}

// series returns the names of the series that show the quantity.
func (n *Name) series() []string {
	switch n.Type {
	case Histogram:
		return []string{n.Metric, n.Metric + "_bucket", n.Metric + "_sum", n.Metric + "_count"}
	case Summary:
		return []string{n.Metric, n.Metric + "_sum", n.Metric + "_count"}
	case Response:
		return nil
	}
	return []string{n.Metric}
}

// Series returns the names of all series that the vocabulary reads, sorted: what to ask a store for.
func (p *Profile) Series() []string {
	if p == nil {
		return nil
	}
	names := slices.Collect(maps.Keys(p.index))
	for _, s := range p.Quantities {
		for _, n := range s.Names {
			names = append(names, n.Per, n.Beside)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

// Kinds returns the names of all vocabularies, sorted.
func Kinds() []string {
	var out []string
	for _, p := range load() {
		out = append(out, p.Kind)
	}
	slices.Sort(out)
	return out
}

// For returns the vocabulary of that kind, or nil; a nil Profile has no quantities.
func For(kind string) *Profile {
	for _, p := range load() {
		if p.Kind == kind {
			return p
		}
	}
	return nil
}

// Detect returns the kinds whose quantities occur among the metric names, the one with most first.
func Detect(names []string) []string {
	type hit struct {
		kind string
		n    int
	}
	var hits []hit
	for _, p := range load() {
		if p.Kind == "prometheus" {
			continue // every target has these
		}
		found := make(map[Quantity]bool)
		for _, n := range names {
			for _, q := range p.index[n] {
				found[q] = true
			}
		}
		if len(found) > 0 {
			hits = append(hits, hit{p.Kind, len(found)})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.kind, b.kind)
	})
	var out []string
	for _, h := range hits {
		out = append(out, h.kind)
	}
	return out
}

// Label returns the names that a dimension has, or had, in this vocabulary.
func (p *Profile) Label(dimension string) []string {
	if p == nil {
		return nil
	}
	return strings.Fields(p.Labels[dimension])
}

// GPUs are the vocabularies of GPUs' exporters, the one that tells most first.
var GPUs = []string{"dcgm", "nvidia-smi", "amd-gpu", "intel-gpu", "table"}

// Spec returns how q is exposed, and whether it is at all.
func (p *Profile) Spec(q Quantity) (Spec, bool) {
	if p == nil {
		return Spec{}, false
	}
	s, ok := p.Quantities[q]
	return s, ok
}

// Shows returns the quantities that a metric name shows, in order. The name of a histogram's series may have its suffix. There are
// several where labels tell them apart.
func (p *Profile) Shows(metric string) []Quantity {
	if p == nil {
		return nil
	}
	return slices.Clone(p.index[metric])
}

// Response returns the quantity that a field of an answer shows and what its value is multiplied by to be in the quantity's unit.
func (p *Profile) Response(field string) (q Quantity, scale float64, ok bool) {
	if p == nil {
		return "", 0, false
	}
	for q, s := range p.Quantities {
		for _, n := range s.Names {
			if n.Type == Response && n.Metric == field {
				return q, cmp.Or(n.Scale, 1), true
			}
		}
	}
	return "", 0, false
}

// Package plan reads what a person wants to know and is willing to do to find out: target, load,
// faults, objectives, guards and budget, in one strict YAML file.
//
// Parse decodes the file with the position of every setting, so that a wrong one is
// refused with its line, its path, its value and what would be right. Validate then checks
// what only the parts can know: which faults and metrics exist. It gets their names as
// [Kinds], since this package imports none of the parts. A plan without a setting gets the
// default written in the field's comment. Schema gives the JSON schema of the types below.
//
// Files that a plan names lie relative to its own directory.
//
// Secrets never stand in a plan: a credential is the name of an environment variable or of a file.
package plan

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/assay-dev/assay"
)

// APIVersion is the only version of the plan's format.
const APIVersion = "assay/v1"

// A Plan is one plan file.
type Plan struct {
	APIVersion string      `yaml:"apiVersion" json:"apiVersion" jsonschema:"enum=assay/v1,description=Version of the plan's format."`
	Name       string      `yaml:"name" json:"name" jsonschema:"pattern=^[a-zA-Z0-9][a-zA-Z0-9._-]{0\\,62}$,description=Name of the plan; it becomes part of the run's directory."`
	Seed       uint64      `yaml:"seed" json:"seed,omitempty" jsonschema:"description=Seed of all randomness; the same seed gives the same schedule and faults. Default 1."`
	Target     Target      `yaml:"target" json:"target" jsonschema:"description=What is assessed."`
	Mode       string      `yaml:"mode" json:"mode,omitempty" jsonschema:"enum=gameday,description=gameday: ask a person on the terminal before each fault and take notes."`
	Suite      *Suite      `yaml:"suite" json:"suite,omitempty" jsonschema:"description=A standard sequence of load and faults in place of load and chaos."`
	Load       []Load      `yaml:"load" json:"load" jsonschema:"minItems=1,description=Load phases, one after another."`
	Canary     *Canary     `yaml:"canary" json:"canary,omitempty" jsonschema:"description=A request with a known answer that rides along all load and faults."`
	Chaos      []Fault     `yaml:"chaos" json:"chaos,omitempty" jsonschema:"description=Faults, on the same clock as the load."`
	Limits     *Limits     `yaml:"limits" json:"limits,omitempty" jsonschema:"description=Blast radius: how much faults may hurt at once. A strike that would pass a limit is void."`
	Objectives []Objective `yaml:"objectives" json:"objectives,omitempty" jsonschema:"description=What must hold. Each gets a verdict of its own."`
	SLO        *SLO        `yaml:"slo" json:"slo,omitempty" jsonschema:"description=Promises to users in OpenSLO files."`
	Guards     []Guard     `yaml:"guards" json:"guards,omitempty" jsonschema:"description=Limits that end the run at once and revert all faults."`
	Stop       *Stop       `yaml:"stop" json:"stop,omitempty" jsonschema:"description=How the run is stopped at once other than by a signal."`
	Notify     []Webhook   `yaml:"notify" json:"notify,omitempty" jsonschema:"description=Who is told of the run by HTTP."`
	Alerts     *Alerts     `yaml:"alerts" json:"alerts,omitempty" jsonschema:"description=Alerts that the faults should raise: whether they would have; and that nobody is woken."`
	Budget     Budget      `yaml:"budget" json:"budget,omitempty" jsonschema:"description=Hard stops."`
	Collect    Collect     `yaml:"collect" json:"collect,omitempty" jsonschema:"description=What to watch beside our own requests."`

	Assume []Assumption `yaml:"assume" json:"assume,omitempty" jsonschema:"description=How often failures of each kind strike in operation: weighs what is injected and projects what they would cost."`

	Hypothesis []Hypothesis `yaml:"hypothesis" json:"hypothesis,omitempty" jsonschema:"description=Steady state: what must hold before the first fault and again after each. What it does during each is recorded."`

	OpenSLO []assay.SLO `yaml:"-" json:"-"` // what the files of SLO promise, once they were read

	src *decoder // where each setting stands in the file
}

// Objective asks something of one metric.
type Objective struct {
	Metric  string   `yaml:"metric" json:"metric" jsonschema:"description=Path of the metric; assay list names them."`
	Phase   string   `yaml:"phase" json:"phase,omitempty" jsonschema:"description=Only this load phase."`
	Fault   string   `yaml:"fault" json:"fault,omitempty" jsonschema:"description=Only this kind of fault."`
	Cause   string   `yaml:"cause" json:"cause,omitempty" jsonschema:"enum=xid_app,enum=xid_platform,enum=xid_link,enum=xid_gpu,enum=xid_node,enum=oom,enum=crash,enum=hang,enum=network,enum=platform,enum=server_error,enum=content,enum=unknown,description=Only natural failures of this cause; for failure_rate/service and failure_rate/instance."`
	Class   string   `yaml:"class" json:"class,omitempty" jsonschema:"description=Only requests of this class: for latencies and what is told by class (see the metrics)."`
	Cold    string   `yaml:"cold" json:"cold,omitempty" jsonschema:"enum=cold,enum=all,description=Cold or all requests instead of warm ones."`
	Forced  bool     `yaml:"forced" json:"forced,omitempty" jsonschema:"description=Only the starts that the plan forced; for metrics of cold starts."`
	By      string   `yaml:"by" json:"by,omitempty" jsonschema:"description=How availability is counted: request or time or user; or during a fault by fault. Of neighbour/latency the class that is loud."`
	Max     *Value   `yaml:"max" json:"max,omitempty" jsonschema:"description=Highest allowed value."`
	Min     *Value   `yaml:"min" json:"min,omitempty" jsonschema:"description=Lowest allowed value."`
	Against *Value   `yaml:"against" json:"against,omitempty" jsonschema:"description=With until: decided of a phase: the value that must not be taken for good. The objective is then decided by Wald's test of its goal against this while the load goes on; for mtbf/service and failure_rate/service."`
	Risk    Fraction `yaml:"risk" json:"risk,omitempty" jsonschema:"description=With against: chance of rejecting what is as good as the goal and of accepting what is as bad as against. Default 5%."`

	Target *Value `yaml:"target" json:"target,omitempty" jsonschema:"description=Share of requests that is promised to be good; it gives a budget of bad ones. metric is then availability or a latency whose max a good request keeps."`
	Window Window `yaml:"window" json:"window,omitempty" jsonschema:"description=With target: how long the budget lasts. Default 30d."`
	Name   string `yaml:"name" json:"name,omitempty" jsonschema:"description=With target: name of the promise. Default: its metric and max."`

	at string // where it stands in the plan, if not among the objectives but in a preset's slo: its bound is Max until Validate turns it
}

// Budget holds hard stops of the run.
type Budget struct {
	Requests    int      `yaml:"requests" json:"requests,omitempty" jsonschema:"minimum=1,description=Most requests sent."`
	For         Duration `yaml:"for" json:"for,omitempty" jsonschema:"description=Longest time from the first request."`
	Tokens      int64    `yaml:"tokens" json:"tokens,omitempty" jsonschema:"minimum=1,description=Most tokens of prompts and answers together."`
	Instances   int      `yaml:"instances" json:"instances,omitempty" jsonschema:"minimum=1,description=Most instances that the platform may run at once."`
	Accelerator Duration `yaml:"accelerator" json:"accelerator,omitempty" jsonschema:"description=Most accelerator time: accelerators times how long instances hold them."`
	Money       Money    `yaml:"money" json:"money,omitzero" jsonschema:"description=Most money by the price file."`
	Prices      string   `yaml:"prices" json:"prices,omitempty" jsonschema:"description=Price file; relative to the plan."`
}

// Collect says what is watched beside our own requests. The sandbox is watched without asking.
type Collect struct {
	OTLP       *OTLP        `yaml:"otlp" json:"otlp,omitempty" jsonschema:"description=Take traces and metrics from the target."`
	Tempo      []Tempo      `yaml:"tempo" json:"tempo,omitempty" jsonschema:"description=Read the traces of our requests back from Grafana Tempo after the load."`
	Jaeger     []Jaeger     `yaml:"jaeger" json:"jaeger,omitempty" jsonschema:"description=Read the traces of our requests back from a Jaeger query service after the load."`
	Prometheus []Prometheus `yaml:"prometheus" json:"prometheus,omitempty" jsonschema:"description=Scrape metrics."`
	Logs       []Log        `yaml:"logs" json:"logs,omitempty" jsonschema:"description=Follow logs of engines on this machine."`
	Loki       []Loki       `yaml:"loki" json:"loki,omitempty" jsonschema:"description=Follow logs of engines in Loki during the run and read the rest after it."`
	Probes     *Probes      `yaml:"probes" json:"probes,omitempty" jsonschema:"description=Look at liveness and readiness."`

	Elasticsearch []Elasticsearch `yaml:"elasticsearch" json:"elasticsearch,omitempty" jsonschema:"description=Follow logs of engines in Elasticsearch or OpenSearch during the run and read the rest after it."`

	RemoteWrite *RemoteWrite `yaml:"remoteWrite" json:"remoteWrite,omitempty" jsonschema:"description=Take samples that a Prometheus or an agent sends by remote write."`

	NvidiaSMI *NvidiaSMI `yaml:"nvidiaSMI" json:"nvidiaSMI,omitempty" jsonschema:"description=Ask nvidia-smi of this machine about its GPUs and the processes on them."`
	NVML      *NVML      `yaml:"nvml" json:"nvml,omitempty" jsonschema:"description=Ask the driver's library of this machine by the command assay-nvml: use and memory and clocks of GPUs and their errors as they happen."`
	KernelLog *KernelLog `yaml:"kernelLog" json:"kernelLog,omitempty" jsonschema:"description=Follow the kernel log of this machine for errors of GPUs."`
	XIDTable  []XIDRow   `yaml:"xidTable" json:"xidTable,omitempty" jsonschema:"description=Rows of the table of GPU errors in place of the built-in ones."`

	Kubernetes *KubernetesCollect `yaml:"kubernetes" json:"kubernetes,omitempty" jsonschema:"description=Watch the pods of a cluster and what makes them: lives of instances and why they went. Reads only."`
	CloudWatch []CloudWatch       `yaml:"cloudwatch" json:"cloudwatch,omitempty" jsonschema:"description=Read metrics of Amazon CloudWatch while they come. Reads only."`
	RunPod     []RunPod           `yaml:"runpod" json:"runpod,omitempty" jsonschema:"description=Ask RunPod for the jobs and workers of endpoints. Reads only."`
	Nginx      *Nginx             `yaml:"nginx" json:"nginx,omitempty" jsonschema:"description=Watch an nginx in front of the target."`
	Envoy      *Envoy             `yaml:"envoy" json:"envoy,omitempty" jsonschema:"description=Watch an Envoy in front of the target."`
}

// OTLP is where traces are taken in.
type OTLP struct {
	GRPC  string `yaml:"grpc" json:"grpc,omitempty" jsonschema:"description=Address to listen on. Default 127.0.0.1:4317."`
	HTTP  string `yaml:"http" json:"http,omitempty" jsonschema:"description=Address to listen on. Default 127.0.0.1:4318."`
	Token Auth   `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the token is that senders must show; needed beyond loopback."`
}

// Prometheus is one metrics endpoint or a list of them.
type Prometheus struct {
	URL      string            `yaml:"url" json:"url,omitempty" jsonschema:"description=Metrics endpoint."`
	HTTPSD   string            `yaml:"httpSD" json:"httpSD,omitempty" jsonschema:"description=Endpoint that lists targets in Prometheus' HTTP service discovery form."`
	Interval Duration          `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Default 1s."`
	Labels   map[string]string `yaml:"labels" json:"labels,omitempty" jsonschema:"description=Labels added to each series."`
}

//go:embed builtin.yaml
var builtin []byte

// Builtin returns the pre-release plan on the sandbox: what `assay run` does without a plan.
func Builtin() []byte { return builtin }

// Read reads and decodes the plan file at path.
func Read(path string) (*Plan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return Parse(path, data)
}

// Parse decodes a plan and fills in defaults. The error joins one *Error for each thing wrong. What it returns
// must still be validated.
func Parse(file string, data []byte) (*Plan, error) {
	p := &Plan{}
	d, err := decode(file, data, p)
	if err != nil {
		return nil, err
	}
	p.src = d
	if err := p.expand(); err != nil {
		return nil, err
	}
	p.defaults()
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// JSON returns the plan with its defaults, as run.json keeps it, and its hash. The hash leaves out the seed and where things listen and
// credentials lie: another seed is another attempt at the same plan.
func (p *Plan) JSON() (raw json.RawMessage, hash string, err error) {
	raw, err = json.Marshal(p)
	if err != nil {
		return nil, "", fmt.Errorf("encode plan: %w", err)
	}
	same := *p
	same.Seed, same.Collect, same.Target.Auth = 0, Collect{}, Credential{}
	same.Target.TLS = nil
	same.Guards, same.Stop, same.Notify, same.Alerts = withoutTokens(p.Guards), nil, nil, nil
	same.Hypothesis = withoutHypothesisTokens(p.Hypothesis)
	essence, err := json.Marshal(&same)
	if err != nil {
		return nil, "", fmt.Errorf("encode plan: %w", err)
	}
	sum := sha256.Sum256(essence)
	return raw, hex.EncodeToString(sum[:8]), nil
}

package plan

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/suggest"
)

// Fault is one fault and when it strikes. What its kind demands is checked where the kinds are known.
type Fault struct {
	Name      string    `yaml:"name" json:"name,omitempty" jsonschema:"pattern=^[a-zA-Z0-9][a-zA-Z0-9._-]{0\\,62}$,description=What reports call it. Default: its kind and number; for example kill-1."`
	Fault     string    `yaml:"fault" json:"fault" jsonschema:"description=Kind of fault; assay list fault names them."`
	By        string    `yaml:"by" json:"by,omitempty" jsonschema:"enum=local,enum=chaosmesh,enum=kubernetes,enum=lambda,enum=wire,enum=toolkit,description=Driver that does it. Default: the first that the target offers and that knows the kind."`
	At        Duration  `yaml:"at" json:"at" jsonschema:"description=When: from the beginning of the load or of the phase."`
	Phase     string    `yaml:"phase" json:"phase,omitempty" jsonschema:"description=Phase that at counts from."`
	For       Duration  `yaml:"for" json:"for,omitempty" jsonschema:"description=How long it is held. Kinds that strike once do not need it."`
	When      string    `yaml:"when" json:"when,omitempty" jsonschema:"enum=scale-from-zero,enum=saturation,description=Condition that at counts from: the moment at which it is first seen after the beginning of the load or of the phase."`
	Repeat    *Repeat   `yaml:"repeat" json:"repeat,omitempty" jsonschema:"description=Strike more than once."`
	Serial    []Fault   `yaml:"serial" json:"serial,omitempty" jsonschema:"description=Instead of a fault: faults one after another. Each at counts from when the one before is clear."`
	Parallel  []Fault   `yaml:"parallel" json:"parallel,omitempty" jsonschema:"description=Instead of a fault: faults together. Each at counts from that of the group."`
	Group     *Group    `yaml:"-" json:"group,omitempty"`
	Instances Count     `yaml:"instances" json:"instances,omitzero" jsonschema:"description=How many instances are hurt: a number or a share of those that are ready. Default 1."`
	Mode      string    `yaml:"mode" json:"mode,omitempty" jsonschema:"enum=reset,enum=close,enum=blackhole,enum=refuse,enum=status,enum=latency,enum=hang,enum=tls-expired,enum=fin,enum=rst,enum=stall,enum=slow,enum=corrupt,enum=address-space,enum=oom,enum=fail,enum=short,enum=nxdomain,enum=servfail,enum=drop,enum=delay,enum=wrong,enum=errno,enum=abort,enum=error,enum=random,description=cut: reset or close or blackhole or refuse; default reset. http: status or latency or hang or tls-expired; default status. stream: fin or rst or stall or slow or corrupt; default fin. memory-limit: address-space or oom; default address-space. slow-reads: slow or fail or short; default slow. dns: nxdomain or servfail or drop or delay or wrong; default nxdomain; by chaosmesh error or random. io: latency or errno; default latency. http by chaosmesh: status or latency or abort."`
	Delay     *Duration `yaml:"delay" json:"delay,omitempty" jsonschema:"description=delay: added to each direction. slow-close: how much later ends are passed on. http with mode latency: before the first byte. stream with mode slow: before each token. slow-reads: of each read. dns with mode delay: before each answer. io with mode latency: before each call."`
	Jitter    *Duration `yaml:"jitter" json:"jitter,omitempty" jsonschema:"description=For delay: random part on top."`

	Rate  Size     `yaml:"rate" json:"rate,omitempty" jsonschema:"description=bandwidth: bytes per second and direction; 1KiB to 256KiB. slow-reads: bytes per second of all reads; 32KiB or more."`
	Bytes Size     `yaml:"bytes" json:"bytes,omitempty" jsonschema:"description=memory-limit: what the process may have beyond what it has. memory and gpu-memory: what is held. disk: what is taken at most; default all but what is kept. slow-reads with mode short: of each file."`
	CPUs  int      `yaml:"cpus" json:"cpus,omitempty" jsonschema:"minimum=1,description=For cpu: busy threads; by chaosmesh workers in the pod."`
	Quota Fraction `yaml:"quota" json:"quota,omitempty" jsonschema:"description=For cpu-quota: what of a CPU the process may use; for example 20% or 150%."`
	Dir   string   `yaml:"dir" json:"dir,omitempty" jsonschema:"description=disk: absolute path of a directory on it. slow-reads: absolute path of the directory that the server reads its model from; default that of the sandbox. io: where the pod mounts the volume."`
	Keep  Size     `yaml:"keep" json:"keep,omitempty" jsonschema:"description=For disk: what stays free. Default and least 64MiB."`

	Experiment string `yaml:"experiment" json:"experiment,omitempty" jsonschema:"description=For experiment: the file of an experiment of Chaos Toolkit; relative to the plan."`

	Status      int      `yaml:"status" json:"status,omitempty" jsonschema:"minimum=400,maximum=599,description=For http with mode status: what is answered."`
	RetryAfter  Duration `yaml:"retryAfter" json:"retryAfter,omitempty" jsonschema:"description=For http with mode status: sent as Retry-After; whole seconds."`
	Tokens      int      `yaml:"tokens" json:"tokens,omitempty" jsonschema:"minimum=0,description=For stream: tokens before it is cut; with mode corrupt the number of the token."`
	After       int64    `yaml:"after" json:"after,omitempty" jsonschema:"minimum=0,description=For http and stream: none of the first so many requests."`
	First       int64    `yaml:"first" json:"first,omitempty" jsonschema:"minimum=0,description=For http and stream: only so many requests and then none."`
	Every       int64    `yaml:"every" json:"every,omitempty" jsonschema:"minimum=0,description=For http and stream: one in so many requests."`
	Probability Fraction `yaml:"probability" json:"probability,omitempty" jsonschema:"description=For http and stream and dns: each request or lookup with this chance by the plan's seed. loss and duplicate and corrupt: this part of the packets. io: this part of the calls."`

	Names  []string `yaml:"names" json:"names,omitempty" jsonschema:"description=For dns: the names whose lookups fail; *.x for all below x. Default all."`
	Answer string   `yaml:"answer" json:"answer,omitempty" jsonschema:"description=For dns with mode wrong: the IP address answered. Default one of loopback where nobody listens."`

	GPU   int `yaml:"gpu" json:"gpu,omitempty" jsonschema:"minimum=0,maximum=63,description=For gpu-memory and gpu-clocks and gpu-lost and xid: index of the card. Default 0."`
	MHz   int `yaml:"mhz" json:"mhz,omitempty" jsonschema:"minimum=1,description=For gpu-clocks: what the clock of its cores is locked to."`
	Watts int `yaml:"watts" json:"watts,omitempty" jsonschema:"minimum=1,description=For gpu-clocks: its power limit."`
	XID   int `yaml:"xid" json:"xid,omitempty" jsonschema:"minimum=1,maximum=255,description=For xid: number of the error. Default 79."`

	Change    // by kubernetes and lambda
	MeshFault // by chaosmesh

	at, number string // where it stands in the plan, and the number that it goes by
}

// fault checks what can be known without the table of kinds.
func (c *checker) fault(at string, f *Fault, phases map[string]bool) {
	if f.Fault == "" {
		c.bad(at, "names no fault; for example kill")
	}
	if f.Group == nil && f.Phase != "" && !phases[f.Phase] {
		c.bad(at+".phase", "%q is no load phase; %s", f.Phase, suggest.Meant(f.Phase, names(phases)))
	}
	if n := f.Instances; n.Share == 0 && (n.N < 1 || n.N > 1000) {
		c.bad(at+".instances", "%d is out of range; 1 to 1000", n.N)
	}
	if f.For.D() > time.Hour {
		c.bad(at+".for", "%v is out of range; at most 1h", f.For.D())
	}
}

// FaultKind is what a plan must know of one kind of fault.
type FaultKind struct {
	Name      string
	NeedsFor  bool     // it is held, so a plan must say how long
	By        []string // drivers that do it, in the order in which one is chosen
	Platform  bool     // by the local driver it needs a platform of ours: a link, the way of requests, a start
	NeedsEnd  bool     // by kubernetes only with something in the cluster that ends it
	Available error    // why the local driver cannot do it here

	Refuses func(*Fault) error // why the fault cannot be done by its driver as it is set; asked for the faults of a suite
}

// faults checks the faults against the kinds there are.
func (c *checker) faults(p *Plan, kinds []FaultKind) {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	for i, f := range p.Chaos {
		at := f.path(i)
		j := slices.Index(names, f.Fault)
		if j < 0 {
			c.bad(at+".fault", "%q is no kind of fault; %s", f.Fault, suggest.Meant(f.Fault, names))
			continue
		}
		k := &kinds[j]
		by, err := p.driver(&f, k)
		if err != nil {
			c.bad(at+".fault", "%v", err)
			continue
		}
		p.Chaos[i].By = by
		c.changes(at, p, &p.Chaos[i], k)
		switch {
		case by == byLocal && k.Available != nil:
			c.bad(at+".fault", "%s is not available here: %v", f.Fault, k.Available)
		case by == byLocal && f.Fault == "slow-reads" && f.Dir == "" && p.Target.Kind != "sandbox":
			c.bad(at+".dir", "is missing: the directory that the server reads its model from")
		case k.NeedsFor && f.For == 0:
			c.bad(at, "%s needs for: how long it is held", f.Fault)
		case !k.NeedsFor && f.For != 0:
			c.bad(at+".for", "%s strikes once and is not held; leave for out", f.Fault)
		case by == byWire && f.Mode == "tls-expired" && !strings.HasPrefix(p.Target.URL, "https://"):
			c.bad(at+".mode", "target.url has no TLS whose certificate could expire; want https")
		case f.Fault == "dns" && by == byLocal && p.Target.Sandbox.WeightsHost == "":
			c.bad(at+".fault", "the sandbox's workers look up no name; set target.sandbox.weightsHost; for example weights.example")
		case f.Fault == "dns" && by == byWire && p.Target.numeric():
			c.bad(at+".fault", "target.url has an address and no name, so nothing is looked up")
		case by == byWire && f.Instances != Count{N: 1}:
			c.bad(at+".instances", "%v: nothing is known of the target's instances; leave it out", f.Instances)
		}
	}
}

// numeric reports whether the target's URL has an address in place of a name.
func (t *Target) numeric() bool {
	u, err := url.Parse(t.URL)
	return err == nil && net.ParseIP(u.Hostname()) != nil
}

// wire reports whether a fault proxy can stand in front of the target: one for HTTP/1.1, whose address is not that of the target and so
// must not be part of what is signed.
func (t *Target) wire() bool {
	return !t.HTTP2 && !slices.Contains([]string{"openinference-grpc", "lambda", "sagemaker"}, t.Kind)
}

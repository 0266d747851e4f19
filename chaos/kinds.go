package chaos

import (
	"context"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// A Kind is one kind of fault.
type Kind struct {
	Name      string
	Help      string       // one sentence: what it does, how it is undone
	Lasting   bool         // it holds until undone, so a step must say for how long
	Wire      bool         // it can also lie between the load and a target that nothing is known of
	Platform  bool         // it needs a platform of ours: a link in front of an instance, the way of requests to it, or its start
	Machine   bool         // it hurts the machine and with it all instances, so a step says nothing of how many
	Whole     bool         // the local driver lays it on the deployment as a whole, likewise
	Simulated bool         // nothing is hurt: it only looks so to those who watch
	Available func() error // why the local driver cannot do it on this machine, or nil
	Proven    Proof        // how the local driver was shown to do it; zero: live, on the real thing
	settings  []string     // names of the settings that it knows beyond those of all kinds
	check     func(*Step) []Wrong
	preview   func(*Step) string
	local     func(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error)
}

// Kinds returns the table of faults, in the order people should read it.
func Kinds() []Kind {
	return slices.Concat([]Kind{
		{Name: "kill", Help: "Ends the process of an instance with SIGKILL; the platform has to replace it.",
			Available: signalsWork, check: checkNothing, preview: previewKill, local: planKill},
		{Name: "terminate", Help: "Asks the process of an instance to end with SIGTERM, as a node that is drained does; the platform has to replace it.",
			Available: signalsWork, check: checkNothing, preview: previewTerminate, local: planTerminate},
		{Name: "crashloop", Help: "Ends the process of an instance with SIGKILL and, once for each such end, that of the newest instance that has come up since, as soon as it is ready; ends by itself.",
			Lasting: true, Available: signalsWork, check: checkNothing, preview: previewCrashLoop, local: planCrashLoop},
		{Name: "hang", Help: "Freezes the process of an instance with SIGSTOP: connects still succeed, so a probe by TCP passes, and nothing answers; undone with SIGCONT.",
			Lasting: true, Available: signalsWork, check: checkNothing, preview: previewHang, local: planHang},
		{Name: "delay", Help: "Delays the network in front of an instance, live connections included; undone by restoring the link.",
			Lasting: true, Platform: true, Available: always, settings: []string{"delay", "jitter"}, check: checkDelay, preview: previewDelay, local: planDelay},
		{Name: "cut", Help: "Cuts the network in front of an instance: reset, close, blackhole or refuse; undone by restoring the link.",
			Lasting: true, Platform: true, Available: always, settings: []string{"mode"}, check: checkCut, preview: previewCut, local: planCut},
		{Name: "bandwidth", Help: "Limits the bytes per second each way on the network in front of an instance; undone by restoring the link.",
			Lasting: true, Platform: true, Available: always, settings: []string{"rate"}, check: checkBandwidth, preview: previewBandwidth, local: planBandwidth},
		{Name: "slow-close", Help: "Passes the orderly ends of connections on later, so that clients hold what is over; undone by restoring the link.",
			Lasting: true, Platform: true, Available: always, settings: []string{"delay"}, check: checkSlowClose, preview: previewSlowClose, local: planSlowClose},
		{Name: "slow-start", Help: "Has the platform of the sandbox hold back each instance that starts before its process is made; undone by lifting that, which lets go who is held back.",
			Lasting: true, Platform: true, Whole: true, Available: always, settings: []string{"delay"}, check: checkSlowStart, preview: previewSlowStart, local: planSlowStart},
		{Name: "loss", Help: "Loses packets at random each way on the way to an instance, so that TCP sends them again later; by rules in the packet filter of this machine (root, nf_tables), undone by removing them.",
			Lasting: true, Available: lossWorks, settings: []string{"probability"}, check: checkLoss, preview: previewLoss, local: planLoss},
		{Name: "files", Help: "Takes the process of an instance the right to open file descriptors: what is open goes on, new connections are never answered; undone by restoring its limit.",
			Lasting: true, Available: limitsWork, check: checkNothing, preview: previewFiles, local: planFiles},
		{Name: "memory-limit", Help: "Lets the process of an instance have only so many more bytes: with mode address-space one that asks for more is told no, with mode oom (a control group of ours; root) the kernel kills it; undone by restoring its limit or group.",
			Lasting: true, Available: limitsWork, settings: []string{"bytes", "mode"}, check: checkMemoryLimit, preview: previewMemoryLimit, local: planMemoryLimit},
		{Name: "cpu-quota", Help: "Lets the process of an instance and its descendants use only so much CPU time, in a control group of ours (root, or a group that was delegated); undone by moving them back and removing it.",
			Lasting: true, Available: cgroupsWork("cpu"), settings: []string{"quota"}, check: checkQuota, preview: previewQuota, local: planQuota},
		{Name: "cpu", Help: "Keeps so many threads of the machine busy in a nice process of ours; undone by killing it.",
			Lasting: true, Machine: true, Available: signalsWork, settings: []string{"cpus"}, check: checkCPU, preview: previewCPU, local: planCPU},
		{Name: "memory", Help: "Holds so much of the machine's memory, half of what is available at most, in a process of ours that is the first to go; undone by killing it.",
			Lasting: true, Machine: true, Available: signalsWork, settings: []string{"bytes"}, check: checkFree, preview: previewMemory, local: planMemory},
		{Name: "disk", Help: "Takes the space of the disk that a directory is on by a file of ours and keeps a reserve free; undone by removing it.",
			Lasting: true, Machine: true, Available: disksWork, settings: []string{"dir", "bytes", "keep"}, check: checkDisk, preview: previewDisk, local: planDisk},
		{Name: "slow-reads", Help: "Reads files below a directory (of the sandbox the weights; else dir) slowly, not at all (fail) or only their beginning (short), for whoever opens them meanwhile, by a FUSE file system of ours mounted over it (root); undone by taking it away.",
			Lasting: true, Machine: true, Available: fuseWorks, settings: []string{"dir", "mode", "delay", "rate", "bytes"}, check: checkReads, preview: previewReads, local: planReads},
		{Name: "experiment", Help: "Plays an experiment of Chaos Toolkit: its hypothesis, its method of HTTP requests and processes, and the hypothesis again; undone by playing its rollbacks.",
			Available: always},
		{Name: "http", Help: "Hurts requests: status with Retry-After, latency, hang (health checks pass all the while) or tls-expired; all, the first, one in so many or by chance; undone by taking the fault proxy out of their way.",
			Lasting: true, Wire: true, Platform: true, Available: always, settings: append([]string{"mode", "status", "retryAfter", "delay"}, choice...), check: checkHTTP, preview: previewRequest, local: planRequest},
		{Name: "stream", Help: "Hurts streams of tokens: fin, rst or stall after so many tokens, slow, or one corrupt; chosen and undone as http.",
			Lasting: true, Wire: true, Platform: true, Available: always, settings: append([]string{"mode", "tokens", "delay"}, choice...), check: checkStream, preview: previewRequest, local: planRequest},
		{Name: "dns", Help: "Makes lookups of names fail, of those listed or of all: nxdomain, servfail, drop, delay or wrong. In the sandbox those of workers that start (target.sandbox.weightsHost); elsewhere our own, on our side of the wire. What is connected goes on; undone at the name server.",
			Lasting: true, Wire: true, Platform: true, Whole: true, Available: always, settings: []string{"mode", "names", "answer", "delay", "probability"}, check: checkDNS, preview: previewDNS, local: planDNS},
	}, meshOnlyKinds(), gpuKinds(), platformKinds())
}

// MachineID is the name that the victim of a fault of the whole machine goes by.
const MachineID = assay.WholeMachine

// choice are the settings that say which requests are struck.
var choice = []string{"after", "first", "every", "probability"}

// find returns the kind named name.
func find(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// one returns the name of the one victim that the local driver has for the kind, or "" where instances are hurt.
func (k *Kind) one() string {
	switch {
	case k.Machine:
		return MachineID
	case k.Whole:
		return assay.WholeTarget
	}
	return ""
}

func always() error { return nil }

func checkNothing(*Step) []Wrong { return nil }

// An Action is one fault against one victim, ready to be armed. Planning it has touched nothing.
type Action struct {
	Kind    string
	Target  string   // id of the victim
	Touches []string // exactly what will be touched, in words
	Undo    Undo     // takes the fault away; its id is set by whoever arms it
	Ends    bool     // its effect is the end of its victim, so that it is over with that
	Takes   bool     // it ends its victim, where that is not seen from here: no process on this machine
	Holds   []string // what no other fault may change meanwhile: "limit:as:PID", "cgroup:PID", "mount:DIR"; a strike on what is held is void

	// Patience is how much longer than others its effect and its undo may take: a controller in a cluster has to act.
	Patience time.Duration
	// Look is how much longer than others its effect is looked for: it may come late, with the load.
	Look time.Duration

	// Apply puts the fault in force. It calls stamp right before the call that does.
	Apply func(ctx context.Context, stamp func()) error
	// Effect measures the fault and says what it saw. It tries until it has seen the effect or ctx is done.
	Effect func(ctx context.Context) (string, error)
	// May takes a further victim for the fault in the place of its last, which is gone, or says why that may not be hurt. Set by the runner.
	May func(v Victim, all []Victim, ready int) error
	// Basis is what the effect is known by, once Effect has returned; "" is measured.
	Basis assay.EffectBasis
	// During runs while the fault is held, from its effect until ctx is done, and then says what it did. May be nil.
	During func(ctx context.Context) string
	// Lifted measures, after the undo was verified, that the effect is gone. It tries until ctx is done. May be nil.
	Lifted func(ctx context.Context) error
	// Ended reports why the fault cannot be in force any more although no one undid it, or "". May be nil.
	Ended func() string
}

// until calls try every pause until it returns nil or ctx is done, and then returns its last error, but for that of a try that was cut short.
func until(ctx context.Context, pause time.Duration, try func() error) error {
	t := time.NewTimer(pause)
	defer t.Stop()
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		t.Reset(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			return last
		}
	}
}

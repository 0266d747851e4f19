package chaos

import (
	"context"
	"time"
)

// A Kind is one kind of fault.
type Kind struct {
	Name      string
	Help      string       // one sentence: what it does, how it is undone
	Lasting   bool         // it holds until undone, so a step must say for how long
	Wire      bool         // it can also lie between the load and a target that nothing is known of
	Available func() error // why it cannot be done on this machine, or nil
	settings  []string     // names of the settings that it knows beyond those of all kinds
	check     func(*Step) []Wrong
	preview   func(*Step) string
	local     func(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error)
}

// Kinds returns the table of faults, in the order people should read it.
func Kinds() []Kind {
	return []Kind{
		{Name: "kill", Help: "Ends the process of an instance with SIGKILL; the platform has to replace it.",
			Available: signalsWork, check: checkNothing, preview: previewKill, local: planKill},
		{Name: "hang", Help: "Freezes the process of an instance with SIGSTOP: connects still succeed, nothing answers; undone with SIGCONT.",
			Lasting: true, Available: signalsWork, check: checkNothing, preview: previewHang, local: planHang},
		{Name: "delay", Help: "Delays the network in front of an instance, live connections included; undone by restoring the link.",
			Lasting: true, Available: always, settings: []string{"delay", "jitter"}, check: checkDelay, preview: previewDelay, local: planDelay},
		{Name: "cut", Help: "Cuts the network in front of an instance: reset, close, blackhole or refuse; undone by restoring the link.",
			Lasting: true, Available: always, settings: []string{"mode"}, check: checkCut, preview: previewCut, local: planCut},
		{Name: "http", Help: "Hurts requests: status with Retry-After, latency, hang (health checks pass all the while) or tls-expired; all, the first, one in so many or by chance; undone by taking the fault proxy out of their way.",
			Lasting: true, Wire: true, Available: always, settings: append([]string{"mode", "status", "retryAfter", "delay"}, choice...), check: checkHTTP, preview: previewRequest, local: planRequest},
		{Name: "stream", Help: "Hurts streams of tokens: fin, rst or stall after so many tokens, slow, or one corrupt; chosen and undone as http.",
			Lasting: true, Wire: true, Available: always, settings: append([]string{"mode", "tokens", "delay"}, choice...), check: checkStream, preview: previewRequest, local: planRequest},
	}
}

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

func always() error { return nil }

func checkNothing(*Step) []Wrong { return nil }

// An Action is one fault against one victim, ready to be armed. Planning it has touched nothing.
type Action struct {
	Kind    string
	Target  string   // id of the victim
	Touches []string // exactly what will be touched, in words
	Undo    Undo     // takes the fault away; its id is set by whoever arms it

	// Apply puts the fault in force. It calls stamp right before the call that does.
	Apply func(ctx context.Context, stamp func()) error
	// Effect measures the fault and says what it saw. It tries until it has seen the effect or ctx is done.
	Effect func(ctx context.Context) (string, error)
	// Lifted measures, after the undo was verified, that the effect is gone. It tries until ctx is done. May be nil.
	Lifted func(ctx context.Context) error
	// Ended reports why the fault cannot be in force any more although no one undid it, or "". May be nil.
	Ended func() string
}

// A Driver knows the deployment: what may be hurt, and how. Its methods may be called at once.
type Driver interface {
	// Victims lists the instances that are ready and may be hurt, in a stable order, and
	// how many are ready in all.
	Victims(ctx context.Context) (victims []Victim, ready int, err error)
	// Plan makes an action. It touches nothing.
	Plan(ctx context.Context, s *Step, v Victim) (*Action, error)
}

// until calls try every pause until it returns nil or ctx is done, and then returns its last error.
func until(ctx context.Context, pause time.Duration, try func() error) error {
	t := time.NewTimer(pause)
	defer t.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		t.Reset(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			return err
		}
	}
}

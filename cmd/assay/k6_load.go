package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/script"
	"github.com/assay-dev/assay/internal/stream"
)

// A k6Load is a phase of the plan that assay-k6 plays as a child process. Its records come over a socket and become part of
// the run, on the run's clock and under the phase's name.
type k6Load struct {
	s      *session
	load   *plan.Load
	binary string
	script string

	scenarios int // of the script
}

const (
	k6Grace = 5 * time.Second // to end after an interrupt
	k6Tail  = 5 * time.Second // to read the rest of the stream after its end
)

// Statuses with which k6 ends.
const (
	k6ThresholdsCrossed = 99
	k6Interrupted       = 105
	k6Aborted           = 108
)

// run implements loadgen.External.
func (k *k6Load) run(ctx context.Context, _ int64, emit func(assay.Record) error) error {
	s, name := k.s, k.load.Name
	dir, err := os.MkdirTemp("", "assay-k6-*") // a socket's path must be short
	if err != nil {
		return k.broken("make room for the socket", err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "run.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return k.broken("listen for its records", err)
	}
	defer listener.Close()
	logs := filepath.Join(s.dir, "logs", "k6-"+name+".log")
	if err := os.MkdirAll(filepath.Dir(logs), 0o755); err != nil {
		return k.broken("make its log", err)
	}
	log, err := os.Create(logs)
	if err != nil {
		return k.broken("make its log", err)
	}
	defer log.Close()
	args := []string{"run", "--quiet", "--no-color", "--out", OutK6 + "=unix:" + socket}
	if !slices.ContainsFunc(k.load.Args, func(a string) bool { return strings.HasPrefix(a, "--summary") }) {
		args = append(args, "--summary-mode=disabled") // k6 keeps each value of each Trend for it; the report says the same and more
	}
	cmd := exec.Command(k.binary, append(append(args, k.load.Args...), k.script)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = k6Environ(k.environment()), log, log
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return k.broken("start it", err)
	}
	if err := k.own(ctx, cmd); err != nil {
		killGroup(cmd)
		_ = cmd.Wait()
		return k.broken("hand it to the guardian", err)
	}

	type received struct {
		manifest *assay.Manifest
		err      error
	}
	got := make(chan received, 1)
	var reading sync.WaitGroup
	reading.Go(func() { // ends with the child, whose end closes the listener and the connection
		conn, err := listener.Accept()
		if err != nil {
			got <- received{err: stream.ErrCut}
			return
		}
		defer conn.Close()
		v := &stream.Receiver{Clock: s.clock, Begin: k.begin, Emit: func(r assay.Record) error { return k.take(r, emit) }}
		m, err := v.Receive(conn)
		got <- received{m, err} // what was refused is counted by emit
	})
	exited := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() { k.end(ctx, cmd, exited) })
	waited := cmd.Wait()
	close(exited)
	waiting.Wait()
	tail := time.AfterFunc(k6Tail, func() { listener.Close() })
	defer tail.Stop()
	if waited != nil || ctx.Err() != nil {
		listener.Close() // it may never have connected
	}
	r := <-got
	reading.Wait()
	return k.outcome(ctx, cmd, r.manifest, r.err, logs)
}

// OutK6 names the output of assay-k6 that records a run.
const OutK6 = "assay"

// environment tells the script of the run and its target; the plan's own settings come first, so that they cannot change the run's.
func (k *k6Load) environment() map[string]string {
	s, t := k.s, &k.s.plan.Target
	env := maps.Clone(k.load.Env)
	if env == nil {
		env = map[string]string{}
	}
	for name, value := range map[string]string{"ASSAY_RUN_ID": s.manifest.ID, "ASSAY_RUN_NAME": s.plan.Name, "ASSAY_RELEASE": t.Release, "ASSAY_URL": t.URL,
		"ASSAY_KIND": t.Kind, "ASSAY_MODEL": t.Model} {
		env[name] = value
	}
	if s.wire != nil {
		env["ASSAY_URL"] = s.wire.url
	}
	if t.Kind == "sandbox" {
		env["ASSAY_URL"], env["ASSAY_KIND"] = "http://127.0.0.1:1", "openai" // while a script is only read
		if s.platform != nil {
			env["ASSAY_URL"] = s.platform.URL
		}
		if c, err := deployment(s.plan); err == nil {
			env["ASSAY_MODEL"] = c.Name()
		}
		if t.Sandbox.Kind == "vision" {
			env["ASSAY_KIND"] = t.Sandbox.Protocol
		}
	}
	if s.keeper != nil { // the token of now: k6 cannot ask for another
		if v, err := s.keeper.Get(); err == nil && v.Token != "" {
			env["ASSAY_TOKEN"] = v.Token
		}
	}
	return env
}

// own makes the guardian kill the child's group when this process dies.
func (k *k6Load) own(ctx context.Context, cmd *exec.Cmd) error {
	p, err := chaos.ProcessOf(cmd.Process.Pid)
	if err != nil {
		return err
	}
	return k.s.guardian.OwnLoad(context.WithoutCancel(ctx), p)
}

// end interrupts the child when ctx is done and kills it if that does not help, or at once when a person is in a hurry.
func (k *k6Load) end(ctx context.Context, cmd *exec.Cmd, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(os.Interrupt)
	grace := time.NewTimer(k6Grace)
	defer grace.Stop()
	select {
	case <-exited:
	case <-grace.C:
		killGroup(cmd)
	case <-k.s.hurry:
		killGroup(cmd)
	}
}

// begin takes over what the child's manifest says: its clock, and its thresholds as objectives.
func (k *k6Load) begin(m *assay.Manifest, offset assay.Offset) {
	var of struct {
		K6 struct {
			Scenarios []struct{ Name string } `json:"scenarios"`
		} `json:"k6"`
	}
	if json.Unmarshal(m.Plan, &of) == nil {
		k.scenarios = len(of.K6.Scenarios)
	}
	offset.Source = "k6 " + k.load.Name
	var list []assay.Objective
	for _, o := range m.Objectives {
		labels := maps.Clone(o.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		switch phase := labels["phase"]; {
		case phase != "":
			labels["phase"] = k.phase(phase)
		case labels["threshold"] != "" || k.scenarios == 1 && o.Metric != "error_ratio":
			labels["phase"] = k.load.Name
		default: // it would speak of the whole run; k6's own verdict on it stands
			continue
		}
		o.Labels = labels
		list = append(list, o)
	}
	err := k.s.store.SetManifest(func(m *assay.Manifest) {
		m.Offsets = append(append([]assay.Offset(nil), m.Offsets...), offset)
		m.Objectives = append(append([]assay.Objective(nil), m.Objectives...), list...)
	})
	if err != nil {
		k.warn(fmt.Sprintf("its thresholds are not judged: %v", err))
	}
}

// phase names a scenario in the run: as the phase where the script has only one.
func (k *k6Load) phase(scenario string) string {
	if scenario == "" || k.scenarios == 1 && scenario != "setup" && scenario != "teardown" {
		return k.load.Name
	}
	return k.load.Name + "/" + scenario
}

// take gives a record its phase in the run.
func (k *k6Load) take(rec assay.Record, emit func(assay.Record) error) error {
	switch r := rec.(type) {
	case *assay.Request:
		r.Phase = k.phase(r.Phase)
	case *assay.Event:
		switch r.Kind {
		case assay.EventLoadEnd: // of the child, not of the run
			return nil
		case assay.EventPhaseBegin, assay.EventPhaseEnd:
			attrs := maps.Clone(r.Attrs)
			if attrs == nil {
				attrs = map[string]string{}
			}
			if attrs["of"] = k.load.Name; attrs["role"] == string(assay.RoleSteady) {
				attrs["role"] = string(k.load.Role)
			}
			r.Attrs = attrs
		}
		r.Phase = k.phase(r.Phase)
	}
	return emit(rec)
}

// outcome says what the end of the child means to the run.
func (k *k6Load) outcome(ctx context.Context, cmd *exec.Cmd, m *assay.Manifest, received error, logs string) error {
	code := cmd.ProcessState.ExitCode()
	if m != nil {
		if err := k.s.store.SetManifest(func(own *assay.Manifest) { own.MaxWait = max(own.MaxWait, m.MaxWait) }); err != nil {
			return err
		}
		for cause, n := range m.End.Unrecorded {
			k.lose(cause, n)
		}
		if u := m.End.Usage; u != nil {
			k.s.lostMu.Lock()
			k.s.others = append(k.s.others, *u)
			k.s.lostMu.Unlock()
		}
	}
	why := func() string {
		text := ""
		if raw, err := os.ReadFile(logs); err == nil {
			text = k6Complaint(raw)
		}
		if text == "" {
			text = cmd.ProcessState.String()
		}
		return fmt.Sprintf("k6 load %s: %s", k.load.Name, text)
	}
	switch {
	case received != nil && ctx.Err() != nil:
		k.lose("cut stream", 1)
		return fmt.Errorf("k6 load %s did not end in time and was killed; up to its last second is missing", k.load.Name)
	case received != nil && code > 0: // it ended by itself, before or while it set up its output
		k.s.stopLoad(&ending{status: assay.EndFailed, reason: why()})
		return nil
	case received != nil:
		k.lose("cut stream", 1)
		return fmt.Errorf("k6 load %s died: %s: %w; see %s", k.load.Name, cmd.ProcessState, received, logs)
	case m.End.Status == assay.EndAborted && ctx.Err() == nil:
		k.s.stopLoad(&ending{status: assay.EndAborted, reason: fmt.Sprintf("k6 load %s: %s", k.load.Name, m.End.Reason)})
	case code == 0 || code == k6ThresholdsCrossed || code == k6Interrupted && ctx.Err() != nil || code == k6Aborted:
	default:
		k.s.stopLoad(&ending{status: assay.EndFailed, reason: why()})
	}
	return nil
}

// broken ends the run: the load cannot begin.
func (k *k6Load) broken(what string, err error) error {
	k.s.stopLoad(&ending{status: assay.EndFailed, reason: fmt.Sprintf("k6 load %s: %s: %v", k.load.Name, what, err)})
	return nil
}

// lose counts records that did not come: any makes the run invalid.
func (k *k6Load) lose(cause string, n int64) {
	k.s.lostMu.Lock()
	defer k.s.lostMu.Unlock()
	if k.s.lost == nil {
		k.s.lost = map[string]int64{}
	}
	k.s.lost["k6 "+k.load.Name+": "+cause] += n
}

func (k *k6Load) warn(text string) {
	k.s.emit(&assay.Event{Time: k.s.clock.Now(), Kind: assay.EventWarning, Source: "k6", Phase: k.load.Name, Text: text})
}

// hashScripts makes the scripts and manifests of a plan part of its hash: another script is another plan.
func (s *session) hashScripts(hash string) string {
	h := sha256.New()
	found := false
	for i := range s.plan.Load {
		l := &s.plan.Load[i]
		if l.K6 == "" {
			continue
		}
		files, _ := script.Files(os.ReadFile, s.plan.Path(l.K6)) // what cannot be read is refused elsewhere
		for _, f := range files {
			fmt.Fprintf(h, "%s %s %d\n", l.Name, filepath.Base(f.Path), len(f.Data))
			h.Write(f.Data)
		}
		found = true
	}
	for i := range s.plan.Chaos {
		if f := &s.plan.Chaos[i]; f.Manifest != "" {
			b, _ := os.ReadFile(s.plan.Path(f.Manifest))
			fmt.Fprintf(h, "manifest %d %d\n", i, len(b))
			h.Write(b)
			found = true
		}
	}
	if !found {
		return hash
	}
	h.Write([]byte(hash))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

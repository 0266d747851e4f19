package gpu

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

// NvidiaSMI asks nvidia-smi at an interval and records a Scrape for each card, under the names of nvidia_gpu_exporter, and one for the
// processes. A query is killed when it takes too long, as it does when a card hangs. Fields that this driver does not have are left out.
type NvidiaSMI struct {
	Interval time.Duration    // between looks; 1 s by default
	Timeout  time.Duration    // of one query; 10 s by default
	Path     string           // of nvidia-smi; "" looks on PATH
	Clock    collectors.Clock // the run's

	path   string
	fields []string
	lacks  []string // fields that were refused and not told of yet
	emit   func(assay.Record) error
	seen   map[string]bool // targets of the look before
	away   string          // why the last look failed; "" if it did not

	exec  func(*exec.Cmd) error // runs a query; nil: its Run
	hangs chan error            // of a query that could not even be killed; nil: there is none
}

// Defaults and bounds of NvidiaSMI.
const (
	smiInterval  = time.Second
	smiTimeout   = 10 * time.Second
	smiKill      = time.Second // from the end of a query that is killed
	smiMaxAnswer = 4 << 20
)

// SMIFields are what is asked of each card, so far as its driver has it.
var SMIFields = []string{
	"index", "uuid", "name", "pci.bus_id", "driver_version", "pstate", "mig.mode.current", "persistence_mode",
	"utilization.gpu", "utilization.memory", "memory.total", "memory.reserved", "memory.used", "memory.free",
	"temperature.gpu", "temperature.memory", "power.draw", "enforced.power.limit", "clocks.current.graphics", "clocks.current.sm", "clocks.current.memory", "clocks.max.sm",
	"clocks_event_reasons.active", "clocks_event_reasons_counters.sw_power_cap", "clocks_event_reasons_counters.sync_boost", "clocks_event_reasons_counters.sw_thermal_slowdown",
	"clocks_event_reasons_counters.hw_thermal_slowdown", "clocks_event_reasons_counters.hw_power_brake_slowdown",
	"ecc.errors.corrected.volatile.total", "ecc.errors.uncorrected.volatile.total", "remapped_rows.correctable", "remapped_rows.uncorrectable", "remapped_rows.pending", "remapped_rows.failure",
	"gpu_recovery_action", "pcie.link.gen.gpucurrent", "pcie.link.width.current",
}

// appFields are what is asked of processes.
const appFields = "gpu_uuid,pid,process_name,used_gpu_memory"

var _ assay.Source = (*NvidiaSMI)(nil)

// Run asks until ctx is done.
func (n *NvidiaSMI) Run(ctx context.Context, emit func(assay.Record) error) error {
	n.emit = emit
	if err := n.find(); err != nil {
		return err
	}
	fields, err := n.known(ctx)
	if err != nil && ctx.Err() == nil {
		n.warn("nvidia-smi does not say which fields it has, so that they are found by trying: " + err.Error())
	}
	n.fields = fields
	interval := cmp.Or(n.Interval, smiInterval)
	for next := n.Clock.Now(); ctx.Err() == nil; {
		n.look(ctx)
		next += int64(interval)
		next = max(next, n.Clock.Now()) // missed looks are not made up for
		if !sleep(ctx, time.Duration(next-n.Clock.Now())) {
			break
		}
	}
	return nil
}

func (n *NvidiaSMI) find() error {
	name := cmp.Or(n.Path, "nvidia-smi")
	path, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("nvidia-smi, which comes with the driver of NVIDIA GPUs, was not found as %s", name)
	}
	n.path = path
	return nil
}

// Ask asks once, for a person who wants to know beforehand, and returns how many cards answered and which fields will be missing.
func (n *NvidiaSMI) Ask(ctx context.Context) (cards int, missing []string, err error) {
	if err := n.find(); err != nil {
		return 0, nil, err
	}
	if n.fields, err = n.known(ctx); err != nil {
		return 0, nil, err
	}
	for _, f := range SMIFields {
		if !slices.Contains(n.fields, f) {
			missing = append(missing, f)
		}
	}
	n.emit = func(r assay.Record) error {
		if s, ok := r.(*assay.Scrape); ok && len(s.Samples) > 0 {
			cards++
		}
		return nil
	}
	_, err = n.cards(ctx)
	return cards, missing, err
}

var quoted = regexp.MustCompile(`(?m)^"([a-zA-Z0-9._]+)"(?: or "([a-zA-Z0-9._]+)")?`)

// known returns the fields to ask for: all where the driver does not say which it has.
func (n *NvidiaSMI) known(ctx context.Context) ([]string, error) {
	help, err := n.run(ctx, "--help-query-gpu")
	has := map[string]bool{}
	for _, m := range quoted.FindAllStringSubmatch(string(help), -1) {
		has[m[1]], has[m[2]] = true, true
	}
	if err == nil && !has["uuid"] {
		err = errors.New("its help lists no field uuid")
	}
	if err != nil {
		return SMIFields, err
	}
	var out []string
	for _, f := range SMIFields {
		if old := strings.Replace(f, "clocks_event_reasons.", "clocks_throttle_reasons.", 1); !has[f] && has[old] {
			f = old
		}
		if has[f] {
			out = append(out, f)
		}
	}
	return out, nil
}

var badField = regexp.MustCompile(`Field "([^"]+)" is not a valid field`)

// cards asks for the cards. A field that is refused is not asked for again.
func (n *NvidiaSMI) cards(ctx context.Context) (targets map[string]bool, err error) {
	for range 2 * len(SMIFields) {
		at := n.Clock.Now()
		out, err := n.run(ctx, "--query-gpu="+strings.Join(n.fields, ","), "--format=csv")
		if m := badField.FindStringSubmatch(string(out)); m != nil && slices.Contains(n.fields, m[1]) {
			n.drop(m[1])
			continue
		}
		if len(n.lacks) > 0 {
			n.warn("this driver has no " + strings.Join(n.lacks, ", "))
			n.lacks = nil
		}
		targets, derr := n.decode(out, at)
		if err == nil {
			err = derr
		}
		if err == nil && len(targets) == 0 {
			err = fmt.Errorf("no card answered: %.200s", strings.TrimSpace(string(out)))
		}
		return targets, err
	}
	return nil, errors.New("it refuses all fields")
}

// drop takes a field that was refused out of the query, or asks for it under its old name.
func (n *NvidiaSMI) drop(field string) {
	n.fields = slices.Clone(n.fields)
	i := slices.Index(n.fields, field)
	if old, ok := strings.CutPrefix(field, "clocks_event_reasons."); ok {
		n.fields[i] = "clocks_throttle_reasons." + old
		return
	}
	n.fields = slices.Delete(n.fields, i, i+1)
	n.lacks = append(n.lacks, field)
}

// decode emits what an answer says, stamped at, and returns the targets in it.
func (n *NvidiaSMI) decode(out []byte, at int64) (map[string]bool, error) {
	targets := map[string]bool{}
	s := &smi{zone: time.UTC, at: func() int64 { return max(at, 1) }, keep: func(int64) {}, reject: func(string, int64) {}, emit: func(r assay.Record) error {
		if s, ok := r.(*assay.Scrape); ok {
			targets[s.Target] = true
			s.Took = n.Clock.Now() - at
		}
		return n.emit(r)
	}}
	return targets, s.read(bytes.NewReader(out), func() {})
}

// look asks once and emits what it saw. Cards and processes that were there before and are not now have gone.
func (n *NvidiaSMI) look(ctx context.Context) {
	at := n.Clock.Now()
	targets, err := n.cards(ctx)
	if err == nil {
		out, aerr := n.run(ctx, "--query-compute-apps="+appFields, "--format=csv")
		apps, derr := n.decode(out, at)
		for t := range apps {
			targets[t] = true
		}
		err = errors.Join(aerr, derr)
	}
	if ctx.Err() != nil {
		return // cut off by the end of the run: says nothing about the cards
	}
	if err != nil {
		_ = n.emit(&assay.Scrape{Target: "nvidia-smi", Time: max(at, 1), Took: n.Clock.Now() - at, Error: err.Error()})
		if n.away == "" {
			n.warn("nvidia-smi does not answer: " + err.Error())
		}
		n.away = err.Error()
	} else if n.away != "" {
		n.away = ""
		n.warn("nvidia-smi answers again")
	}
	for t := range n.seen {
		if targets[t] || err != nil && len(targets) == 0 {
			continue
		}
		_ = n.emit(&assay.Scrape{Target: t, Time: max(at, 1), Gone: true})
		if t != processesTarget {
			n.warn(strings.TrimPrefix(t, "nvidia-smi ") + ", a card that answered before, is no longer listed")
		}
	}
	if len(targets) > 0 {
		n.seen = targets
	}
}

func (n *NvidiaSMI) warn(text string) {
	if n.emit != nil {
		_ = n.emit(&assay.Event{Time: max(n.Clock.Now(), 1), Kind: assay.EventWarning, Source: "nvidia-smi", Text: text})
	}
}

// run runs nvidia-smi and returns what it says; with an error, what it said too. While a query hangs that could not be killed there is no other.
func (n *NvidiaSMI) run(ctx context.Context, args ...string) ([]byte, error) {
	if n.hangs != nil {
		select {
		case <-n.hangs:
			n.hangs = nil
		default:
			return nil, errors.New("a query before still hangs in the driver")
		}
	}
	limit := cmp.Or(n.Timeout, smiTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.path, args...)
	ownGroup(cmd) // it may be a script that starts the program
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = smiKill
	out := &bounded{most: smiMaxAnswer}
	cmd.Stdout, cmd.Stderr = out, out
	done := make(chan error, 1)
	go func() { // not waited for where it hangs in the driver: such a process cannot even be killed
		if n.exec != nil {
			done <- n.exec(cmd)
			return
		}
		done <- cmd.Run()
	}()
	killed := make(chan struct{})
	defer context.AfterFunc(ctx, func() { time.AfterFunc(2*smiKill, func() { close(killed) }) })()
	var err error
	select {
	case err = <-done:
	case <-killed:
		n.hangs = done
		return nil, fmt.Errorf("it took longer than %v and could not be killed: it hangs in the driver", limit)
	}
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		err = fmt.Errorf("it took longer than %v and was killed", limit)
	case err != nil:
		err = fmt.Errorf("%w: %.200s", err, strings.TrimSpace(out.String()))
	case out.cut:
		err = fmt.Errorf("it said more than %d MiB", smiMaxAnswer>>20)
	}
	return out.Bytes(), err
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	most int
	cut  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.Len(); len(p) > room {
		b.cut = true
		b.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// sleep waits for d and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

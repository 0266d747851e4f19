package gpu

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/gpu"
)

// NVML asks the driver's library through the command assay-nvml, which is a process of its own since a library that fails takes its process
// with it. It records a Scrape of each card at an interval and an event gpu.xid for each error that the driver tells of. When the command dies the run is
// told, and it is started again, a few times in a row; errors count as watched for only while it lived.
type NVML struct {
	Interval time.Duration    // between looks; 1 s by default
	Path     string           // of assay-nvml; "" looks beside assay and on PATH
	Clock    collectors.Clock // the run's

	emit   func(assay.Record) error
	cards  map[string]gpu.NVMLCard // by UUID
	driver string
	begin  int64  // since when errors are told in this life of the command; 0: they are not
	end    int64  // of that life
	fatal  string // what it said of having nothing to ask

	live func(ctx context.Context, path string) error // one life of the command; nil: once
}

// Bounds of NVML.
const (
	nvmlStarts  = 5               // in a row without a minute well in between
	nvmlWell    = time.Minute     // after which the next end counts as the first
	nvmlWait    = time.Second     // before the second start; then twice as long each time
	nvmlEnd     = 2 * time.Second // for it to end
	nvmlMaxLine = 4 << 20
	nvmlMaxCard = 1024
)

var _ assay.Source = (*NVML)(nil)

// Run asks until ctx is done.
func (n *NVML) Run(ctx context.Context, emit func(assay.Record) error) error {
	path := n.Path
	if path == "" {
		exe, err := os.Executable()
		if err == nil {
			path, err = gpu.FindNVML(exe)
		}
		if err != nil {
			return fmt.Errorf("nvml: %w", err)
		}
	}
	n.emit, n.cards = emit, map[string]gpu.NVMLCard{}
	live := n.once
	if n.live != nil {
		live = n.live
	}
	wait := nvmlWait
	var err error
	for starts := 1; ; starts++ {
		begin := n.Clock.Now()
		err = live(ctx, path)
		if n.end = n.Clock.Now(); n.end-begin >= int64(nvmlWell) {
			starts, wait = 1, nvmlWait
		}
		again := ctx.Err() == nil && n.fatal == "" && starts < nvmlStarts
		if again {
			n.warn(fmt.Sprintf("assay-nvml ended: %v; it is started again in %v", err, wait))
		}
		n.watched()
		if !again || !sleep(ctx, wait) {
			break
		}
		wait *= 2
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case n.fatal != "":
		return fmt.Errorf("nvml: %s", n.fatal)
	}
	return fmt.Errorf("nvml: assay-nvml ended %d times: %w", nvmlStarts, err)
}

// watched tells from when to when one life of the command told of errors: before and after it nobody did.
func (n *NVML) watched() {
	if n.begin == 0 {
		return
	}
	w := watch{begin: n.begin, end: max(n.end, n.begin), cards: map[string]bool{}}
	for _, c := range n.cards {
		w.card(shortPCI(c.PCI))
	}
	_ = n.emit(w.event("nvml"))
	n.begin = 0
}

// once runs the command until it ends or ctx is done.
func (n *NVML) once(ctx context.Context, path string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--interval", cmp.Or(n.Interval, time.Second).String())
	cmd.WaitDelay = nvmlEnd
	ownGroup(cmd)              // it may be a script that starts the program
	in, err := cmd.StdinPipe() // it ends when this ends, thus with us whatever becomes of us
	if err != nil {
		return err
	}
	defer in.Close()
	var kill *time.Timer
	cmd.Cancel = func() error { // it ends by itself then, and is killed with all that it started if it does not
		kill = time.AfterFunc(nvmlEnd, func() { _ = killGroup(cmd) })
		return in.Close()
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	said := &bounded{most: 4096}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := n.read(out)
	if readErr != nil {
		cancel() // what it says cannot be read: it is of no use
	}
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	if kill != nil {
		kill.Stop()
	}
	if readErr != nil {
		return readErr
	}
	if text := strings.TrimSpace(said.String()); text != "" {
		err = errors.Join(err, fmt.Errorf("it said %.200q", text))
	}
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return err
}

// read takes lines until there are no more.
func (n *NVML) read(out io.Reader) error {
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 0, 64<<10), nvmlMaxLine)
	for lines.Scan() {
		if b := bytes.TrimSpace(lines.Bytes()); len(b) > 0 {
			if err := n.line(b); err != nil {
				return err
			}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("it said a line of more than %d MiB", nvmlMaxLine>>20)
	}
	return nil
}

// line takes one line.
func (n *NVML) line(b []byte) error {
	var l gpu.NVMLLine
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf("it said %.60q, which is no line of assay-nvml: %w", b, err)
	}
	switch {
	case l.Error != "" && l.Fatal:
		n.fatal = clean(l.Error, maxText)
	case l.Error != "":
		n.warn(clean(l.Error, maxText))
	case l.Hello != nil:
		n.hello(l.Hello)
	case l.Sample != nil:
		n.sample(l.Sample)
	case l.Event != nil:
		n.event(l.Event)
	}
	return nil
}

func (n *NVML) hello(h *gpu.NVMLHello) {
	n.driver = clean(h.Driver, 80)
	for _, c := range h.Cards[:min(len(h.Cards), nvmlMaxCard)] {
		n.cards[shortUUID(c.UUID)] = c
	}
	if slices.Contains(h.Events, "xid") && n.begin == 0 {
		n.begin = max(n.Clock.Now(), 1)
	}
}

// sample emits what a card told.
func (n *NVML) sample(s *gpu.NVMLSample) {
	at := n.at(s.Unix)
	uuid := shortUUID(clean(s.UUID, 80))
	if uuid == "" || len(s.Values) > maxColumns || len(s.Processes) > maxColumns {
		return
	}
	card := []assay.Label{{Name: "uuid", Value: uuid}}
	out := assay.Scrape{Target: "nvml " + uuid, Time: at}
	for name, v := range s.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			continue
		}
		out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_" + name, Labels: card, Time: at, Value: v})
	}
	if c, ok := n.cards[uuid]; ok {
		out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_gpu_info", Time: at, Value: 1, Labels: []assay.Label{{Name: "driver_version", Value: n.driver},
			{Name: "index", Value: strconv.Itoa(c.Index)}, {Name: "name", Value: clean(c.Name, 80)}, {Name: "pci_bus_id", Value: clean(c.PCI, 40)}, {Name: "uuid", Value: uuid}}})
	}
	for _, p := range s.Processes {
		if p.Bytes >= 0 {
			out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_compute_app_used_memory_bytes", Time: at, Value: p.Bytes,
				Labels: []assay.Label{{Name: "pid", Value: strconv.Itoa(p.PID)}, {Name: "process_name", Value: cmp.Or(clean(p.Name, 80), "unknown")}, {Name: "uuid", Value: uuid}}})
		}
	}
	out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_compute_apps", Labels: card, Time: at, Value: float64(len(s.Processes))})
	slices.SortStableFunc(out.Samples, func(a, b assay.Sample) int { return strings.Compare(a.Name, b.Name) })
	_ = n.emit(&out)
}

// event emits what the driver told of. What is no XID is a note.
func (n *NVML) event(e *gpu.NVMLEvent) {
	uuid := shortUUID(clean(e.UUID, 80))
	pci := e.PCI
	if c, ok := n.cards[uuid]; ok && pci == "" {
		pci = c.PCI
	}
	if e.Kind == "xid" && e.Data <= gpu.MaxXID {
		x := xid{code: int(e.Data), pci: shortPCI(clean(pci, 40)), text: "told by the driver"}
		ev := x.event(logLine{at: n.at(e.Unix), resolution: int64(time.Millisecond)}, "nvml")
		ev.Attrs["uuid"] = uuid
		_ = n.emit(ev)
		return
	}
	text := fmt.Sprintf("the driver told of %s of GPU %s", clean(e.Kind, 60), cmp.Or(shortPCI(clean(pci, 40)), uuid))
	if e.Kind == "recovery" {
		for _, r := range gpu.Recoveries() {
			if uint64(r.Code) == e.Data {
				text += ": " + r.Name
			}
		}
	}
	_ = n.emit(&assay.Event{Time: n.at(e.Unix), Kind: assay.EventAnnotation, Source: "nvml", Text: text})
}

// at returns the run time of a stamp, or now where it cannot be.
func (n *NVML) at(unix int64) int64 {
	now := max(n.Clock.Now(), 1)
	at := n.Clock.FromUnix(unix)
	if unix <= 0 || at > now || at < now-int64(time.Minute) {
		return now
	}
	return max(at, 1)
}

func (n *NVML) warn(text string) {
	_ = n.emit(&assay.Event{Time: max(n.Clock.Now(), 1), Kind: assay.EventWarning, Source: "nvml", Text: text})
}

// Ask starts the command once and returns what it says of the cards, for a person who wants to know beforehand.
func (n *NVML) Ask(ctx context.Context, path string) (*gpu.NVMLHello, error) {
	ctx, cancel := context.WithTimeout(ctx, smiTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--probe")
	cmd.WaitDelay = time.Second
	out := &bounded{most: nvmlMaxLine}
	cmd.Stdout = out
	err := cmd.Run()
	var l gpu.NVMLLine
	line, _, _ := bytes.Cut(out.Bytes(), []byte("\n"))
	if jerr := json.Unmarshal(line, &l); jerr != nil {
		return nil, errors.Join(err, fmt.Errorf("assay-nvml said %.60q", line))
	}
	if l.Hello == nil {
		return nil, fmt.Errorf("nvml: %s", cmp.Or(l.Error, "assay-nvml found nothing"))
	}
	return l.Hello, nil
}

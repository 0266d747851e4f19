package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/assay-dev/assay/internal/gpu"
)

// A teller says lines, from several goroutines.
type teller struct {
	mu  sync.Mutex
	out *json.Encoder
	err error // of the first line that could not be said
}

func (t *teller) say(l gpu.NVMLLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.out.Encode(l)
	}
}

func (t *teller) broken() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// A card is one card with what is known not to be told of it.
type card struct {
	nvml.Device
	gpu.NVMLCard
	untold map[string]bool // names of readings
	told   bool            // what is untold was said
}

// run asks until in ends.
func run(ctx context.Context, in io.Reader, out io.Writer, args []string, lib nvml.Interface) error {
	flags := flag.NewFlagSet(gpu.NVMLCommand, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	interval := flags.Duration("interval", time.Second, "between two looks")
	probe := flags.Bool("probe", false, "say what cards there are and end")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *interval < 10*time.Millisecond {
		return fmt.Errorf("%q: want --interval of at least 10ms, or --probe", args)
	}
	t := &teller{out: json.NewEncoder(out)}
	fatal := func(what string, ret nvml.Return) error {
		err := fmt.Errorf("%s: %v (NVML error %d)", what, ret, int(ret))
		t.say(gpu.NVMLLine{Error: err.Error(), Fatal: true})
		return err
	}
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return fatal("open the driver's library", ret) // and ask it nothing: the process would end
	}
	defer lib.Shutdown()
	cards, err := find(lib)
	if err != nil {
		t.say(gpu.NVMLLine{Error: err.Error(), Fatal: true})
		return err
	}
	set, kinds := listen(lib, cards)
	if set != nil {
		defer set.Free()
	}
	t.say(gpu.NVMLLine{Hello: hello(lib, cards, kinds)})
	if *probe {
		return t.broken()
	}
	ctx, cancel := untilClosed(ctx, in)
	defer cancel()
	var events sync.WaitGroup
	if set != nil {
		events.Go(func() { wait(ctx, set, t) })
	}
	defer events.Wait()
	defer cancel()
	tick := time.NewTicker(*interval)
	defer tick.Stop()
	for {
		for i := range cards {
			t.say(gpu.NVMLLine{Sample: cards[i].look(lib)})
			if text := cards[i].missing(); text != "" {
				t.say(gpu.NVMLLine{Error: text})
			}
		}
		if err := t.broken(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// maxCards bounds the cards of a machine.
const maxCards = 256

// find returns the cards that can be asked.
func find(lib nvml.Interface) ([]card, error) {
	n, ret := lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("count the GPUs: %v", ret)
	}
	var cards []card
	var why []string
	for i := range min(n, maxCards) {
		d, ret := lib.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			why = append(why, fmt.Sprintf("GPU %d: %v", i, ret))
			continue
		}
		uuid, ret := d.GetUUID()
		if ret != nvml.SUCCESS {
			why = append(why, fmt.Sprintf("UUID of GPU %d: %v", i, ret))
			continue
		}
		c := card{Device: d, NVMLCard: gpu.NVMLCard{Index: i, UUID: uuid}, untold: map[string]bool{}}
		c.Name, _ = d.GetName()
		if pci, ret := d.GetPciInfo(); ret == nvml.SUCCESS {
			c.PCI = text(pci.BusId[:])
		}
		cards = append(cards, c)
	}
	if len(cards) == 0 {
		return nil, errors.Join(errors.New("the driver shows no GPU"), errors.New(strings.Join(why, "; ")))
	}
	return cards, nil
}

// text reads what C ends with a zero.
func text[C ~int8 | ~uint8](b []C) string {
	var out []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		out = append(out, byte(c))
	}
	return string(out)
}

func hello(lib nvml.Interface, cards []card, kinds []string) *gpu.NVMLHello {
	h := &gpu.NVMLHello{Events: kinds}
	h.Driver, _ = lib.SystemGetDriverVersion()
	h.NVML, _ = lib.SystemGetNVMLVersion()
	for _, c := range cards {
		h.Cards = append(h.Cards, c.NVMLCard)
	}
	return h
}

// missing says once what a card does not tell.
func (c *card) missing() string {
	if c.told || len(c.untold) == 0 {
		return ""
	}
	c.told = true
	var names []string
	for name := range c.untold {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("GPU %d does not tell %s", c.Index, strings.Join(names, ", "))
}

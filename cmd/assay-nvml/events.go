package main

import (
	"context"
	"fmt"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/assay-dev/assay/internal/gpu"
)

// wanted are the events that are asked for, with how they are told.
var wanted = []struct {
	bit  uint64
	kind string
}{
	{nvml.EventTypeXidCriticalError, "xid"},
	{nvml.EventTypeDoubleBitEccError, "double-bit ECC error"},
	{nvml.EventTypeSingleBitEccErrorStorm, "storm of single-bit ECC errors"},
	{nvml.EventTypeDramRetirementEvent, "retirement of memory"},
	{nvml.EventTypeDramRetirementFailure, "failed retirement of memory"},
	{nvml.EventTypeNonFatalPoisonError, "poison, not fatal"},
	{nvml.EventTypeFatalPoisonError, "fatal poison"},
	{nvml.EventTypeGpuUnavailableError, "a card that is not available"},
	{nvml.EventTypeGpuRecoveryAction, "recovery"},
}

// listen registers for the events that each card has. It returns nil where none has any, and the kinds that are told of all cards.
func listen(lib nvml.Interface, cards []card) (nvml.EventSet, []string) {
	set, ret := lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		return nil, nil
	}
	all := ^uint64(0)
	for i := range cards {
		has, ret := cards[i].Device.GetSupportedEventTypes()
		var mask uint64
		for _, w := range wanted {
			if ret == nvml.SUCCESS && has&w.bit != 0 {
				mask |= w.bit
			}
		}
		if mask == 0 || cards[i].Device.RegisterEvents(mask, set) != nvml.SUCCESS {
			mask = 0
		}
		all &= mask
	}
	var kinds []string
	for _, w := range wanted {
		if all&w.bit != 0 {
			kinds = append(kinds, w.kind)
		}
	}
	if kinds == nil {
		set.Free()
		return nil, nil
	}
	return set, kinds
}

const (
	waitFor   = 200 // ms: how long one wait for an event lasts
	afterLoss = time.Second
)

// wait says events as they happen.
func wait(ctx context.Context, set nvml.EventSet, t *teller) {
	failed := false
	for ctx.Err() == nil {
		e, ret := set.Wait(waitFor)
		switch ret {
		case nvml.SUCCESS:
			failed = false
			t.say(gpu.NVMLLine{Event: event(e)})
		case nvml.ERROR_TIMEOUT:
		default:
			if !failed {
				t.say(gpu.NVMLLine{Error: fmt.Sprintf("wait for events: %v", ret)})
			}
			failed = true
			select { // a lost card fails each wait at once
			case <-ctx.Done():
			case <-time.After(afterLoss):
			}
		}
	}
}

func event(e nvml.EventData) *gpu.NVMLEvent {
	out := &gpu.NVMLEvent{Unix: time.Now().UnixNano(), Kind: fmt.Sprintf("event %#x", e.EventType), Data: e.EventData}
	for _, w := range wanted {
		if e.EventType&w.bit != 0 {
			out.Kind = w.kind
			break
		}
	}
	if e.Device != nil {
		out.UUID, _ = e.Device.GetUUID()
		if pci, ret := e.Device.GetPciInfo(); ret == nvml.SUCCESS {
			out.PCI = text(pci.BusId[:])
		}
	}
	return out
}

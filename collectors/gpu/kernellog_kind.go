package gpu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// KernelLog reads what the kernel logged.
var KernelLog = input.Kind{
	Name: "kernel-log", Things: "lines", Proven: collectors.Recorded,
	By:   "lines that people published of dmesg, journalctl and syslog; /dev/kmsg live, with made-up errors; never on a GPU of ours",
	Help: "A kernel's log, for the errors of GPUs in it (NVRM: Xid): dmesg with or without -T, journalctl -k as text or JSON, syslog, records of /dev/kmsg.",
	Options: []input.Option{
		{Name: "boot", Help: "instant at which the machine started, as in 2026-07-14T08:12:38Z or Unix seconds, for stamps that count from there"},
		{Name: "year", Help: "year of the first line, for stamps that name none; that of the file's last change where none is given"},
	},
	Is:   isKernelLog,
	Read: readKernelLog,
}

// isKernelLog tells a log by a line of the driver at its beginning, or by that of /dev/kmsg.
func isKernelLog(_ string, head []byte) bool {
	k := kernelLog{zone: time.UTC, boot: 1, year: 2000}
	for n, line := range strings.Split(string(head), "\n") {
		if l, why := k.line([]byte(line)); why == "" && strings.HasPrefix(l.text, "NVRM: ") {
			return true
		}
		if n == 0 && kmsgRecord.MatchString(line) {
			return true
		}
	}
	return false
}

// ofGPU finds lines that are kept where a log is searched for those of GPUs. Only others show that the log told of all that happened.
var ofGPU = regexp.MustCompile(`(?i)nvrm|nvidia|xid|\bgpu\b`)

// loaded begins the driver's first line: from there on the log tells of it.
const loaded = "NVRM: loading NVIDIA"

// maxCards bounds the cards that a log may name.
const maxCards = 4096

func readKernelLog(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	k := &kernelLog{zone: in.Zone}
	var err error
	if text := in.Option("boot"); text != "" {
		if k.boot, err = parseInstant(text); err != nil {
			return fmt.Errorf("%s: boot %w", in.Path, err)
		}
	}
	if text := in.Option("year"); text != "" {
		if k.year, err = strconv.Atoi(text); err != nil || k.year < 2000 || k.year > 2200 {
			return fmt.Errorf("%s: year %q: want a year such as 2026", in.Path, text)
		}
	} else if st, err := os.Stat(in.Path); err == nil {
		k.year, k.end = st.ModTime().In(in.Zone).Year(), st.ModTime().UnixNano()
	}
	w := watch{cards: map[string]bool{}}
	others := false // lines that a log of errors alone does not hold
	lines := &input.Lines{File: in.File}
	for {
		in.Row()
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		l, why := k.line(line)
		if why != "" {
			if _, is := parseXID(l.text); is {
				why = "an error of a GPU, but " + why
			}
			in.Tally.Reject(why, 1)
			continue
		}
		if why := in.Unfit(l.at); why != "" {
			in.Tally.Omit(why, 1)
			continue
		}
		if k.bare {
			in.NoZone(1)
		}
		x, is := parseXID(l.text)
		switch {
		case is:
			in.Tally.Keep(1)
			if err := emit(x.event(l, "kernel-log")); err != nil {
				return err
			}
			w.card(x.pci)
		case w.begin == 0:
			in.Tally.Keep(1) // from here on the log was watched
		case strings.HasPrefix(l.text, "NVRM: "):
			in.Tally.Reject(whyNoXID, 1)
		default:
			in.Tally.Reject(whyNoGPU, 1)
		}
		w.add(l)
		others = others || !ofGPU.MatchString(l.text) || strings.HasPrefix(l.text, loaded)
	}
	if w.begin == 0 {
		return nil
	}
	if k.first != 0 && in.Option("year") == "" {
		in.Tally.Note(fmt.Sprintf("stamps name no year: %d was taken for the first, by the file's last change; year= names another", k.first), 1)
	}
	e := w.event("kernel-log")
	if !others {
		delete(e.Attrs, "start_ns")
		delete(e.Attrs, "end_ns")
		in.Tally.Note("it holds lines of GPUs alone, as grep leaves them: how long they were watched for errors is not known", 1)
	}
	return emit(e)
}

// A watch is the stretch of time of which a log tells, and the cards that it names.
type watch struct {
	begin, end int64
	cards      map[string]bool
}

func (w *watch) add(l logLine) {
	if w.begin == 0 || l.at < w.begin {
		w.begin = l.at
	}
	w.end = max(w.end, l.at)
	if m := anyCard.FindStringSubmatch(l.text); m != nil {
		w.card(shortPCI(m[1]))
	}
}

func (w *watch) card(pci string) {
	if len(w.cards) < maxCards {
		w.cards[pci] = true
	}
}

func (w *watch) event(source string) *assay.Event {
	return &assay.Event{Time: w.end, Kind: assay.EventGPUWatched, Source: source, Attrs: map[string]string{"start_ns": strconv.FormatInt(w.begin, 10), "end_ns": strconv.FormatInt(w.end, 10),
		"cards": strings.Join(slices.Sorted(maps.Keys(w.cards)), " ")}}
}

// parseInstant reads RFC 3339 or Unix seconds.
func parseInstant(text string) (int64, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 && n < 1<<33 {
		return int64(n * 1e9), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("%q: want an instant such as 2026-07-14T08:12:38Z, or Unix seconds", text)
	}
	return t.UnixNano(), nil
}

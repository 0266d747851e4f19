package logs

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// options are those of all kinds of logs.
var options = []input.Option{
	{Name: "instance", Help: "instance that wrote the log; the pod or container its lines name, or the file's name, where none is given"},
	{Name: "year", Help: "year of the first line, for stamps that have none; that of the file's last change where none is given"},
}

var logsKind = input.Kind{
	Name: "logs", Things: "lines", Proven: collectors.Recorded,
	By:   "Ollama 0.6.8's own log; lines of vLLM 0.8 to 0.15, SGLang and Triton from public logs and their sources",
	Help: "Logs of vLLM, SGLang, Ollama and Triton: plain, JSON lines, CRI or Docker json-file, of one pod or of several as kubectl logs --prefix and stern write them. Lines of their start become its phases.",
	Is:   isLog, Options: options, Read: readLogs,
}

var knownLine = regexp.MustCompile(`(?i)vLLM API server version|Initializing an? (V1 )?LLM engine|server_args=ServerArgs|level=\S+ source=\S+\.go:\d+ |triton inference server|model_lifecycle\.cc|\[__init__\.py:\d+\] Automatically detected platform`)

func isLog(_ string, head []byte) bool { return knownLine.Match(head) }

// readLogs reads a log.
func readLogs(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	li, err := newLines(in, emit)
	if err != nil {
		return err
	}
	l := input.Lines{File: in.File}
	for {
		raw, err := l.Next()
		if err == io.EOF {
			return li.end(in.Tally)
		}
		if err != nil {
			return err
		}
		if err := li.take(raw); err != nil {
			return fmt.Errorf("%s:%d: %w", in.Path, l.N, err)
		}
	}
}

// newLines makes what takes the lines of an input.
func newLines(in *input.Input, emit func(assay.Record) error) (*lines, error) {
	instance := in.Option("instance")
	if instance == "" {
		instance = instanceFrom(in.Path)
	}
	end := time.Now()
	if st, err := os.Stat(in.Path); err == nil {
		end = st.ModTime()
	}
	d := newDecoder(in.Tally, instance, in.Zone, end, emit)
	d.fits = in.Untrue
	if text := in.Option("year"); text != "" {
		year, err := strconv.Atoi(text)
		if err != nil || year < 2000 || year > 2200 {
			return nil, fmt.Errorf("year %q: want a year such as 2026", text)
		}
		d.dial.year = year
	}
	d.assumed = func() {
		in.NoZone(1)
		if d.dial.guessed {
			in.Tally.Note(fmt.Sprintf("stamps name no year: %d was taken for the first, that of the file's last change; year= names another", d.dial.first), 1)
			d.dial.guessed = false
		}
	}
	return &lines{dec: d, instance: in.Option("instance")}, nil
}

// end counts what is left of a line without its end.
func (li *lines) end(t *input.Tally) error {
	if n := li.un.left(); n > 0 {
		t.Reject("parts of a line whose end is missing", n)
	}
	return nil
}

package gpu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Command is the name of the command that runs [HoldMain].
const Command = "assay-gpu"

// holdSlack is how much longer than it was told a holder may live by itself.
const holdSlack = 10 * time.Second

// A Hold is what a holder is told.
type Hold struct {
	For   time.Duration `json:"for_ns"`
	Bytes int64         `json:"bytes"`
}

// Held is what a holder says once it holds the memory, or why it does not.
type Held struct {
	Bytes  int64  `json:"bytes"`       // taken
	Before int64  `json:"free_before"` // free memory of the GPU, as the driver tells it, before and after
	After  int64  `json:"free_after"`
	Total  int64  `json:"total"`
	Error  string `json:"error,omitempty"`
}

// A Device is the GPU that a holder uses, the first that the driver shows it.
type Device interface {
	// Take allocates so many bytes and writes to them. They are held until the process ends.
	Take(bytes int64) error
	// Memory returns the free bytes and those there are.
	Memory() (free, total int64, err error)
}

// HoldMain is a holder: a process that holds memory of a GPU until its stdin ends, which it does with whoever started it, or
// until its time is over. Its arguments are a mark and the settings; on stdout it says in a line what it holds.
func HoldMain(ctx context.Context, stdin io.Reader, stdout io.Writer, args []string, open func() (Device, error)) error {
	var h Hold
	if len(args) != 2 || json.Unmarshal([]byte(args[1]), &h) != nil || h.For <= 0 || h.Bytes <= 0 {
		return fmt.Errorf("hold: %q; want a mark and settings", args)
	}
	ctx, cancel := context.WithTimeout(ctx, h.For+holdSlack)
	defer cancel()
	go func() { // ends with stdin, thus at the latest with the process
		io.Copy(io.Discard, stdin)
		cancel()
	}()
	said, err := h.take(open)
	if err != nil {
		said = Held{Error: err.Error()}
	}
	if err := errors.Join(err, json.NewEncoder(stdout).Encode(said)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (h *Hold) take(open func() (Device, error)) (said Held, err error) {
	d, err := open()
	if err != nil {
		return said, err
	}
	if said.Before, said.Total, err = d.Memory(); err != nil {
		return said, err
	}
	if h.Bytes > said.Before {
		return said, fmt.Errorf("the GPU has %d bytes free, want %d", said.Before, h.Bytes)
	}
	if err := d.Take(h.Bytes); err != nil {
		return said, err
	}
	said.Bytes = h.Bytes
	said.After, _, err = d.Memory()
	return said, err
}

// Find returns the path of the holder's command: beside exe, or on PATH.
func Find(exe string) (string, error) {
	beside := filepath.Join(filepath.Dir(exe), Command)
	if st, err := os.Stat(beside); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
		return beside, nil
	}
	path, err := exec.LookPath(Command)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside %s nor on PATH; go build ./cmd/%s makes it", Command, filepath.Base(exe), Command)
	}
	return filepath.Abs(path)
}

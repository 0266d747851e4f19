// Command assay-nvml asks the library of NVIDIA's driver about the GPUs of this machine, for assay: it is started by assay, for the plan's
// setting collect.nvml, and ends with it.
//
//	assay-nvml [--interval 1s] [--probe]
//
// On stdout it says lines of JSON ([gpu.NVMLLine]): what cards there are, what each tells at an interval, and the driver's events as they happen. With
// --probe it says what cards there are and ends.
//
// It is a module of its own since the library needs cgo, and a process of its own since a library that fails takes its process with it: a call
// after one to open it that failed ends the process and cannot be recovered. So the library is opened first, and nothing is asked where that failed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/assay-dev/assay/internal/gpu"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdin, os.Stdout, os.Args[1:], nvml.New()); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", gpu.NVMLCommand, err)
		stop()
		os.Exit(1)
	}
}

// untilClosed returns a context that ends when in does: with whoever started us.
func untilClosed(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with in, thus at the latest with the process
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx, cancel
}

// Command assay-gpu holds memory of a GPU for assay: it is started by assay, for the fault gpu-memory, and ends with it. It loads the
// driver's library libcuda.so.1 at run time and needs no C compiler to be built; it is a command of its own since whatever loads libraries at run
// time is no static binary.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/assay-dev/assay/internal/gpu"
)

func main() {
	if err := gpu.HoldMain(context.Background(), os.Stdin, os.Stdout, os.Args[1:], open); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", gpu.Command, err)
		os.Exit(1)
	}
}

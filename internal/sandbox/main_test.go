package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/assay-dev/assay/internal/sandbox/engine"
)

// The test binary is its own platform and its own worker.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or each child built with -race takes a second to end
	if len(os.Args) > 1 {
		var err error
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		switch os.Args[1] {
		case PlatformCommand:
			err = PlatformChild(ctx, os.Stdin, os.Stdout, os.Stderr)
		case WorkerCommand:
			err = workerMain(ctx)
		default:
			os.Exit(runTests(m))
		}
		if err != nil {
			if errors.Is(err, ErrParentGone) {
				os.Exit(1)
			}
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(runTests(m))
}

// testWeights is the environment variable that holds the weights directory all tests share.
const testWeights = "ASSAY_TEST_WEIGHTS"

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "assay-weights")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv(testWeights, dir)
	return m.Run()
}

// workerMain runs the real engine, or with ASSAY_TEST_WORKER set a fake that fails as it says.
func workerMain(ctx context.Context) error {
	var cfg engine.Config
	if err := json.Unmarshal([]byte(os.Getenv(WorkerEnv)), &cfg); err != nil {
		return err
	}
	switch os.Getenv("ASSAY_TEST_WORKER") {
	case "crash":
		return fmt.Errorf("%s crashes as it was told", cfg.Instance)
	case "silent": // never listens
		<-ctx.Done()
		return nil
	}
	return WorkerMain(ctx, os.Stdout, os.Stderr)
}

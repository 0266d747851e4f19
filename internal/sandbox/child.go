package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/assay-dev/assay/internal/sandbox/engine"
	"github.com/assay-dev/assay/internal/sandbox/vision"
)

// WorkerMain is a process started by a platform as [WorkerCommand]: it reads the settings from the environment and
// runs the worker of their kind until ctx is done.
func WorkerMain(ctx context.Context, stdout, stderr io.Writer) error {
	text := []byte(os.Getenv(WorkerEnv))
	var of struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return fmt.Errorf("read %s: %w", WorkerEnv, err)
	}
	switch of.Kind {
	case KindVision:
		var c vision.Config
		if err := json.Unmarshal(text, &c); err != nil {
			return fmt.Errorf("read %s: %w", WorkerEnv, err)
		}
		return vision.Main(ctx, c, stdout, stderr)
	case "", KindLLM:
		var c engine.Config
		if err := json.Unmarshal(text, &c); err != nil {
			return fmt.Errorf("read %s: %w", WorkerEnv, err)
		}
		return engine.Main(ctx, c, stdout, stderr)
	}
	return fmt.Errorf("read %s: no worker is of kind %q", WorkerEnv, of.Kind)
}

//go:build !(linux && (amd64 || arm64))

package main

import (
	"errors"

	"github.com/assay-dev/assay/internal/gpu"
)

func open() (gpu.Device, error) { return nil, errors.New("GPUs can be used on Linux only") }

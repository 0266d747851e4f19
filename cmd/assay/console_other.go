//go:build !linux && !darwin

package main

import (
	"errors"
	"io"
)

func takeTerminal(io.Reader, io.Writer, <-chan struct{}) (io.ReadWriter, func(), func() (int, int), error) {
	return nil, nil, nil, errors.New("a game day asks on a terminal of Unix; give --yes to run it unattended")
}

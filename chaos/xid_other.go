//go:build !linux

package chaos

import "errors"

var errNoKernelLog = errors.New("the kernel log can be written on Linux only")

type kernelLog struct{}

func kernelLogWorks() error { return errNoKernelLog }

func (*kernelLog) open() error                 { return errNoKernelLog }
func (*kernelLog) close()                      {}
func (*kernelLog) write(string) error          { return errNoKernelLog }
func (*kernelLog) find(string) (string, error) { return "", errNoKernelLog }

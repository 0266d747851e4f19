//go:build !unix

package toolkit

import (
	"context"
	"errors"
)

func run(context.Context, string, *Process, func(int) (func(), error)) (*Output, error) {
	return nil, errors.New("processes are run on Unix only")
}

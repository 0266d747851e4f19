//go:build !linux

package chaos

import "errors"

var errNoFilter = errors.New("to drop packets needs Linux")

func lossWorks() error { return errNoFilter }

func (f *filter) add(func()) error { return errNoFilter }

func (f *filter) count() (sieved, error) { return sieved{}, errNoFilter }

func hasTable(string) (bool, error) { return false, errNoFilter }

func dropTable(string) error { return errNoFilter }

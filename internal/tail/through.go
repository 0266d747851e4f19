package tail

import (
	"errors"

	"github.com/assay-dev/assay"
)

// Through hands records to emit and goes on where the disk does not keep up: who did not take the record has counted it, and what follows is read all
// the same. Any other error is handed back.
func Through(emit func(assay.Record) error) func(assay.Record) error {
	return func(r assay.Record) error {
		if err := emit(r); err != nil && !errors.Is(err, assay.ErrFull) {
			return err
		}
		return nil
	}
}

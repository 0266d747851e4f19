package cloud

import (
	"errors"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// counts is the option that says whether what the platform saw counts as requests. What clients saw counts before it.
var counts = input.Option{Name: "requests", Help: "yes: its requests count though another input tells of requests"}

// recorded is the phase of requests that a platform recorded: all of them are one steady stretch.
const recorded = "recorded"

// phaseOf tells the stretch from begin to end as a phase; nothing where there was no request.
func phaseOf(begin, end int64, emit func(assay.Record) error) error {
	if begin == 0 {
		return nil
	}
	return errors.Join(
		emit(&assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Source: "import", Phase: recorded, Attrs: map[string]string{"role": string(assay.RoleSteady)}}),
		emit(&assay.Event{Time: max(begin, end), Kind: assay.EventPhaseEnd, Source: "import", Phase: recorded}))
}

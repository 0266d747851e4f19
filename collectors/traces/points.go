package traces

import (
	"errors"

	"github.com/assay-dev/assay/collectors"
)

// points takes one encoded message of metrics.
func (t *otlp) points(msg []byte, json bool) error {
	b, err := t.metrics.OTLP(msg, json)
	if errors.Is(err, collectors.ErrNoMetrics) {
		t.refuse("a batch that cannot be decoded as OTLP metrics")
		return nil
	}
	if err != nil {
		return err
	}
	for reason, n := range b.Rejected {
		t.in.Tally.Reject("a point "+reason, n)
	}
	t.in.Tally.Keep(b.Points)
	for i := range b.Samples {
		if err := t.emit(&b.Samples[i]); err != nil {
			return err
		}
	}
	for i := range b.Events {
		if err := t.emit(&b.Events[i]); err != nil {
			return err
		}
	}
	return nil
}

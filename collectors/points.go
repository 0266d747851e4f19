package collectors

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/assay-dev/assay/internal/flatten"
)

// ErrNoMetrics says that a message cannot be decoded as OTLP metrics.
var ErrNoMetrics = errors.New("no OTLP metrics")

// Points makes samples out of metrics that others recorded, by the rules by which [OTLP] takes those that arrive. Stamps stay in Unix time. The
// zero value is ready; one recording, read from end to end, needs one of its own, since deltas are added up.
type Points struct{ flat flatten.OTLP }

// OTLP converts one encoded export request.
func (p *Points) OTLP(msg []byte, json bool) (*flatten.Batch, error) {
	enc := protobuf
	if json {
		enc = otlpJSON
	}
	switch err := checkShape(metrics, enc, msg, maxRecorded); {
	case errors.Is(err, errProto):
		return nil, fmt.Errorf("%w: %w", ErrNoMetrics, err)
	case err != nil:
		return nil, err
	}
	req := pmetricotlp.NewExportRequest()
	if err := decode(enc, msg, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoMetrics, err)
	}
	return p.flat.Convert(req.Metrics()), nil
}

// Left says how many exemplars were not made events, "" if none.
func (p *Points) Left() string { return p.flat.Exemplars.Left() }

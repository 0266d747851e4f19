package k6

import (
	"time"

	"go.k6.io/k6/v2/metrics"

	"github.com/assay-dev/assay"
)

// An exchange is one request on its way from a virtual user to the outputs: the samples that every output
// understands, and the record that ours takes. It is not changed once it was sent.
type exchange struct {
	samples []metrics.Sample
	tags    *metrics.TagSet
	at      time.Time
	record  assay.Request
	target  assay.Target
	limit   time.Duration // deadline of the request
	begin   int64         // when its scenario began; 0: outside scenarios
}

var _ metrics.ConnectedSampleContainer = (*exchange)(nil)

// GetSamples implements metrics.SampleContainer.
func (x *exchange) GetSamples() []metrics.Sample { return x.samples }

// GetTags implements metrics.ConnectedSampleContainer.
func (x *exchange) GetTags() *metrics.TagSet { return x.tags }

// GetTime implements metrics.ConnectedSampleContainer.
func (x *exchange) GetTime() time.Time { return x.at }

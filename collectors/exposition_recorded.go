package collectors

import (
	"math"

	"github.com/assay-dev/assay"
)

// Bounds of one piece of a recorded exposition.
const recordedSamples = 300_000

// Expositions reads expositions that were recorded, by the decoder that scrapes use. The samples are stamped in Unix time and not compared
// with a look's. One goroutine uses it.
type Expositions struct{ x exposition }

// NewExpositions returns a reader that joins labels to those of each series, as a scrape would: where both have one, the exposition's is
// renamed to exported_….
func NewExpositions(labels map[string]string) *Expositions {
	t := &target{}
	for k, v := range labels {
		if v != "" {
			t.labels = append(t.labels, assay.Label{Name: k, Value: v})
		}
	}
	sortLabels(t.labels)
	return &Expositions{exposition{target: t, series: map[string]*series{}, stamped: recordedStamp, maxSamples: recordedSamples, maxLabels: promMaxLabels, maxLabel: promMaxLabel}}
}

// Read appends the samples of a piece to out; those without a time of their own are stamped at, in Unix ns. Events are the exemplars, valid until the
// next call. again is how many samples stood twice for one instant and were left out.
func (r *Expositions) Read(piece []byte, contentType string, at int64, out []assay.Sample) (samples []assay.Sample, events []assay.Event, again int, err error) {
	out, err = r.x.read(piece, contentType, at, out)
	return out, r.x.events, r.x.repeated, err
}

// Blanks returns how many values of the last piece stood for none and were left out: DCGM has numbers for that.
func (r *Expositions) Blanks() int { return r.x.blank }

// recordedStamp reads a stamp in ms, and what others write in its place: seconds where ms are meant, and ms where seconds are.
func recordedStamp(ms, _ int64) int64 {
	switch {
	case ms > 0 && ms < 1e11: // 1973 in ms, and 5138 in seconds
		ms *= 1000
	case ms > 1e14:
		ms /= 1000
	}
	if ms > math.MaxInt64/1_000_000 {
		return math.MaxInt64 / 2
	}
	if ms < 0 {
		return 1 // long before anything that is taken
	}
	return ms * 1_000_000
}

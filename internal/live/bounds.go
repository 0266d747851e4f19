package live

import "slices"

// LatencyBounds returns the upper bounds of the buckets of latencies from when a request was due, in seconds, in order.
func LatencyBounds() []float64 { return slices.Clone(latencyBounds.seconds[:]) }

//go:build !linux

package loadgen

// A poller exists on Linux only: elsewhere answers are read by the goroutines of manned connections.
type poller struct{}

func newPoller(func() int64) *poller { return nil }

func (p *poller) finish() {}
func (p *poller) close()  {}

func (p *poller) adopt(*wire, *conn) bool { return false }

func (w *wire) launchPolled(*trip, reader, *flight) bool { return false }

package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// reportPeriod is how often a worker is asked for its queue. Gateways that route by it ask about as often.
const reportPeriod = 50 * time.Millisecond

// reports follows an instance's queue, for routing by its length, until its process has ended. A report that does not come leaves
// the last one standing, so an instance that hangs looks fuller with each request that is sent to it.
func (s *supervisor) reports(in *instance) {
	client := &http.Client{Transport: in.client}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a report under way must not hold up the end
		select {
		case <-in.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	tick := time.NewTicker(reportPeriod)
	defer tick.Stop()
	for {
		if waiting, err := queueOf(ctx, client, in.url, s.cfg.ProbeTimeout); err == nil {
			s.pool.report(in.backend, waiting)
		}
		select {
		case <-tick.C:
		case <-in.done:
			return
		}
	}
}

// queueOf asks a worker how many requests wait in it.
func queueOf(ctx context.Context, client *http.Client, url string, timeout time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+worker.QueuePath, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("ask for the queue: status %d", res.StatusCode)
	}
	var q worker.Queue
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<10)).Decode(&q); err != nil {
		return 0, fmt.Errorf("read the queue: %w", err)
	}
	return max(q.Waiting, 0), nil
}

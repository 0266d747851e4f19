package worker

// QueuePath is where a worker reports its queue, for a gateway that routes by it.
const QueuePath = "/queue"

// A Queue is what a worker reports at [QueuePath], as JSON.
type Queue struct {
	Waiting int64 `json:"waiting"` // requests that it has not begun to compute
	Running int64 `json:"running"` // requests that it computes
}

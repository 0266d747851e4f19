package trace

// A queue gives items back in order of time, and those of one time in the order in which they came.
type queue struct {
	heap []queued
	n    uint64
}

type queued struct {
	Item
	n uint64
}

func (q *queue) len() int     { return len(q.heap) }
func (q *queue) first() int64 { return q.heap[0].At }

func (q *queue) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.At < b.At || a.At == b.At && a.n < b.n
}

func (q *queue) push(it Item) {
	q.heap = append(q.heap, queued{it, q.n})
	q.n++
	for i := len(q.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.less(i, up) {
			break
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

func (q *queue) pop() Item {
	it, last := q.heap[0].Item, len(q.heap)-1
	q.heap[0] = q.heap[last]
	q.heap[last] = queued{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return it
		}
		if down+1 < last && q.less(down+1, down) {
			down++
		}
		if !q.less(down, i) {
			return it
		}
		q.heap[i], q.heap[down] = q.heap[down], q.heap[i]
		i = down
	}
}

package flatten

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/assay-dev/assay"
)

// Bounds of exemplars of one source.
const (
	maxExemplars = 1000 // that become events
	maxRemember  = 100_000
)

// Exemplars makes events of exemplars: each once, and the first thousand. Its methods may be called at once; the zero value is ready.
type Exemplars struct {
	mu   sync.Mutex
	last map[string]string // series: its newest exemplar
	made int
	left int64
}

// Event returns the event of an exemplar of a series, or nil for one that is known, has no trace or is one too many. The instant is the
// exemplar's own where it has one, else that of the look.
func (x *Exemplars) Event(series, trace string, value float64, at int64) *assay.Event {
	if trace == "" || len(trace) > 64 || len(series) > 4096 {
		return nil
	}
	text := strconv.FormatFloat(value, 'g', -1, 64)
	x.mu.Lock()
	defer x.mu.Unlock()
	key := trace + " " + text
	if x.last[series] == key {
		return nil
	}
	if x.last == nil || len(x.last) >= maxRemember {
		x.last = map[string]string{}
	}
	x.last[series] = key
	if x.made >= maxExemplars {
		x.left++
		return nil
	}
	x.made++
	return &assay.Event{Time: at, Kind: assay.EventExemplar, Source: "exemplar", Attrs: map[string]string{"series": series, "trace": trace, "value": text}}
}

// Left says how many exemplars were not made events, "" if none.
func (x *Exemplars) Left() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left == 0 {
		return ""
	}
	return fmt.Sprintf("%d exemplars beyond the first %d were counted and not recorded", x.left, maxExemplars)
}

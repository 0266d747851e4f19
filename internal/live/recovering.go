package live

import "github.com/assay-dev/assay"

// When users are well again after a fault; see [FaultRecovering].
const (
	wellRun    = 8               // requests in a row, as the analyzers count them
	wellWithin = int64(30 * 1e9) // ns after the revert, where nobody asks
)

// A comeback is how far the users of a fault that was reverted are on their way to be well again.
type comeback struct {
	since int64 // when it was reverted
	clear bool  // the revert is verified
	void  bool  // it was never in effect, so nobody has to recover
	well  int   // requests in a row, due after since, that were served
}

// served takes what a request of the load says of users that recover. The lock is held.
func (f *fleet) served(r *assay.Request) {
	for id, b := range f.back {
		if r.Due < b.since {
			continue
		}
		switch {
		case r.Outcome == assay.OK:
			b.well++
		case r.Outcome.Bad():
			b.well = 0
		}
		if b.clear && b.well >= wellRun {
			f.over(id)
		}
	}
}

// expire ends the recovery of faults that were reverted long before now. The lock is held.
func (f *fleet) expire(now int64) {
	for id, b := range f.back {
		if b.clear && now-b.since > wellWithin {
			f.over(id)
		}
	}
}

// over ends the life of a fault.
func (f *fleet) over(id string) {
	if now := f.faults[id]; now != nil {
		now.State = ""
		f.known[id] = *now
	}
	delete(f.faults, id)
	delete(f.back, id)
}

package kubernetes

import (
	"errors"
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestFlushGoesOn: what could not be handed out comes again, in order, once; what was not kept is counted.
func TestFlushGoesOn(t *testing.T) {
	d := &Decoder{Live: true}
	d.init()
	for i := range 6 {
		d.tell(nil, fmt.Sprint(i), assay.Event{Time: int64(i+1) * second, Kind: assay.EventScale})
	}
	var got []int64
	calls, fault := 0, errors.New("full")
	emit := func(r assay.Record) error {
		if calls++; calls == 3 || calls == 4 {
			return fault
		}
		e := r.(*assay.Event)
		got = append(got, e.Time/second)
		return nil
	}
	for i, want := range []error{fault, fault, nil, nil} {
		if err := d.Flush(1<<62, emit); !errors.Is(err, want) {
			t.Errorf("time %d: %v, want %v", i, err, want)
		}
		d.tell(nil, fmt.Sprint(i), assay.Event{Time: second, Kind: assay.EventScale}) // told already
	}
	if diff := gocmp.Diff([]int64{1, 2, 3, 4, 5, 6}, got); diff != "" || d.Lost != 0 {
		t.Errorf("%d lost; (-want +got):\n%s", d.Lost, diff)
	}
	d.pending = make([]pending, maxEvents)
	d.tell(nil, "more", assay.Event{Time: second, Kind: assay.EventScale})
	if d.Lost != 1 {
		t.Errorf("%d lost, want 1", d.Lost)
	}
}

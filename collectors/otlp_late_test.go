package collectors

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestLatenessIsTold(t *testing.T) {
	var got []assay.Event
	o := &OTLP{Clock: unix{}, emit: func(r assay.Record) error { got = append(got, *r.(*assay.Event)); return nil }}
	o.tellLate(time.Second)
	if got != nil {
		t.Errorf("without a span: %v", got)
	}
	const s = int64(time.Second)
	for i := range int64(20) {
		o.late.add(100*s, []int64{100*s - i*s})
	}
	o.late.add(100*s, []int64{103 * s, 100*s + 1e5}) // a clock that is ahead, and one that is as good as ours
	o.tellLate(2 * time.Second)
	want := map[string]string{"spans": "22", "p50_ns": "8000000000", "p95_ns": "18000000000", "max_ns": "19000000000", "ahead": "1", "ahead_ns": "3000000000", "waited_ns": "2000000000"}
	for _, name := range []string{"p50_ns", "p95_ns"} { // to 0.5 %
		d, err := time.ParseDuration(got[0].Attrs[name] + "ns")
		about, _ := time.ParseDuration(want[name] + "ns")
		if off := (d - about).Abs(); err != nil || off > about/100 {
			t.Errorf("%s: got %v, want about %v", name, d, about)
		}
		got[0].Attrs[name] = want[name]
	}
	if diff := cmp.Diff(want, got[0].Attrs); diff != "" || got[0].Kind != assay.EventTraceIntake {
		t.Errorf("%s (-want +got):\n%s", got[0].Kind, diff)
	}
}

// TestLingersAsLongAsSpansComeLate: an exporter that batches for 5 s has the last 5 s of a run when it ends.
func TestLingersAsLongAsSpansComeLate(t *testing.T) {
	for name, tt := range map[string]struct {
		late, wait, want time.Duration
		hurry            time.Duration
		err              error
	}{
		"at once":        {late: 0, wait: 10 * time.Second, want: time.Second},
		"batches":        {late: 5 * time.Second, wait: 10 * time.Second, want: 6 * time.Second},
		"not allowed to": {late: 5 * time.Second, want: time.Second},
		"of another day": {late: time.Hour, wait: 10 * time.Second, want: time.Second},
		"in a hurry":     {late: 5 * time.Second, wait: 10 * time.Second, hurry: 2 * time.Second, want: 2 * time.Second},
		"a server ended": {late: 5 * time.Second, wait: 10 * time.Second, err: errors.New("gone")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hurry, failed := make(chan struct{}), make(chan error, 1)
				if tt.hurry > 0 {
					time.AfterFunc(tt.hurry, func() { close(hurry) })
				}
				if tt.err != nil {
					failed <- tt.err
				}
				o := &OTLP{Grace: time.Second, LateWait: tt.wait, Hurry: hurry}
				for range 100 {
					o.late.add(int64(tt.late), []int64{0})
				}
				begin := time.Now()
				err := o.linger(failed)
				if took := time.Since(begin); took < tt.want || took > tt.want+tt.want/50 || !errors.Is(err, tt.err) {
					t.Errorf("after %v %v, want %v %v", took, err, tt.want, tt.err)
				}
			})
		})
	}
}

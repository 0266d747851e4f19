package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// What two sources tell alike is one phase, by the better clock; what they tell apart is two.
func TestDistinct(t *testing.T) {
	const ms = second / 1000
	log := assay.Interval{Name: "weights_load", Begin: 10 * second, End: 30 * second, Resolution: ms, Source: "log"}
	cluster := assay.Interval{Name: "weights_load", Begin: 10*second + 700*ms, End: 30*second - 300*ms, Resolution: second, Source: "cluster"}
	spans := assay.Interval{Name: "weights_load", Begin: 10 * second, End: 30 * second, Source: "spans"}
	other := assay.Interval{Name: "weights_load", Begin: 10 * second, End: 20 * second, Resolution: ms, Source: "metric"}
	part := assay.Interval{Name: "weights_load", Begin: 12 * second, End: 31 * second, Resolution: second, Source: "log"}
	later := assay.Interval{Name: "weights_load", Begin: 31 * second, End: 33 * second, Resolution: second, Source: "log"}
	worker := assay.Interval{Name: "weights_load", Begin: 10 * second, End: 30 * second, Resolution: ms, Source: "log"}
	for _, c := range []struct {
		name     string
		in, want []assay.Interval
	}{
		{"the better clock", []assay.Interval{cluster, log}, []assay.Interval{log}},
		{"spans tell of no clock", []assay.Interval{log, spans}, []assay.Interval{log}},
		{"they contradict each other", []assay.Interval{log, other}, []assay.Interval{log, other}},
		{"one source, two workers", []assay.Interval{log, worker}, []assay.Interval{log}},
		{"one source, a part and the whole", []assay.Interval{log, part}, []assay.Interval{{Name: "weights_load", Begin: 10 * second, End: 31 * second, Resolution: second, Source: "log"}}},
		{"one source, twice", []assay.Interval{part, later}, []assay.Interval{part, later}},
	} {
		if d := cmp.Diff(c.want, distinct(c.in)); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, d)
		}
	}
}

// Processes that a source numbers in one place come one after the other: the second tells of the end of the first.
func TestProcessesOfOnePlace(t *testing.T) {
	event := func(at int64, kind, id string) assay.Event { return assay.Event{Time: at, Kind: kind, Instance: id} }
	all := lives(&assay.Manifest{}, []assay.Event{
		event(second, assay.EventInstanceCreated, "server"), event(2*second, assay.EventInstanceReady, "server"),
		event(20*second, assay.EventInstanceCreated, "server#2"), event(21*second, assay.EventInstanceReady, "server#2"),
		event(22*second, assay.EventInstanceCreated, "other"), event(23*second, assay.EventInstanceReady, "other"),
	}, nil)
	type life struct {
		Instance string
		Exited   int64
		Exit     string
		Again    bool
	}
	var got []life
	for _, l := range all {
		got = append(got, life{l.Instance, l.Exited / second, l.Exit, l.Again})
	}
	if d := cmp.Diff([]life{{"server", 20, "unseen", false}, {"server#2", 0, "", true}, {"other", 0, "", false}}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

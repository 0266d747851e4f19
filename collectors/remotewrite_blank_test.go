package collectors

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
)

// TestRemoteWriteLeavesBlanksOut: the sender can do nothing about what DCGM writes where it has no value, so it is told of success, and the run of what was left out.
func TestRemoteWriteLeavesBlanksOut(t *testing.T) {
	ms := time.Now().UnixMilli()
	series := func(name string, values ...float64) prompb.TimeSeries {
		s := prompb.TimeSeries{Labels: prompb.FromLabels(labels.FromStrings("__name__", name), nil)}
		for i, v := range values {
			s.Samples = append(s.Samples, prompb.Sample{Value: v, Timestamp: ms + int64(i)})
		}
		return s
	}
	body, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series("DCGM_FI_DEV_MEMORY_TEMP", 40, 0x7ffffff1, 1<<47), series("other", 0x7ffffff1)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	r, s := receiver(t, &RemoteWrite{}), new(sink)
	stop := start(t, r, s)
	if code, _, text := writeTo(t, r.Addr(), typeProtobuf, body); code != 204 {
		t.Errorf("status %d %s", code, text)
	}
	stop()
	var got []float64
	for _, m := range s.samples {
		got = append(got, m.Value)
	}
	if d := cmp.Diff([]float64{40, 0x7ffffff1}, got); d != "" {
		t.Errorf("samples (-want +got):\n%s", d)
	}
	if len(s.events) != 1 || s.events[0].Text != "2 samples were not recorded: of DCGM with a number that stands for no value" {
		t.Errorf("told %+v", s.events)
	}
}

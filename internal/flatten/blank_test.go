package flatten

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TestBlanksOfDCGM: a number by which DCGM says that it has no value is no sample, whether it comes as an integer or as a double.
func TestBlanksOfDCGM(t *testing.T) {
	md := pmetric.NewMetrics()
	ms := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	gauge := func(name string, ints []int64, doubles []float64) {
		m := ms.AppendEmpty()
		m.SetName(name)
		dps := m.SetEmptyGauge().DataPoints()
		for i, v := range ints {
			p := dps.AppendEmpty()
			p.SetTimestamp(1e18)
			p.Attributes().PutInt("gpu", int64(i))
			p.SetIntValue(v)
		}
		for i, v := range doubles {
			p := dps.AppendEmpty()
			p.SetTimestamp(1e18)
			p.Attributes().PutInt("gpu", int64(100+i))
			p.SetDoubleValue(v)
		}
	}
	gauge("DCGM_FI_DEV_MEMORY_TEMP", []int64{40, 0x7ffffff0, 0x7ffffff3, 0x7ffffffffffffff0}, []float64{41.5, 1 << 47, 1<<47 + 3})
	gauge("other_bytes", []int64{0x7ffffff0}, nil)
	var o OTLP
	b := o.Convert(md)
	var got []float64
	for _, s := range b.Samples {
		got = append(got, s.Value)
	}
	if d := cmp.Diff([]float64{40, 41.5, 0x7ffffff0}, got); d != "" {
		t.Errorf("samples (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int64{"of DCGM with a number that stands for no value": 5}, b.Rejected); d != "" || b.Points != 3 {
		t.Errorf("%d points, rejected (-want +got):\n%s", b.Points, d)
	}
}

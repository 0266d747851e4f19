package traces

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/flatten"
)

// TestOTLPMetricsAreSamples: what a collector wrote of metrics becomes samples, in each of the forms of a file.
func TestOTLPMetricsAreSamples(t *testing.T) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "engine")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("gen_ai.client.token.usage")
	m.SetUnit("{token}")
	m.SetEmptySum().SetIsMonotonic(true)
	m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 2 {
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetStartTimestamp(1_700_000_000e9 + pcommon.Timestamp(i)*1e9)
		p.SetTimestamp(1_700_000_001e9 + pcommon.Timestamp(i)*1e9)
		p.SetIntValue(5)
	}
	req := pmetricotlp.NewExportRequestFromMetrics(md)
	js, _ := req.MarshalJSON()
	pb, _ := req.MarshalProto()
	want := []string{`gen_ai_client_token_usage_total{job="engine"} @0 0`, `gen_ai_client_token_usage_total{job="engine"} @1 5`, `gen_ai_client_token_usage_total{job="engine"} @2 10`,
		`target_info{job="engine",service_name="engine"} @2 1`}
	for name, b := range map[string][]byte{"JSON": js, "bare": pb, "length": append(binary.BigEndian.AppendUint32(nil, uint32(len(pb))), pb...)} {
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		set, err := input.Open(t.Context(), []input.Spec{{Kind: kind(t, "otlp"), Path: path}}, input.Settings{})
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		err = set.Run(t.Context(), func(r assay.Record) error {
			if s, ok := r.(*assay.Sample); ok {
				got = append(got, fmt.Sprintf("%s @%d %g", flatten.Series(s.Name, s.Labels), (s.Time+set.Epoch-1_700_000_000e9)/1e9, s.Value))
			}
			return nil
		})
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, d)
		}
		if sum := set.Summaries[0]; sum.Kept != 2 || sum.Read != 2 || sum.Samples != 4 {
			t.Errorf("%s: summary %+v", name, sum)
		}
	}
}

package analyzers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// TestHopStamps: a hop's stamps are coarse, which is no disagreement of clocks.
func TestHopStamps(t *testing.T) {
	for begin, want := range map[int64]bool{999: false, 990: true, 1001: false} {
		r, _ := request("")
		spans := []assay.Span{span(20, 1, "nginx", "POST", assay.SpanServer, begin, 1998, assay.Attr{Key: "assay.hop", Value: "apart"}), span(21, 20, "nginx", "upstream", assay.SpanClient, begin+5, 1998)}
		r.End += 20 * ms // so that the span has room
		got, strayed := Attribution{}.Begin(someFacts(nil)).(*attribution).aligned(r, spans)
		if strayed != want || got[0].Start < r.Sent || got[1].Start-got[0].Start != 5*ms {
			t.Errorf("from %d ms: strayed %v, want %v; spans from %d and %d", begin, strayed, want, got[0].Start/ms, got[1].Start/ms)
		}
	}
}

// TestHop lays a proxy before the gateway of TestDecompose. Its spans hang below the client's, as the gateway's do.
func TestHop(t *testing.T) {
	proxy := []assay.Span{
		span(20, 1, "nginx", "POST", assay.SpanServer, 1003, 1998, assay.Attr{Key: "assay.hop", Value: "apart"}),
		span(21, 20, "nginx", "upstream", assay.SpanClient, 1008, 1998),
	}
	_, platform := request("no_ready_instance")
	for name, tt := range map[string]struct {
		spans []assay.Span
		want  map[string]float64
	}{
		"all that is the platform's stays so": {append(append([]assay.Span{}, proxy...), platform...),
			map[string]float64{"cold_start": 0.2, "storage": 0.05, "network": 0.06, "memory": 0.1, "compute": 0.53 * 0.815, "unexplained": 0.06 + 0.53*0.185}},
		"what it asked told nothing": {proxy, map[string]float64{"network": 0.002 + 0.005 + 0.002, "unexplained": 0.001 + 0.99}},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := request("")
			d := Attribution{}.Begin(someFacts(nil)).(*attribution).decompose(r, tt.spans)
			got := map[string]float64{}
			for c, n := range classNames {
				if d.class[c] != 0 {
					got[n] = float64(d.class[c])
				}
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(0, 1e-5)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

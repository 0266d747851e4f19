package collectors

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/clock"
)

// What DCGM writes where it has no value is no sample, and the run is told once.
func TestScrapeBlanksOfDCGM(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "DCGM_FI_DEV_MEMORY_TEMP{gpu=\"0\"} 9223372036854775794\nDCGM_FI_DEV_FB_FREE 2147483632\nDCGM_FI_DEV_GPU_TEMP{gpu=\"0\"} 41\n")
	}))
	t.Cleanup(srv.Close)
	s := new(sink)
	stop := start(t, &Prometheus{Targets: []Target{{URL: srv.URL}}, Interval: 20 * time.Millisecond, Clock: unixClock{clock.New()}}, s)
	until(t, s, "three looks", func() bool { return len(s.scrapes) >= 3 })
	stop()
	for _, sc := range s.scrapes {
		if len(sc.Samples) != 1 || sc.Samples[0].Value != 41 || sc.Error != "" {
			t.Errorf("%+v", sc)
		}
	}
	if len(s.events) != 1 || !strings.Contains(s.events[0].Text, "2 values of DCGM stand for none") {
		t.Errorf("%+v", s.events)
	}
}

package collectors

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/clock"
)

// TestDiscoveryDoesNotTellItsSecrets: what its URL holds beside scheme, host and path is not recorded when it fails.
func TestDiscoveryDoesNotTellItsSecrets(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer srv.Close()
	for _, host := range []string{strings.TrimPrefix(srv.URL, "http://"), "127.0.0.1:1"} {
		s := new(sink)
		start(t, &Prometheus{Discovery: "http://alice:hunter2@" + host + "/targets?key=hunter2", Interval: 10 * time.Millisecond, Clock: clock.New()}, s)
		until(t, s, "a warning", func() bool { return len(s.events) > 0 })
		s.do(func() {
			if got := s.events[0].Text; strings.Contains(got, "hunter2") || !strings.Contains(got, "discover targets at http://"+host+"/targets: ") {
				t.Errorf("told %q", got)
			}
		})
	}
}

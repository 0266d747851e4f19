package loadgen

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/faultproxy"
)

// Whatever the fault proxy does to a stream, the record names it, each time.
func TestRecordNamesTheFault(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 7 {
			io.WriteString(w, tokenA)
		}
		io.WriteString(w, finish+usage+doneLine)
	}))
	defer up.Close()
	p, err := faultproxy.Listen(up.URL, faultproxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := newTestOpenAI(t, p.URL())
	for _, tc := range []struct {
		c    faultproxy.Conditions
		want seen
	}{
		{faultproxy.Conditions{}, seen{Outcome: assay.OK, Status: 200, Arrivals: 7, In: 5, Out: 7, First: true, FirstByte: true}},
		{faultproxy.Conditions{Mode: faultproxy.FIN, Tokens: 3}, seen{Outcome: assay.CutFIN, Status: 200, Error: closedText, Arrivals: 3, In: 2, Out: 3, First: true, FirstByte: true}},
		{faultproxy.Conditions{Mode: faultproxy.RST, Tokens: 3}, seen{Outcome: assay.CutRST, Status: 200, Error: resetText, Arrivals: 3, In: 2, Out: 3, First: true, FirstByte: true}},
		{faultproxy.Conditions{Mode: faultproxy.Stall, Tokens: 3}, seen{Outcome: assay.CutStall, Status: 200, Error: "stream fell silent", Arrivals: 3, In: 2, Out: 3, First: true, FirstByte: true}},
		{faultproxy.Conditions{Mode: faultproxy.Hang}, seen{Outcome: assay.Timeout, Error: "no complete answer before the deadline", In: 2}},
		{faultproxy.Conditions{Mode: faultproxy.Corrupt, Tokens: 3}, seen{Outcome: assay.BadPayload, Status: 200, Arrivals: 2, In: 2, Out: 2, First: true, FirstByte: true}},
		{faultproxy.Conditions{Mode: faultproxy.Status, Status: 429, RetryAfter: 3 * time.Second}, seen{Outcome: assay.Throttled, Status: 429, Retry: 3 * time.Second, In: 2, FirstByte: true}},
		{faultproxy.Conditions{Mode: faultproxy.Status, Status: 500}, seen{Outcome: assay.ServerError, Status: 500, In: 2, FirstByte: true}},
	} {
		t.Run(fmt.Sprint(tc.c.Mode, tc.c.Status), func(t *testing.T) {
			for range 10 {
				p.Set(tc.c)
				deadline := 5 * time.Second
				if tc.c.Mode == faultproxy.Stall || tc.c.Mode == faultproxy.Hang {
					deadline = 150 * time.Millisecond
				}
				got := see(do(t, c, true, deadline))
				if tc.want.Error == "" {
					got.Error = ""
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

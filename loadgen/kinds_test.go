package loadgen

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// TestClientContract holds every client, over every transport, to what assay.Client promises.
func TestClientContract(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body) // only then does the server notice that the client has gone
		if req.URL.Query().Has("hang") {
			<-req.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write([]byte(tokenA + usage + doneLine))
	})
	plain, one, two := httptest.NewServer(handler), httptest.NewTLSServer(handler), httptest.NewUnstartedServer(handler)
	two.EnableHTTP2 = true
	two.StartTLS()
	for _, kind := range ClientKinds {
		for name, s := range map[string]*httptest.Server{"wire": plain, "https": one, "http2": two} {
			t.Run(kind.Name+"/"+name, func(t *testing.T) {
				e := Endpoint{Clock: clock.New()}
				if s != plain {
					e.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
				}
				e.URL = s.URL + "/v1/chat/completions"
				c, err := kind.New(e)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				var all sync.WaitGroup
				for range 8 { // at once, and each more than once
					all.Go(func() {
						for range 5 {
							r := do(t, c, true, 10*time.Second)
							if r.Outcome != assay.OK || r.Status != 200 || r.Sent == 0 || r.FirstByte == 0 || r.BytesIn != int64(len(tokenA+usage+doneLine)) {
								t.Errorf("%+v", r)
							}
						}
					})
				}
				all.Wait()
				e.URL += "?hang"
				h, err := kind.New(e)
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				if r := do(t, h, true, 50*time.Millisecond); r.Outcome != assay.Timeout {
					t.Errorf("deadline: %v %s", r.Outcome, r.Error)
				}
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				r := &assay.Request{}
				if h.Do(ctx, &assay.Call{}, r); r.Outcome != assay.Unfinished {
					t.Errorf("cancelled: %v %s", r.Outcome, r.Error)
				}
				checkOrder(t, r)
			})
		}
	}
	for _, s := range []*httptest.Server{plain, one, two} {
		s.Close()
	}
}

// TestArrivalContract holds every arrival process to what Arrivals promises.
func TestArrivalContract(t *testing.T) {
	for _, kind := range ArrivalKinds {
		for _, p := range []Profile{{Rate: 100}, {Rate: 0, To: to(200)}, {Rate: 200, To: to(0)}, {Rate: 0}} {
			a := kind.New(p)
			if err := a.Check(); err != nil {
				t.Fatal(err)
			}
			due := a.Due([]int64{-1}, 100*time.Second, stream(1, kind.Name, "arrivals"))
			if due[0] != -1 {
				t.Errorf("%s: what was in the slice is gone", kind.Name)
			}
			due = due[1:]
			for i, at := range due {
				if at < 0 || at >= int64(100*time.Second) || i > 0 && at < due[i-1] {
					t.Fatalf("%s %+v: arrival %d at %d is out of order or range", kind.Name, p, i, at)
				}
			}
			want := a.Mean() * 100
			if diff := float64(len(due)) - want; diff*diff > 16*want {
				t.Errorf("%s %+v: %d arrivals, want about %g", kind.Name, p, len(due), want)
			}
		}
	}
}

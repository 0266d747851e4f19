package collectors

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// TestMain also checks that no test leaves a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds {
		if k.Name == "" || k.Help == "" || k.By == "" || seen[k.Name] || k.Proven != Live && k.Proven != Recorded && k.Proven != Documents {
			t.Errorf("kind %+v lacks something", k)
		}
		seen[k.Name] = true
		if k.New(clock.New()) == nil {
			t.Errorf("%s: New returns nothing", k.Name)
		}
	}
}

// Every source returns nil soon after its context is done, and emits nothing after that.
func TestSourcesStop(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer srv.Close()
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			src := k.New(clock.New())
			switch s := src.(type) {
			case *OTLP:
				s.Grace = time.Millisecond
			case *Prometheus:
				s.Targets, s.Discovery, s.Interval = []Target{{URL: srv.URL}}, srv.URL, 20*time.Millisecond
			case *Events:
				s.URL = srv.URL
			}
			s := new(sink)
			stop := start(t, src, s)
			time.Sleep(50 * time.Millisecond)
			begin := time.Now()
			stop()
			if d := time.Since(begin); d > pacetest.Most(5*time.Second) {
				t.Errorf("Run returned %s after its context was done", d)
			}
		})
	}
}

func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `vllm:num_requests_running{model_name="tiny"} 2`)
	}))
	defer srv.Close()
	p := &Prometheus{
		Targets:  []Target{{URL: srv.URL + "/metrics", Labels: map[string]string{"job": "engine", "instance": "w-1"}}},
		Interval: 300 * time.Millisecond,
		Clock:    clock.New(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := p.Run(ctx, func(r assay.Record) error {
		if sc, ok := r.(*assay.Scrape); ok && ctx.Err() == nil {
			for _, s := range sc.Samples {
				fmt.Println(sc.Target, s.Name, s.Labels, s.Value)
			}
			cancel()
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// w-1/metrics vllm:num_requests_running [{instance w-1} {job engine} {model_name tiny}] 2
	// <nil>
}

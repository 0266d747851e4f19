package loadgen_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/loadgen"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	}))
	defer server.Close()

	clk := clock.New()
	client, err := loadgen.NewOpenAI(loadgen.Endpoint{URL: server.URL, Clock: clk})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	g, err := loadgen.New(loadgen.Config{Clock: clk, Client: client, Model: "tiny", Stream: true, Seed: 1, Phases: []loadgen.Phase{
		{Name: "steady", Arrivals: loadgen.Even{Profile: loadgen.Profile{Rate: 50}}, For: 200 * time.Millisecond, Prompt: loadgen.Fixed(64), Output: loadgen.Fixed(32)},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var tokens atomic.Int64
	err = g.Run(context.Background(), func(rec assay.Record) error {
		if r, ok := rec.(*assay.Request); ok && r.Outcome == assay.OK {
			tokens.Add(int64(r.TokensOut))
		}
		return nil
	})
	fmt.Println(g.Live().Done, "requests,", tokens.Load(), "tokens,", err)
	// Output: 10 requests, 10 tokens, <nil>
}

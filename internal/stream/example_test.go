package stream_test

import (
	"encoding/json"
	"fmt"

	"github.com/assay-dev/assay/internal/stream"
)

// A program that follows a run reads lines of JSON from its socket.
func ExampleLine() {
	var l stream.Line
	line := `{"request":{"id":7,"phase":"steady","outcome":"ok","status":200,"cold":"unknown","due_unix_ns":1000000000,"first_token_unix_ns":1025000000,"end_unix_ns":1200000000}}`
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("request %d of %s: %s, first token after %d ms\n", l.Request.ID, l.Request.Phase, l.Request.Outcome, (l.Request.FirstToken-l.Request.Due)/1e6)
	// Output: request 7 of steady: ok, first token after 25 ms
}

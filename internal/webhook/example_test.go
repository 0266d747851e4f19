package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/assay-dev/assay/internal/webhook"
)

func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n webhook.Notice
		fmt.Println(json.NewDecoder(r.Body).Decode(&n), n.Kind, n.Text)
	}))
	defer srv.Close()
	h := &webhook.Hook{URL: srv.URL, Failed: func(why string) { fmt.Println(why) }}
	h.Start()
	h.Tell(webhook.Notice{Schema: webhook.Schema, Kind: "fault.applied", Text: "a fault is in force: hang of w-1"})
	h.Close(context.Background())
	// Output: <nil> fault.applied a fault is in force: hang of w-1
}

package ask_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/assay-dev/assay/internal/ask"
)

func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.URL, " of run ", r.Header.Get("X-Assay-Run"))
	}))
	defer srv.Close()
	s := ask.Server{URL: srv.URL + "/", RunID: "0123456789abcdef"}
	status, answer, err := s.Do(context.Background(), http.MethodGet, "/api/status", "", nil, 1<<20)
	fmt.Println(status, string(answer), err)
	// Output: 200 GET /api/status of run 0123456789abcdef <nil>
}

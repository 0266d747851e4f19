package promapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/assay-dev/assay/internal/promapi"
)

func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1435781451.781,"0.25"]}]}}`)
	}))
	defer srv.Close()
	c := promapi.Client{URL: srv.URL, RunID: "0123456789abcdef"}
	got, err := c.Value(context.Background(), `sum(rate(errors_total[1m]))`)
	fmt.Println(got.Value, got.Time.UTC().Format("15:04:05.000"), err)
	// Output: 0.25 20:10:51.781 <nil>
}

package link_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/assay-dev/assay/internal/link"
)

func Example() {
	model := httptest.NewServer(http.NotFoundHandler())
	defer model.Close()
	l, err := link.Listen("127.0.0.1:0", model.Listener.Addr().String(), link.Conditions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()

	l.Set(link.Conditions{Delay: 50 * time.Millisecond})
	start := time.Now()
	resp, err := http.Get("http://" + l.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, "after at least 100 ms:", time.Since(start) >= 100*time.Millisecond)

	l.Set(link.Conditions{Cut: link.CutRefuse})
	http.DefaultClient.CloseIdleConnections()
	_, err = http.Get("http://" + l.Addr())
	fmt.Println("refused:", err != nil)
	// Output:
	// 404 after at least 100 ms: true
	// refused: true
}

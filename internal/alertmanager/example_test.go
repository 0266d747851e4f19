package alertmanager_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/assay-dev/assay/internal/alertmanager"
	"github.com/assay-dev/assay/internal/alertmanager/standin"
)

func Example() {
	srv := httptest.NewServer(&standin.Server{})
	defer srv.Close()
	ctx, now := context.Background(), time.Now()
	c := alertmanager.Client{URL: srv.URL, RunID: "0123456789abcdef"}
	id, err := c.Silence(ctx, alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "HighErrorRate", IsEqual: true}},
		StartsAt: now, EndsAt: now.Add(10 * time.Minute), CreatedBy: "assay", Comment: "a drill"})
	fmt.Println(id, err)
	fmt.Println(c.Expire(ctx, id))
	list, err := c.Silences(ctx)
	fmt.Println(list[0].Status.State, list[0].Matchers, err)
	// Output:
	// silence-1 <nil>
	// <nil>
	// expired [alertname="HighErrorRate"] <nil>
}

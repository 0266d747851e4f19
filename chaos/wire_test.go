package chaos

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/faultproxy"
)

func TestWire(t *testing.T) {
	lookOnly(t)
	target := httptest.NewServer(http.NotFoundHandler())
	defer target.Close()
	proxy, err := faultproxy.Listen(target.URL, faultproxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	mux := http.NewServeMux()
	mux.Handle("/admin/faults/"+WireID, proxy.Admin())
	admin := httptest.NewServer(mux)
	defer admin.Close()
	self, err := ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	d := &Wire{Admin: &AdminPlatform{URL: admin.URL, Self: self}}
	get := func() int {
		res, err := http.Get(proxy.URL())
		if err != nil {
			t.Error(err)
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	tr := newTrial(d, Step{Fault: "http", Instances: 1, For: 200 * time.Millisecond, Status: 429, First: 2})
	var during []int
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified {
			during = append(during, get(), get(), get())
		}
	}
	tr.run(t, context.Background())
	if diff := cmp.Diff(wholeLife, tr.kinds("http-1")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if want := []int{429, 429, 404}; !cmp.Equal(want, during) || get() != 404 {
		t.Errorf("while it held the load saw %v, want %v; afterwards %d, want 404", during, want, get())
	}
	if e := tr.event(t, "http-1", assay.EventFaultArmed); e.Text != "our own requests, in a proxy between the load and the target" || e.Instance != WireID {
		t.Errorf("armed: %q on %q", e.Text, e.Instance)
	}
	if _, err := d.Plan(context.Background(), &Step{Fault: "kill"}, Victim{ID: WireID}); err == nil || !strings.Contains(err.Error(), "what lies between the load and it") {
		t.Errorf("kill of a target that nothing is known of: %v", err)
	}
	want := []string{"3s into the load: fin after 8 tokens on our requests to the target, for 2s",
		"these faults lie on our side of the wire: a proxy of ours between the load and the target; the target itself is not hurt, and its users feel nothing"}
	if diff := cmp.Diff(want, Preview([]Step{{Fault: "stream", By: ByWire, At: 3 * time.Second, For: 2 * time.Second, Tokens: 8}})); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
}

package sandbox

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// A chill leaves no instance, is no failure, does not fight the autoscaler, and marks the starts that it causes.
func TestChill(t *testing.T) {
	cfg := testConfig(t)
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for round := range 3 {
		if status, _, _, err := ask(ctx, p.URL, 8, 2); status != http.StatusOK || err != nil {
			t.Fatalf("round %d: status %d, %v", round, status, err)
		}
		created := w.next(assay.EventInstanceCreated, func(Event) bool { return true })
		if got, want := created.Attrs["forced"], map[bool]string{true: "true"}[round > 0]; got != want || created.Attrs["reason"] != startFromZero {
			t.Errorf("round %d: created %v, want forced %q", round, created.Attrs, want)
		}
		status, body := call(t, http.MethodPost, p.AdminURL+"/admin/chill", "")
		if status != http.StatusOK || body != `{"stopped":1}`+"\n" && body != `{"stopped":1}` {
			t.Fatalf("round %d: %d %s", round, status, body)
		}
		var left []Instance
		getJSON(t, p.AdminURL+"/admin/instances", &left)
		if len(left) != 0 {
			t.Errorf("round %d: %+v are left", round, left)
		}
		exited := w.next(assay.EventInstanceExited, func(Event) bool { return true })
		if exited.Attrs["reason"] != exitForced || exited.Attrs["by"] != "" {
			t.Errorf("round %d: exited %v", round, exited.Attrs)
		}
	}
	// Nothing comes back of itself, though the windows still knew the load.
	time.Sleep(3 * cfg.Tick)
	var left []Instance
	getJSON(t, p.AdminURL+"/admin/instances", &left)
	if len(left) != 0 {
		t.Errorf("%+v came back", left)
	}
}

func TestChillOfADeploymentThatStays(t *testing.T) {
	cfg := testConfig(t)
	cfg.MinScale, cfg.InitialScale = 1, 1
	p := startTest(t, cfg)
	if status, body := call(t, http.MethodPost, p.AdminURL+"/admin/chill", ""); status != http.StatusConflict || body == "" {
		t.Errorf("%d %s, want 409", status, body)
	}
}

package sandbox

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// An outage of the name server is felt where names are looked up: when a worker starts. It fails, or is slow, and serves once
// the outage is over; workers that have started feel nothing.
func TestNamesFailAtStart(t *testing.T) {
	cfg := testConfig(t)
	cfg.WeightsHost = "weights.example"
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin := func(method, body string) {
		t.Helper()
		if status, got := call(t, method, p.AdminURL+"/admin/dns", body); status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, body, status, got)
		}
	}
	serves := func() {
		t.Helper()
		if status, _, _, err := ask(ctx, p.URL, 8, 2); status != http.StatusOK || err != nil {
			t.Fatalf("status %d, %v", status, err)
		}
	}
	any := func(Event) bool { return true }
	serves()
	for _, body := range []string{`{"mode":"nxdomain"}`, `{"mode":"servfail"}`, `{"mode":"wrong","answer":"127.255.255.254"}`} {
		admin(http.MethodPut, body)
		serves() // the worker that is there goes on
		if status, body := call(t, http.MethodPost, p.AdminURL+"/admin/chill", ""); status != http.StatusOK {
			t.Fatalf("chill: %d %s", status, body)
		}
		w.next(assay.EventInstanceExited, any)
		served := make(chan int, 1)
		go func() {
			status, _, _, _ := ask(ctx, p.URL, 8, 2)
			served <- status
		}()
		exited := w.next(assay.EventInstanceExited, any)
		if exited.Attrs["reason"] != exitCrash {
			t.Errorf("%s: exited %v, want a crash", body, exited.Attrs)
		}
		log, err := os.ReadFile(filepath.Join(cfg.LogDir, exited.Instance+".log"))
		if err != nil || !strings.Contains(string(log), "the store of weights") {
			t.Errorf("%s: the worker's log says nothing of the store: %v\n%s", body, err, log)
		}
		admin(http.MethodDelete, "")
		if status := <-served; status != http.StatusOK {
			t.Errorf("%s: a request that came meanwhile got %d", body, status)
		}
	}
	const late = 400 * time.Millisecond
	admin(http.MethodPut, `{"mode":"delay","delay_ns":400000000}`)
	if status, body := call(t, http.MethodPost, p.AdminURL+"/admin/chill", ""); status != http.StatusOK {
		t.Fatalf("chill: %d %s", status, body)
	}
	begin := time.Now()
	serves()
	if took := time.Since(begin); took < late {
		t.Errorf("a cold start under a name server that is %v late took %v", late, took)
	}
}

func TestNoNamesWithoutAHost(t *testing.T) {
	p := startTest(t, testConfig(t))
	if status, body := call(t, http.MethodGet, p.AdminURL+"/admin/dns", ""); status != http.StatusNotFound || !strings.Contains(body, "weights_host is not set") {
		t.Errorf("%d %s", status, body)
	}
	cfg := testConfig(t)
	cfg.WeightsHost = "weights"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), `weights_host: "weights" is no name of a host; write for example weights.example`) {
		t.Errorf("%v", err)
	}
}

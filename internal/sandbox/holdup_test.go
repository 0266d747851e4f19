package sandbox

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// A start is held back for as long as is said, and let go at once when that is lifted or the platform ends.
func TestStartsAreHeldBack(t *testing.T) {
	p := startTest(t, testConfig(t))
	w := watchEvents(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for text, want := range map[string]int{`{"delay_ns":-1}`: http.StatusBadRequest, `{"delay":1}`: http.StatusBadRequest, `{"delay_ns":600000000001}`: http.StatusBadRequest} {
		if status, body := call(t, http.MethodPut, p.AdminURL+"/admin/starts", text); status != want {
			t.Errorf("%s: %d %s, want %d", text, status, body, want)
		}
	}
	if status, body := call(t, http.MethodPut, p.AdminURL+"/admin/starts", `{"delay_ns":300000000}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	begin := time.Now()
	if status, _, _, err := ask(ctx, p.URL, 8, 2); status != http.StatusOK || err != nil || time.Since(begin) < 300*time.Millisecond {
		t.Errorf("status %d after %v, %v", status, time.Since(begin), err)
	}
	started := w.next(assay.EventInstanceStarted, func(Event) bool { return true })
	if held, err := strconv.ParseInt(started.Attrs["held_ns"], 10, 64); err != nil || held < int64(300*time.Millisecond) {
		t.Errorf("started %v", started.Attrs)
	}
	var got Starts
	getJSON(t, p.AdminURL+"/admin/starts", &got)
	if got.Held != 1 || got.Holding != 0 || got.LastNS < int64(300*time.Millisecond) || got.Delay != 300*time.Millisecond {
		t.Errorf("report %+v", got)
	}

	call(t, http.MethodPost, p.AdminURL+"/admin/chill", "")
	call(t, http.MethodPut, p.AdminURL+"/admin/starts", `{"delay_ns":600000000000}`)
	done := make(chan error, 1)
	go func() {
		_, _, _, err := ask(ctx, p.URL, 8, 2)
		done <- err
	}()
	for got.Holding != 1 && ctx.Err() == nil {
		getJSON(t, p.AdminURL+"/admin/starts", &got)
	}
	if status, _ := call(t, http.MethodDelete, p.AdminURL+"/admin/starts", ""); status != http.StatusNoContent {
		t.Errorf("lifted with %d", status)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.next(assay.EventInstanceStarted, func(e Event) bool { return e.Attrs["held_ns"] != "" })
	getJSON(t, p.AdminURL+"/admin/starts", &got)
	if got != (Starts{}) {
		t.Errorf("after it was lifted: %+v", got)
	}

	// One that is held back does not hold up the end.
	call(t, http.MethodPost, p.AdminURL+"/admin/chill", "")
	call(t, http.MethodPut, p.AdminURL+"/admin/starts", `{"delay_ns":600000000000}`)
	go ask(ctx, p.URL, 8, 2)
	for got.Holding != 1 && ctx.Err() == nil {
		getJSON(t, p.AdminURL+"/admin/starts", &got)
	}
	begin = time.Now()
	stopping, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Stop(stopping); err != nil || time.Since(begin) > pacetest.Most(10*time.Second) {
		t.Errorf("stopped after %v, %v", time.Since(begin), err)
	}
}

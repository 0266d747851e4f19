package traces

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// TestReadBackFromASlowStore: the wait has an end, however slow a store is and however many traces are asked for.
func TestReadBackFromASlowStore(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-r.Context().Done():
		}
		http.NotFound(w, r)
	}))
	defer srv.Close()
	b := &ReadBack{Store: Tempo, URL: srv.URL, Wait: 100 * time.Millisecond, grace: 100 * time.Millisecond, Every: time.Millisecond, Clock: fixed{}}
	for i := range 400 {
		b.Asked = append(b.Asked, assay.TraceID{byte(i), byte(i >> 8), 1})
	}
	var event *assay.Event
	began := time.Now()
	err := b.Run(t.Context(), func(r assay.Record) error { event = r.(*assay.Event); return nil })
	if took := time.Since(began); err != nil || took > pacetest.Most(3*time.Second) { // each look of all would take five
		t.Errorf("took %v: %v", took, err)
	}
	if event == nil {
		t.Fatal("no event")
	}
	n, _ := strconv.Atoi(event.Attrs["unasked"])
	if n < 300 || event.Attrs["came"] != "0" || event.Attrs["asked"] != "400" || !strings.HasPrefix(event.Text, "0 of 400 traces of our requests came; the store was too slow to be asked for ") {
		t.Errorf("event %q %v: want that most of 400 were not asked for", event.Text, event.Attrs)
	}
}

// TestReadBackDoesNotTellItsSecrets: what the URL of a store holds beside scheme, host and path is not recorded when it fails.
func TestReadBackDoesNotTellItsSecrets(t *testing.T) {
	for name, want := range map[string]string{Tempo: "GET /api/v2/traces/01", Jaeger: "GET /api/traces/01"} {
		b := &ReadBack{Store: name, URL: "http://alice:hunter2@127.0.0.1:1/at", Asked: []assay.TraceID{{1}}, Clock: fixed{}}
		err := b.Run(context.Background(), func(assay.Record) error { return nil })
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "read back from http://127.0.0.1:1/at: "+want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

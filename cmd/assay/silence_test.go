package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/alertmanager"
	"github.com/assay-dev/assay/internal/alertmanager/standin"
)

// A straight is a transport to a handler without a network, unless that is cut.
type straight struct {
	http.Handler
	cut atomic.Bool
}

func (s *straight) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.cut.Load() {
		return nil, errors.New("no route")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

// The silence of a run that waits for its people ends as much later as they take, and always ends. What somebody ends stays over; while it cannot be made
// longer that is tried again.
func TestSilenceWaitsForPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &standin.Server{}
		wire := &straight{Handler: server}
		a := &alarm{am: &alertmanager.Client{URL: "http://am", HTTP: &http.Client{Transport: wire}}}
		begin := time.Now()
		planned := begin.Add(6 * time.Minute)
		a.silence = alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "A", IsEqual: true}}, StartsAt: begin.UTC(), EndsAt: planned.UTC(), CreatedBy: "assay", Comment: "drill d, run r"}
		var err error
		if a.silence.ID, err = a.am.Silence(t.Context(), a.silence); err != nil {
			t.Fatal(err)
		}
		var waited atomic.Int64
		var mu sync.Mutex
		var said []string
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.keepSilent(ctx, func() time.Duration { return time.Duration(waited.Load()) }, func(kind, text string) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, kind+" "+text)
			})
		}()
		look := func(what string, after time.Duration, n int, ends time.Duration, words int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			list := server.Silences()
			mu.Lock()
			defer mu.Unlock()
			if len(list) != n || !list[n-1].EndsAt.Equal(planned.Add(ends)) || len(said) != words {
				t.Errorf("%s: %+v, want %d, the last until %v; said %q", what, list, n, planned.Add(ends), said)
			}
		}
		look("nobody is waited for", time.Minute, 1, 0, 0)
		waited.Store(int64(time.Minute))
		look("within the margin", time.Minute, 1, 0, 0)
		waited.Store(int64(3 * time.Minute))
		look("for longer", lookPeriod, 1, 3*time.Minute, 1)
		look("answered", 2*time.Minute, 1, 3*time.Minute, 1)
		wire.cut.Store(true)
		waited.Store(int64(6 * time.Minute))
		look("Alertmanager is not reached", time.Minute, 1, 3*time.Minute, 1)
		look("and the end is near", 3*time.Minute, 1, 3*time.Minute, 2)
		wire.cut.Store(false)
		look("it is well again", lookPeriod, 1, 6*time.Minute, 3)
		if err := a.am.Expire(t.Context(), a.silence.ID); err != nil {
			t.Fatal(err)
		}
		over := time.Until(planned)
		waited.Store(int64(10 * time.Minute))
		look("somebody has ended it", lookPeriod, 1, -over, 4)
		stop()
		<-done
		for i, want := range []string{assay.EventAnnotation + " silenced until ", assay.EventWarning + " the alerts may be sent from ", assay.EventAnnotation + " silenced until ", assay.EventWarning + " the alerts are sent: silence silence-1 is over"} {
			if i >= len(said) || !strings.HasPrefix(said[i], want) {
				t.Errorf("said %q, want %q at %d", said, want, i)
			}
		}
		if d := cmp.Diff("drill d, run r", server.Silences()[0].Comment); d != "" {
			t.Errorf("the undo would not know it: %s", d)
		}
	})
}

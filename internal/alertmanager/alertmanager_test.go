package alertmanager_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/alertmanager"
	"github.com/assay-dev/assay/internal/alertmanager/standin"
)

func TestSilence(t *testing.T) {
	ctx := context.Background()
	s := &standin.Server{Token: "secret"}
	srv := httptest.NewServer(s)
	defer srv.Close()
	c := &alertmanager.Client{URL: srv.URL + "/", RunID: "run"}
	if _, err := c.Silences(ctx); err == nil || !strings.HasSuffix(err.Error(), "GET "+srv.URL+"/api/v2/silences: status 401 Unauthorized") {
		t.Errorf("without a token: %v", err)
	}
	c.Token = func(context.Context) (string, error) { return "secret", nil }
	now := time.Now()
	want := alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "A|B", IsRegex: true, IsEqual: true}}, StartsAt: now.UTC(), EndsAt: now.Add(time.Hour).UTC(),
		CreatedBy: "assay", Comment: "a drill"}
	id, err := c.Silence(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Silences(ctx)
	if err != nil || len(list) != 1 || list[0].Over() || list[0].Status.State != "active" {
		t.Fatalf("%+v, %v", list, err)
	}
	if list[0].StartsAt.Before(now) { // it does not silence what was
		t.Errorf("begins at %v, before it was made at %v", list[0].StartsAt, now)
	}
	want.ID, want.Status, want.StartsAt = id, list[0].Status, list[0].StartsAt
	if d := cmp.Diff(want, list[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// With its own beginning it is changed in place; with another it is ended, and a new one stands for it.
	want.EndsAt, want.Status = now.Add(2*time.Hour).UTC(), nil
	if got, err := c.Silence(ctx, want); err != nil || got != id {
		t.Errorf("made longer: %s, %v, want %s", got, err, id)
	}
	moved := want
	moved.StartsAt = now.Add(-time.Minute)
	if id, err = c.Silence(ctx, moved); err != nil || id == want.ID {
		t.Errorf("with another beginning: %s, %v", id, err)
	}
	if list, err = c.Silences(ctx); err != nil || len(list) != 2 || !list[0].Over() || list[1].Over() || !list[1].EndsAt.Equal(want.EndsAt) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.Expire(ctx, id); err != nil {
		t.Error(err)
	}
	if list, err = c.Silences(ctx); err != nil || !list[1].Over() {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.Expire(ctx, "never"); err != nil {
		t.Errorf("one that is not known: %v", err)
	}
	want.EndsAt = now
	if _, err := c.Silence(ctx, want); err == nil || !strings.Contains(err.Error(), "status 400") {
		t.Errorf("one that is over: %v", err)
	}
	if got := slices.Compact(s.Runs()); !cmp.Equal(got, []string{"run"}) {
		t.Errorf("requests of runs %q", got)
	}
}

func TestFiring(t *testing.T) {
	s := &standin.Server{}
	srv := httptest.NewServer(s)
	defer srv.Close()
	alert := func(name, service string) alertmanager.Alert {
		return alertmanager.Alert{Labels: map[string]string{"alertname": name, "service": service}, StartsAt: time.Unix(1e9, 0).UTC()}
	}
	s.Fire(alert("A", "x"), alert("A", "y"), alert("B", "x"), alert("AB", "x"))
	c := &alertmanager.Client{URL: srv.URL}
	got, err := c.Firing(context.Background(), alertmanager.Matcher{Name: "alertname", Value: "A|B", IsRegex: true, IsEqual: true}, alertmanager.Matcher{Name: "service", Value: "x", IsEqual: true})
	if d := cmp.Diff([]alertmanager.Alert{alert("A", "x"), alert("B", "x")}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestBadAnswers(t *testing.T) {
	body := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }))
	defer srv.Close()
	c := &alertmanager.Client{URL: srv.URL}
	for text, want := range map[string]string{"<html>": "none of Alertmanager's API v2", "{}": "names no silence", strings.Repeat(" ", 16<<20+1): "more than 16 MiB"} {
		body = text
		if _, err := c.Silence(context.Background(), alertmanager.Silence{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: error %v, want %q", text, err, want)
		}
	}
	srv.Close()
	if _, err := c.Silences(context.Background()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

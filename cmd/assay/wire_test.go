package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/loadgen"
)

// An https target stays one through the proxy when its certificate is to expire: the client trusts the proxy, until then.
func TestWireWithTLS(t *testing.T) {
	var path string
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.RequestURI()
		io.WriteString(w, "ok")
	}))
	defer target.Close()
	e := loadgen.Endpoint{URL: target.URL + "/a?b=c", Clock: clock.New(), TLS: target.Client().Transport.(*http.Transport).TLSClientConfig}
	step := chaos.Step{Fault: "http", Mode: "tls-expired", Instances: 1, For: time.Second}
	w, err := startWire(&e, nil, []chaos.Step{step})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	client, err := loadgen.NewHTTP(e)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	outcome := func() assay.Outcome {
		ctx, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
		defer cancel()
		r := &assay.Request{ID: 1, Due: 1}
		client.Do(ctx, &assay.Call{}, r)
		return r.Outcome
	}
	if got := outcome(); got != assay.OK || path != "/a?b=c" {
		t.Fatalf("before: %v, the target was asked for %q", got, path)
	}
	d, err := w.driver("run")
	if err != nil {
		t.Skip(err)
	}
	a, err := d.Plan(t.Context(), &step, chaos.Victim{ID: chaos.WireID})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	if effect, err := a.Effect(t.Context()); err != nil || effect != "a probe was shown a certificate that has expired: true" {
		t.Errorf("effect %q, %v", effect, err)
	}
	if got := outcome(); got != assay.Unresolved {
		t.Errorf("while the certificate has expired: %v, want %v", got, assay.Unresolved)
	}
	a.Undo.ID = "f"
	if err := a.Undo.Do(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Lifted(t.Context()); err != nil {
		t.Error(err)
	}
	if got := outcome(); got != assay.OK {
		t.Errorf("afterwards: %v", got)
	}
}

// The lookups of the load itself fail on the wire; what is connected goes on.
func TestWireNames(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	defer target.Close()
	e := loadgen.Endpoint{URL: strings.Replace(target.URL, "127.0.0.1", "localhost", 1), Clock: clock.New()}
	step := chaos.Step{Fault: "dns", By: chaos.ByWire, Mode: "servfail", Instances: 1, For: time.Second}
	w, err := startWire(&e, nil, []chaos.Step{step})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	client, err := loadgen.NewHTTP(e)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	outcome := func() assay.Outcome {
		ctx, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
		defer cancel()
		r := &assay.Request{ID: 1, Due: 1}
		client.Do(ctx, &assay.Call{}, r)
		return r.Outcome
	}
	if got := outcome(); got != assay.OK {
		t.Fatalf("before: %v", got)
	}
	d, err := w.driver("run")
	if err != nil {
		t.Skip(err)
	}
	a, err := d.Plan(t.Context(), &step, chaos.Victim{ID: chaos.WireID})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	if effect, err := a.Effect(t.Context()); err != nil || !strings.HasPrefix(effect, "a lookup of localhost got SERVFAIL") {
		t.Errorf("effect %q, %v", effect, err)
	}
	if got := outcome(); got != assay.OK {
		t.Errorf("on a connection that was open: %v", got)
	}
	target.CloseClientConnections()
	if got := outcome(); got == assay.OK {
		t.Error("a request that needs a new connection was served")
	}
	a.Undo.ID = "f"
	if err := a.Undo.Do(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Lifted(t.Context()); err != nil {
		t.Error(err)
	}
	if got := outcome(); got != assay.OK {
		t.Errorf("afterwards: %v", got)
	}
}

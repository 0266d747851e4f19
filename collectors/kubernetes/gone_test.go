package kubernetes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
)

// serve answers the requests of a client without a network.
type serve func(r *http.Request) (status int, body string)

func (s serve) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := s(r)
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

type bubble struct{ epoch time.Time }

func (b bubble) Now() int64              { return int64(time.Since(b.epoch)) }
func (b bubble) FromUnix(ns int64) int64 { return max(1, ns-b.epoch.UnixNano()) }

// TestGoneAgainAndAgain: a server for which every version is too old is asked ever more seldom, and the run is told, until it answers.
func TestGoneAgainAndAgain(t *testing.T) {
	for name, gone := range map[string]struct {
		status int
		body   string
	}{
		"refused":             {http.StatusGone, ""},
		"ended by the server": {http.StatusOK, `{"type":"ERROR","object":{"code":410,"message":"too old"}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				var mu sync.Mutex
				lists := 0
				api := &kube.Client{Server: "http://x", Namespace: "models", HTTP: &http.Client{Transport: serve(func(r *http.Request) (int, string) {
					if !strings.HasSuffix(r.URL.Path, "/pods") {
						return http.StatusForbidden, ""
					}
					mu.Lock()
					defer mu.Unlock()
					switch {
					case r.URL.Query().Get("watch") == "":
						if lists++; lists > 1000 {
							cancel()
						}
						return http.StatusOK, `{"metadata":{"resourceVersion":"1"},"items":[]}`
					case time.Since(begin) > 10*time.Second:
						return http.StatusOK, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"2"}}}` + "\n"
					}
					return gone.status, gone.body
				})}}
				var got []string
				err := (&Watch{API: api, Clock: bubble{begin}}).Run(ctx, func(r assay.Record) error {
					if e := r.(*assay.Event); strings.HasPrefix(e.Text, "pods") {
						got = append(got, fmt.Sprintf("%v %s", time.Duration(e.Time).Round(time.Second), e.Text))
					}
					return nil
				})
				if err != nil || lists > 15 {
					t.Errorf("listed %d times (%v), want at most 15", lists, err)
				}
				want := []string{"5s pods are not read: the version is too old", "11s pods are read again after 11.15s"}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
